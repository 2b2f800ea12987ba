"""The rows of a file beside the tables that they go to, typed, and told what is to become of them.

A staged row's `loss_state` is `pending` until it is `written`, `already` there, or a `conflict`.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby

import psycopg
from psycopg import sql

from ops.carrying.import_target import Target, content_digest, labels, staged_type
from ops.carrying.losses_reader import LossesReader
from ops.errors import BadInputError
from ops.sql_files import statement
from ops.user_tables import UserTable

_OWN = ("loss_line", "loss_change", "loss_key", "loss_before", "loss_after")
NO_TABLE = "there is no such table"


def make_staging(connection: psycopg.Connection, target: Target) -> None:
    """Make the temporary table for a target's rows; it goes with the transaction."""
    columns = (
        sql.SQL("{} {}").format(
            sql.Identifier(name),
            sql.SQL(staged_type(target.table, name)),
        )
        for name in target.table.columns
    )
    checks = (
        sql.SQL(", CHECK ({} = ANY({}))").format(sql.Identifier(name), sql.Literal(list(allowed)))
        for name in target.table.columns
        if (allowed := labels(target.table, name))
    )
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} (loss_line bigint PRIMARY KEY, loss_change text NOT NULL,"
            " loss_key uuid NOT NULL UNIQUE, loss_before text, loss_after text,"
            " loss_state text NOT NULL DEFAULT 'pending', loss_reason text, {}{}) ON COMMIT DROP"
        ).format(target.staging, sql.SQL(", ").join(columns), sql.SQL("").join(checks))
    )


def stage(reader: LossesReader, sessions: Mapping[str, tuple[psycopg.Connection, Target]]) -> None:
    """Stream a file's rows into the staging tables, by table.

    Raises:
        BadInputError: the file is not whole, or a value is not of its column's type.
    """
    for table, changes in groupby(reader.changes(), key=lambda change: change.table):
        connection, target = sessions[table.name]
        names = sql.SQL(", ").join(map(sql.Identifier, (*_OWN, *table.columns)))
        copy = sql.SQL("COPY {} ({}) FROM STDIN").format(target.staging, names)
        try:
            with connection.cursor() as cursor, cursor.copy(copy) as rows:
                for change in changes:
                    given = change.row or {}
                    own = (change.number, change.kind, change.key, change.before, change.after)
                    rows.write_row([*own, *(given.get(name) for name in table.columns)])
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise _misfit(reader, table, error) from None


def _misfit(reader: LossesReader, table: UserTable, error: psycopg.Error) -> BadInputError:
    """The server says where it stopped; what stood there is the users' and is not repeated."""
    context = (error.diag.context or "").split(":")[0]
    column = context.rpartition("column ")[2] if "column " in context else None
    where = f"{table.name}.{column}" if column else f"a row of {table.name}"
    return BadInputError(f"{reader.path}: a value of {where} cannot be read; nothing was imported")


def check_digests(connection: psycopg.Connection, target: Target, reader: LossesReader) -> None:
    """Make sure that the rows are those that the digests were taken of.

    Raises:
        BadInputError: one is not.
    """
    row = connection.execute(
        sql.SQL(
            "SELECT min(loss_line) FROM {} AS s WHERE loss_change <> 'deleted'"
            " AND loss_after IS DISTINCT FROM {}"
        ).format(target.staging, content_digest(target.table, "s"))
    ).fetchone()
    if row is not None and row[0] is not None:
        raise BadInputError(
            f"{reader.path}, line {row[0]}: the row of {target.table.name} is not the one that was "
            "exported; nothing was imported"
        )


def classify(connection: psycopg.Connection, target: Target, since: datetime) -> None:
    """Compare each staged row with what is there, which is locked until the transaction ends: it is
    there already, may be written, or was changed by somebody else."""
    if target.relation is None:
        connection.execute(
            sql.SQL(
                "UPDATE {} SET loss_reason = %s, loss_state ="
                " CASE loss_change WHEN 'deleted' THEN 'already' ELSE 'conflict' END"
            ).format(target.staging),
            [NO_TABLE],
        )
        return
    connection.execute(sql.SQL("ANALYZE {}").format(target.staging))
    connection.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT FROM {} AS t"
            " WHERE t.id IN (SELECT loss_key FROM {}) FOR UPDATE OF t) AS locked"
        ).format(target.name, target.staging)
    )
    connection.execute(
        sql.SQL(statement("carrying/import_classify").decode()).format(
            staging=target.staging,
            rows=target.as_declared(),
            digest=content_digest(target.table, "t"),
        ),
        {"since": since},
    )
