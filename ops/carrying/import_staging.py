"""The rows of a file beside the tables that they go to, typed, and told what is to become of them.

A staged row's `loss_state` is `pending` until it is `written`, `already` there, or a `conflict`.
"""

import re
from collections.abc import Iterable
from datetime import datetime

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.abc import Buffer

from ops.carrying.import_target import Target, labels, shows, staged_type
from ops.carrying.losses_file import LossesFile, member_of
from ops.errors import BadInputError
from ops.sql_files import statement
from ops.user_tables import content_digest

# What of a change stands before its row's own columns.
STAGED = ("loss_change", "loss_key", "loss_before", "loss_after")
NO_TABLE = "there is no such table"
_WHERE = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")


def make_staging(connection: psycopg.Connection, target: Target) -> None:
    """Make the temporary table for a target's rows; it goes with the transaction."""
    connection.execute(
        sql.SQL(statement("carrying/import_staging").decode()).format(
            staging=target.staging,
            columns=sql.SQL(", ").join(_column(target, name) for name in target.table.columns),
        )
    )


def _column(target: Target, name: str) -> sql.Composed:
    own = sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(staged_type(target.table, name)))
    allowed = labels(target.table, name)
    if not allowed:
        return own
    return sql.SQL("{} CONSTRAINT {} CHECK ({} = ANY({}))").format(
        own,
        sql.Identifier(f"{name} has a value that there is not"),
        sql.Identifier(name),
        sql.Literal(list(allowed)),
    )


def stage_rows(connection: psycopg.Connection, target: Target, rows: Iterable[Buffer]) -> int:
    """Stream the rows of `changes.changed_rows`, as CSV without a header, into a staging table; how
    many they were."""
    names = sql.SQL(", ").join(map(sql.Identifier, (*STAGED, *target.table.columns)))
    copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target.staging, names)
    with connection.cursor() as cursor:
        with cursor.copy(copy) as sink:
            for part in rows:
                sink.write(part)
        return cursor.rowcount


def stage(connection: psycopg.Connection, target: Target, file: LossesFile) -> None:
    """Stream a file's rows of a table into its staging table.

    Raises:
        BadInputError: the file is not whole, or a row is none that an export writes.
    """
    try:
        stage_rows(connection, target, file.rows(target.table))
    except (psycopg.DataError, psycopg.IntegrityError, pg.ProgramLimitExceeded) as error:
        raise _misfit(file, target, error) from None
    count = sql.SQL("SELECT loss_change, count(*) FROM {} GROUP BY 1").format(target.staging)
    if dict(connection.execute(count).fetchall()) != file.manifest.changes[target.table.name]:
        raise BadInputError(
            f"{file.path}: {member_of(target.table)} has not the rows that the manifest says; "
            "take a whole copy, nothing was imported"
        )


def _misfit(file: LossesFile, target: Target, error: psycopg.Error) -> BadInputError:
    """The server says where it stopped; what stood there is the users' and is not repeated."""
    found = _WHERE.match(error.diag.context or "")
    line, column = found.groups() if found else (None, None)
    what = f"a value of {column.removeprefix('loss_')}" if column else "a row"
    reason = f"{what} cannot be read"
    if isinstance(error, pg.CheckViolation):
        reason = str(error.diag.constraint_name)
    elif isinstance(error, pg.UniqueViolation):
        reason = "its row stands there twice"
    # The server was not given the line that names the columns.
    place = f"{member_of(target.table)}, line {int(line) + 1}" if line else member_of(target.table)
    return BadInputError(f"{file.path}, {place}: {reason}; nothing was imported")


def check_digests(connection: psycopg.Connection, target: Target, file: LossesFile) -> None:
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
            f"{file.path}, {member_of(target.table)}, row {row[0]}: it is not the one that was "
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
            there=shows(target.table, sql.Identifier("f", "digest"), "loss_after"),
            known=shows(target.table, sql.Identifier("f", "digest"), "loss_before"),
        ),
        {"since": since},
    )
