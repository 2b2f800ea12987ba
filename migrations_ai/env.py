"""Alembic's entry into the AI chain."""

from app.migration_environment import run_chain

run_chain("ai")
