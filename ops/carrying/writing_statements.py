"""The statements by which staged rows are written to a target: row `t` by staged row `s`."""

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from ops.carrying.import_target import Reference, Target, changed, references_to
from ops.copy.groups import PARKED_BY
from ops.sql_files import statement
from ops.verify.loose_references import LooseReference


def insertion(target: Target, rows: sql.Composable) -> sql.Composed:
    """Insert them."""
    columns = target.columns()
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} AS s WHERE {}").format(
        target.name,
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        sql.SQL(", ").join(target.value(column) for column in columns),
        target.staging,
        rows,
    )


def update(target: Target, rows: sql.Composable) -> sql.Composed:
    """Set the columns that changed."""
    values = (
        sql.SQL("{} = {}").format(sql.Identifier(column.name), target.updated_value(column))
        for column in target.updated_columns()
    )
    return sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE t.id = s.loss_key AND {}").format(
        target.name, sql.SQL(", ").join(values), target.staging, rows
    )


def deletion(target: Target, rows: sql.Composable) -> sql.Composed:
    """Delete them. A row by which others would go too, or forget what they refer to, stays."""
    others = (one for one in target.references if one.reaches and not one.is_computed)
    alone = (sql.SQL(" AND NOT EXISTS ({})").format(_referring(one)) for one in others)
    return sql.SQL("DELETE FROM {} AS t USING {} AS s WHERE t.id = s.loss_key AND {}{}").format(
        target.name, target.staging, rows, sql.SQL("").join(alone)
    )


def deletions_of_computed(
    connection: psycopg.Connection,
    references: Sequence[Reference],
    table: sql.Identifier,
    rows: sql.Composable,
) -> Iterator[sql.Composed]:
    """Delete what was computed from rows of a table, and from that in turn."""
    for one in references:
        if one.is_computed:
            child, naming = sql.Identifier(one.schema, one.table), one.naming(table, rows)
            further = references_to(connection, one.oid)
            yield from deletions_of_computed(connection, further, child, naming)
            yield sql.SQL("DELETE FROM {} WHERE {}").format(child, naming)


def lending(
    connection: psycopg.Connection, target: Target, rows: sql.Composable, *, doomed: bool
) -> sql.Composed | None:
    """Lend rows values of their own, while what only one row may have passes from one to another;
    None where the table has nothing that could be lent.

    Args:
        doomed: whether the rows are about to be deleted; else only what changes is lent.
    """
    lent = [
        (
            column,
            lent_value(sql.Identifier("s", "loss_key"), is_text=is_text),
            sql.SQL("true") if doomed else changed(target.table, column),
        )
        for column, is_text in lendable(connection, target).items()
        if doomed or column in target.table.counted
    ]
    if not lent:
        return None
    values = (
        sql.SQL("{0} = CASE WHEN {1} THEN {2} ELSE t.{0} END").format(
            sql.Identifier(column), condition, value
        )
        for column, value, condition in lent
    )
    return sql.SQL(
        "UPDATE {} AS t SET {} FROM {} AS s WHERE t.id = s.loss_key AND {} AND ({})"
    ).format(
        target.name,
        sql.SQL(", ").join(values),
        target.staging,
        rows,
        sql.SQL(" OR ").join(condition for *_, condition in lent),
    )


def lendable(connection: psycopg.Connection, target: Target) -> dict[str, bool]:
    """The column that lends a value of each unique key, and whether it is a text."""
    assert target.relation is not None
    found = connection.execute(statement("carrying/lendable"), {"oid": target.relation.oid})
    columns = dict(found.fetchall())
    known = PARKED_BY.get(target.table.name)
    if known in {column.name for column in target.columns()}:
        columns[str(known)] = True
    return columns


def lent_value(key: sql.Composable, *, is_text: bool) -> sql.Composed:
    """A value that no other row has: a text is short, and an address; a number is negative."""
    if is_text:
        return sql.SQL("right({}::text, 12) || '@a.b'").format(key)
    return sql.SQL("-1 - ('x' || right({}::text, 7))::bit(28)::integer").format(key)


def _referring(key: Reference) -> sql.Composed:
    pairs = (
        sql.SQL("c.{} = t.{}").format(sql.Identifier(own), sql.Identifier(theirs))
        for own, theirs in zip(key.columns, key.referred, strict=True)
    )
    return sql.SQL("SELECT FROM {} AS c WHERE {}").format(
        sql.Identifier(key.schema, key.table), sql.SQL(" AND ").join(pairs)
    )


def held_back(target: Target, reference: LooseReference, refused: sql.Identifier) -> sql.Composed:
    """Have rows wait that name a row that was not imported, though no foreign key tells."""
    return sql.SQL(
        "UPDATE {} AS s SET loss_state = 'held', loss_reason = {} FROM {} AS r"
        " WHERE s.loss_state = 'pending' AND r.table_name = {} AND r.key = {}"
    ).format(
        target.staging,
        sql.Literal(f"its row of {reference.target} was not imported"),
        refused,
        sql.Literal(reference.target),
        sql.Identifier("s", reference.column),
    )
