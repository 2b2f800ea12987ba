"""The tables of Core revision 0001, one module per domain.

Frozen: a later change of the schema is a new revision. Nothing here imports `app.models`, which
moves on.
"""
