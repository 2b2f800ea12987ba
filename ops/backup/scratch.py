"""Where a dump is restored to be compared: a database that is gone afterwards."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import session_at
from ops.embedded.account import SHARED_PLACE, server_account
from ops.embedded.binaries import MAJOR_VERSION
from ops.embedded.server import EmbeddedServer, free_port
from ops.errors import ConfigurationError
from ops.sql_files import statement

# Nothing of a scratch server must survive a crash, so it does not wait for the disk.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# How the names of all scratch databases begin.
SCRATCH = "sigmasight_scratch_"
_EXTENSIONS_OF_OURS = {"plpgsql", "vector"}


@dataclass(frozen=True)
class Source:
    """What the scratch database must be able to hold.

    Attributes:
        extensions: names.
        own_rights: whether the role of the address could restore all of it beside the source.
    """

    server_version: int
    encoding: str
    collate: str
    ctype: str
    extensions: frozenset[str]
    own_rights: bool


def source_of(connection: psycopg.Connection) -> Source:
    """Look at the database that is to be dumped."""
    row = connection.execute(statement("backup/source")).fetchone()
    assert row is not None  # the current database is there
    encoding, collate, ctype, extensions, superuser, creates, demanding = row
    return Source(
        server_version=connection.info.server_version // 10000,
        encoding=encoding,
        collate=collate,
        ctype=ctype,
        extensions=frozenset(extensions or ()),
        own_rights=superuser or (creates and not demanding),
    )


@contextmanager
def scratch_database(source: Source, beside: URL, mark: str) -> Iterator[URL]:
    """An empty database for a restore: on the source's own server where the role of `beside` may
    make one, else on a server of ours that lives as long as the block.

    Args:
        mark: tells the scratch databases of one Core and database from all others. What an
            earlier holder of the mark left behind is removed; the caller sees to it that only one
            holds it at a time.

    Raises:
        ConfigurationError: neither is possible.
    """
    _stop_server(_server_folder(mark))
    if source.own_rights:
        with _database(source, beside, mark) as url:
            yield url
        return
    if source.server_version > MAJOR_VERSION or source.extensions - _EXTENSIONS_OF_OURS:
        raise ConfigurationError(
            "no place to restore the dump: this role may not make a database with its extensions, "
            f"and a server of ours is PostgreSQL {MAJOR_VERSION} with vector alone; "
            "use a role with CREATEDB (superuser, where there are extensions)"
        )
    with _server(mark) as server, _database(source, server.url(), mark, locale="C") as url:
        yield url


@contextmanager
def _database(source: Source, beside: URL, mark: str, locale: str | None = None) -> Iterator[URL]:
    prefix = f"{SCRATCH}{mark}_"
    name = prefix + secrets.token_hex(4)
    with session_at(beside, "scratch", autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")  # as a role may bear it
        _drop_leftovers(session, prefix)
        session.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
            ).format(
                sql.Identifier(name),
                sql.Literal(source.encoding),
                sql.Literal(locale or source.collate),
                sql.Literal(locale or source.ctype),
            )
        )
        try:
            options = f"{beside.query.get('options', '')} -cdefault_transaction_read_only=off"
            yield beside.set(database=name).update_query_dict({"options": options.strip()})
        finally:
            _drop(session, name)


def _drop_leftovers(session: psycopg.Connection, prefix: str) -> None:
    names = session.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname::text, %s)", [prefix]
    ).fetchall()
    for (name,) in names:
        _drop(session, name)


def _drop(session: psycopg.Connection, name: str) -> None:
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _server(mark: str) -> Iterator[EmbeddedServer]:
    """A server of ours. Its place is known by the mark, so that the next run ends one that a
    killed run left."""
    folder = _server_folder(mark)
    folder.mkdir(mode=0o711, parents=True)
    server = EmbeddedServer(folder / "server", server_account(), secrets.token_urlsafe(16), _FAST)
    try:
        server.create()
        server.start(free_port())
        yield server
    finally:
        _stop_server(folder)


def _server_folder(mark: str) -> Path:
    base = Path(tempfile.gettempdir())
    reachable = base if server_account().can_reach(base) else SHARED_PLACE
    return reachable / f"sigmasight-scratch-{os.geteuid()}-{mark}"


def _stop_server(folder: Path) -> None:
    if folder.is_symlink() or not folder.exists() or folder.stat().st_uid != os.geteuid():
        return
    EmbeddedServer(folder / "server", server_account(), "").stop()
    shutil.rmtree(folder)
