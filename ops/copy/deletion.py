"""Deleting rows with what hangs on them: children first, as their foreign keys ask for it."""

from collections.abc import Sequence
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import ForeignKey

from app.models import Base

# What the backfill remembers of a portfolio.
_BOOKS_OF_A_PORTFOLIO = ("starting_capital", "backfill_ledger", "backfill_tokens")


def delete_rows(session: psycopg.Connection, table: str, keys: Sequence[UUID]) -> int:
    """Delete rows of a Core or AI table by their ids; how many there were.

    Rows that name them go too, analytics above all, which the backfill can compute again; a column
    that may be empty, such as who assigned a tag, is emptied instead.
    """
    condition = sql.SQL("id = ANY({}::uuid[])").format(sql.Literal(list(keys)))
    if table == "portfolios":
        _forget_portfolios(session, keys)
    return _delete(session, table, condition)


def _delete(session: psycopg.Connection, table: str, condition: sql.Composable) -> int:
    doomed = sql.SQL("SELECT id FROM {} WHERE {}").format(
        sql.Identifier("public", table), condition
    )
    for key in _references_to(table):
        child, column = key.parent.table.name, sql.Identifier(key.parent.name)
        naming = sql.SQL("{} IN ({})").format(column, doomed)
        if key.parent.nullable and key.ondelete is None:
            session.execute(
                sql.SQL("UPDATE {} SET {} = NULL WHERE {}").format(
                    sql.Identifier("public", child), column, naming
                )
            )
        else:
            _delete(session, child, naming)
    query = sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier("public", table), condition)
    return session.execute(query).rowcount


def _references_to(table: str) -> list[ForeignKey]:
    return [
        key
        for child in reversed(Base.metadata.sorted_tables)
        for key in sorted(child.foreign_keys, key=lambda key: key.parent.name)
        if key.column.table.name == table
    ]


def _forget_portfolios(core: psycopg.Connection, keys: Sequence[UUID]) -> None:
    for name in _BOOKS_OF_A_PORTFOLIO:
        query = sql.SQL("DELETE FROM {} WHERE portfolio_id = ANY(%s)")
        core.execute(query.format(sql.Identifier("ops", name)), [list(keys)])
