"""A dump of an old database, restored into the empty one of a new installation."""

import re
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy.engine import URL

from ops.backup.content import content_of
from ops.backup.programs import RESTORE_ALONE, Programs, Running, failure_line, programs_for
from ops.connection import connect, session_at, shown_address
from ops.errors import BadInputError, RefusedError, VerificationError
from ops.legacy_schema import INSTALLATION
from ops.sql_files import statement

# What a dump lists and a database has anyway: every new one the schema, and the lock is of a swap
# of the installation that was dumped.
_PUBLIC = r"^\d.* SCHEMA - public .*\n"
_LOCK = r"^\d.* (sigmasight_(cutover|release)|00_sigmasight_write_lock) .*\n"


def restore(file: Path, legacy: URL, *, locked: bool = False) -> None:
    """Restore what `pg_dump --format=custom` wrote, whole or not at all; all of it becomes the
    role's of the address.

    Args:
        locked: whether the write lock of a dump that was made after a swap stays.

    Raises:
        BadInputError: the file is no such dump, of a newer version than can be read here, or
            without rows of an installation.
        RefusedError: the database holds tables, or its server is older than the dump's.
        VerificationError: the dump cannot be restored there.
    """
    server = _version_of_empty(legacy)
    programs = programs_for(server)
    listed = refuse_newer(file, programs, server)
    _refuse_others(file, listed)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as wanted:
        left_out = _PUBLIC if locked else f"{_PUBLIC}|{_LOCK}"
        wanted.write(re.sub(left_out, "", listed, flags=re.MULTILINE))
        wanted.flush()
        chosen = [f"--use-list={wanted.name}", "--single-transaction", str(file)]
        with programs.start("pg_restore", [*RESTORE_ALONE, *chosen], legacy) as running:
            _finish(running)


def held(legacy: URL) -> dict[str, int]:
    """How many tables a database holds, and how many rows these."""
    with connect(legacy, application_name="restore", read_only=True) as session:
        found = content_of(session)
    return {"tables": len(found.tables), "rows": found.rows}


def _version_of_empty(legacy: URL) -> int:
    with session_at(legacy, "restore", read_only=True) as session:
        tables = session.execute(statement("backup/tables")).fetchall()
        version = session.info.server_version // 10000
    if tables:
        raise RefusedError(
            f"{shown_address(legacy)} is not empty: it holds {len(tables)} tables, such as "
            f"{'.'.join(tables[0])}; restore into a new database"
        )
    return version


def _finish(running: Running) -> None:
    try:
        running.finish()
    except VerificationError as error:
        if not re.search(r'(role|extension) "', str(error)):
            raise
        raise VerificationError(
            f"{error}; have a superuser of the old database's server make it, then run this again"
        ) from None


def _refuse_others(file: Path, listed: str) -> None:
    """See that a dump holds rows, and makes an installation's tables (or views), or prices."""
    made = r" (TABLE|VIEW) (?!DATA ).+ {} "
    lacking = [
        name
        for name in (*sorted(INSTALLATION), "market_data_cache")
        if not re.search(made.format(name), listed, re.IGNORECASE)
    ]
    if " TABLE DATA " not in listed:
        raise BadInputError(f"{file} holds no rows; make it by `pg_dump --format=custom`, whole")
    if INSTALLATION.intersection(lacking) and "market_data_cache" in lacking:
        raise BadInputError(
            f"{file} is no whole dump of a SigmaSight database: it does not make "
            f"{', '.join(lacking)}; name another"
        )


def refuse_newer(file: Path, programs: Programs, server: int) -> str:
    """See that a dump is one which these programs read, and no newer than a server's version;
    what it lists. Raises what `restore` raises."""
    _refuse_other_format(file)
    words = (programs.folder / "pg_restore", "--list", file)
    listed = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace")
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
    return listed.stdout


def _refuse_other_format(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(5)
    except OSError as error:
        raise BadInputError(
            f"{file} cannot be read ({error.strerror}); name a file of `pg_dump --format=custom`"
        ) from None
    if begins != b"PGDMP":
        raise BadInputError(
            f"{file} is no dump in pg_dump's custom format; make one by `pg_dump --format=custom`"
        )
