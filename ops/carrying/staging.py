"""Changes beside the tables that they go to, with their rows typed, and told what is to become of
them: see `sql/changes.sql`."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.abc import Buffer

from ops.carrying.losses_file import LossesFile, member_of
from ops.carrying.target import Target, labels, shows, staged_type
from ops.copy.legacy import OF_ANY_TEXT, server_encoding
from ops.errors import BadInputError
from ops.sql_files import statement
from ops.user_tables import UserTable, content_digest

# What of a change stands before its row's own columns.
STAGED = ("change", "key", "before", "after")
_NO_TABLE = "there is no such table"
_WHERE = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")


def make_staging(session: psycopg.Connection, targets: Sequence[Target]) -> None:
    """Make the temporary tables for changes; they go with the transaction."""
    session.execute(statement("carrying/changes"))
    for target in targets:
        session.execute(
            sql.SQL(statement("carrying/staging").decode()).format(
                staging=target.staging,
                table=target.table.name,
                columns=sql.SQL(", ").join(_column(target.table, n) for n in target.table.columns),
            )
        )


def _column(table: UserTable, name: str) -> sql.Composed:
    own = sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(staged_type(table, name)))
    if not (allowed := labels(table, name)):
        return own
    return sql.SQL("{} CONSTRAINT {} CHECK ({} = ANY({}))").format(
        own,
        sql.Identifier(f"{name} has a value that there is not"),
        sql.Identifier(name),
        sql.Literal(list(allowed)),
    )


def stage_rows(target: Target, rows: Iterable[Buffer]) -> int:
    """Stream the rows of `changes.changed_rows`, as CSV without a header, into a staging table; how
    many they were. What its server's encoding lacks becomes a question mark, so that such a row is
    not the one that was sent, and is refused for itself."""
    names = sql.SQL(", ").join(map(sql.Identifier, (*STAGED, *target.table.columns)))
    copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target.staging, names)
    codec = _codec(target.session)
    with target.session.cursor() as cursor:
        with cursor.copy(copy) as sink:
            for part in _representable(rows, codec) if codec else rows:
                sink.write(part)
        return cursor.rowcount


def encoding_of(session: psycopg.Connection) -> str | None:
    """The encoding of a server that lacks characters; None where it has all, or knows none."""
    found = server_encoding(session)
    return None if found in OF_ANY_TEXT else found


def _codec(session: psycopg.Connection) -> str | None:
    """Python's name of that encoding, which psycopg knows of the one that a session speaks."""
    if (lacking := encoding_of(session)) is None:
        return None
    spoken = "SELECT set_config('client_encoding', %s, true)"
    session.execute(spoken, [lacking])
    codec = session.info.encoding
    session.execute(spoken, ["UTF8"])
    return codec


def _representable(rows: Iterable[Buffer], codec: str) -> Iterator[bytes]:
    decoder = getincrementaldecoder("utf-8")()
    for part in rows:
        text = decoder.decode(bytes(part))
        yield text.encode(codec, "replace").decode(codec).encode()


def stage_file(target: Target, file: LossesFile) -> None:
    """Stream a file's rows of a table into its staging table.

    Raises:
        BadInputError: the file is not whole, or a row is none that an export writes.
    """
    member = member_of(target.table)
    try:
        stage_rows(target, file.rows(target.table))
    except (psycopg.DataError, psycopg.IntegrityError, pg.ProgramLimitExceeded) as error:
        raise _misfit(f"{file.path}, {member}", error) from None
    counts = sql.SQL("SELECT change, count(*) FROM {} GROUP BY 1").format(target.staging)
    if dict(target.session.execute(counts)) != file.manifest.changes[target.table.name]:
        raise BadInputError(
            f"{file.path}: {member} has not the rows that the manifest says; take a whole copy, "
            "nothing was imported"
        )
    if encoding_of(target.session):
        return  # what its encoding lacks looks forged, too: the row is refused for itself
    others = sql.SQL(
        "SELECT line FROM {} AS s WHERE change <> 'deleted' AND after IS DISTINCT FROM {}"
        " ORDER BY line LIMIT 1"
    ).format(target.staging, content_digest(target.table, "s"))
    for (line,) in target.session.execute(others).fetchall():
        raise BadInputError(
            f"{file.path}, {member}, row {line}: it is not the one that was exported; nothing was "
            "imported"
        )


def _misfit(place: str, error: psycopg.Error) -> BadInputError:
    """The server says where it stopped; what stood there is the users' and is not repeated."""
    found = _WHERE.match(error.diag.context or "")
    line, column = found.groups() if found else (None, None)
    reason = f"{f'a value of {column}' if column else 'a row'} cannot be read"
    if isinstance(error, pg.CheckViolation):
        reason = str(error.diag.constraint_name)
    elif isinstance(error, pg.UniqueViolation):
        reason = "its row stands there twice"
    # The server was not given the line that names the columns.
    at = f", line {int(line) + 1}" if line else ""
    return BadInputError(f"{place}{at}: {reason}; nothing was imported")


def classify(target: Target) -> None:
    """Compare each staged row with what is there, which is locked until the transaction ends: it is
    there already, may be written, or was changed by somebody else."""
    if target.relation is None:
        target.session.execute(
            sql.SQL(
                "UPDATE {} SET reason = {},"
                " state = CASE change WHEN 'deleted' THEN 'already' ELSE 'conflict' END"
            ).format(target.staging, _NO_TABLE)
        )
        return
    staged = sql.SQL("r.id IN (SELECT key FROM {})").format(target.staging)
    target.session.execute(sql.SQL("ANALYZE {}").format(target.staging))
    target.session.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT FROM {} AS r WHERE {} FOR UPDATE OF r) AS locked"
        ).format(target.name, staged)
    )
    target.session.execute(
        sql.SQL(statement("carrying/classify").decode()).format(
            staging=target.staging,
            rows=target.as_declared(staged),
            there=shows(target.table, "after"),
            known=shows(target.table, "before"),
        ),
        {"since": target.since},
    )
