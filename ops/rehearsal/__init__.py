"""The whole move on throw-away instances: what it does, how long it takes, and nothing left."""
