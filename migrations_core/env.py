"""Alembic's entry into the Core chain."""

from app.migration_environment import run_chain

run_chain("core")
