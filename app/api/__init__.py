"""The HTTP API: thin routes on `app.data`, `app.analytics` and `app.agent`."""
