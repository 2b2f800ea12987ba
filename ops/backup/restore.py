"""A dump of an old database, restored into the empty one of a new installation."""

import re
import subprocess
from pathlib import Path

from sqlalchemy.engine import URL

from ops.backup.content import content_of
from ops.backup.programs import RESTORE_ALONE, Programs, failure_line, programs_for
from ops.connection import connect, explained, shown_address
from ops.errors import BadInputError, RefusedError
from ops.sql_files import statement


def restore(file: Path, legacy: URL) -> None:
    """Restore what `pg_dump --format=custom` wrote, whole or not at all; all of it becomes the
    role's of the address.

    Raises:
        BadInputError: the file is no such dump, or of a newer version than can be read here.
        RefusedError: the database holds tables, or its server is older than the dump's.
        VerificationError: the dump cannot be restored there.
    """
    server = _version_of_empty(legacy)
    programs = programs_for(server)
    refuse_newer(file, programs, server)
    arguments = [*RESTORE_ALONE, "--single-transaction", str(file)]
    with programs.start("pg_restore", arguments, legacy) as running:
        running.finish()


def held(legacy: URL) -> dict[str, int]:
    """How many tables a database holds, and how many rows these."""
    with connect(legacy, application_name="restore", read_only=True) as session:
        found = content_of(session)
    return {"tables": len(found.tables), "rows": found.rows}


def _version_of_empty(legacy: URL) -> int:
    with explained(legacy), connect(legacy, application_name="restore", read_only=True) as session:
        tables = session.execute(statement("backup/tables")).fetchall()
        version = session.info.server_version // 10000
    if tables:
        raise RefusedError(
            f"{shown_address(legacy)} is not empty: it holds {len(tables)} tables, such as "
            f"{'.'.join(tables[0])}; restore into a new database"
        )
    return version


def refuse_newer(file: Path, programs: Programs, server: int) -> None:
    """See that a dump is one which these programs read, and no newer than a server's version.
    Raises what `restore` raises."""
    _refuse_other_format(file)
    words = (programs.folder / "pg_restore", "--list", file)
    listed = subprocess.run(words, capture_output=True, text=True)
    dumped = re.search(r"Dumped from database version: (\d+)", listed.stdout)
    if dumped is None:
        raise BadInputError(
            f"{file} cannot be read ({failure_line(listed.stderr)}); make it by pg_dump "
            f"{programs.major_version} or older"
        )
    if int(dumped[1]) > server:
        raise RefusedError(
            f"{file} is of PostgreSQL {dumped[1]} and the old database's server is {server}; "
            "restore it into one as new (of a docker stack, by another databaseImage)"
        )


def _refuse_other_format(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(5)
    except OSError as error:
        raise BadInputError(f"{file} cannot be read ({error.strerror}); name a dump") from None
    if begins != b"PGDMP":
        raise BadInputError(
            f"{file} is no dump that pg_restore reads; make one by `pg_dump --format=custom`"
        )
