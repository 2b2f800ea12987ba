"""The removal of the old server, where it is one of ours: it goes with all that it holds."""

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ops.backup.scratch import SCRATCH
from ops.books.backups import known_backups
from ops.cleanup.folders import refuse_backups_in
from ops.cleanup.scene import Scene
from ops.connection import session_at
from ops.embedded.server import SUPERUSER, EmbeddedServer
from ops.errors import RefusedError
from ops.provision import APP, OWNER, READONLY
from ops.sql_files import statement

_SERVICE = (
    "the database is gone, its server is not: on Railway remove the service and its volume in the "
    "dashboard, since it stays billed, unless the stack names it"
)
STOCK = ("postgres", "template0", "template1")
_NO_DATABASE = 0
_IN_FOLDER = ("data", "data.*.part", ".pw*", "server.log", "provisioned", ".s.PGSQL.*")
_IN_DATA = ("base", "global", "pg_*", "PG_VERSION", "postgresql*.conf", "postmaster.*")


def remove_server(scene: Scene) -> str:
    """Remove the old server where it is one of ours; elsewhere say what is left to do.

    Raises:
        RefusedError: it holds something that is not ours.
        BadInputError: its folder holds a backup.
        DatabaseUnavailableError: it does not run, so that nobody knows what it holds.
    """
    if scene.own_server is None:
        return _SERVICE
    server = scene.own_server.server("legacy")
    if not server.folder.exists():
        return "gone already"
    # Without a port a run that was killed has looked, and stopped it.
    if "legacy" in scene.state.read("ports"):
        require_alone(server, _NO_DATABASE)
    refuse_backups_in(server.folder.resolve(), [one.file for one in known_backups(scene.core)])
    scene.own_server.retire("legacy", remove_data=True)
    return "removed"


def require_alone(server: EmbeddedServer, legacy: int) -> None:
    """See that a server of ours holds nothing but a database and what was made with it.

    Args:
        legacy: the oid of that database.

    Raises:
        RefusedError: it holds something else; the message names it.
        DatabaseUnavailableError: it does not run.
    """
    found = [*_beside(server, legacy), *_in_stock(server), *_files(server)]
    if found:
        raise RefusedError(
            f"the old server would go with what is not ours: {', '.join(found)}; move or drop that"
        )


def _beside(server: EmbeddedServer, legacy: int) -> Iterator[str]:
    url = server.url()
    asked = {
        "stock": list(STOCK),
        "legacy": legacy,
        "scratch": SCRATCH,
        "roles": [SUPERUSER, OWNER, APP, READONLY],
    }
    with session_at(url, "cleanup", autocommit=True) as session:
        for (what,) in session.execute(statement("cleanup/beside"), asked):
            yield str(what)


def _in_stock(server: EmbeddedServer) -> Iterator[str]:
    for database in ("postgres", "template1"):
        url = server.url(database)
        with session_at(url, "cleanup", autocommit=True) as session:
            for (what,) in session.execute(statement("cleanup/objects")):
                yield f"{what} of database {database}"


def _files(server: EmbeddedServer) -> Iterator[str]:
    for folder, known in ((server.folder, _IN_FOLDER), (server.data, _IN_DATA)):
        yield from (f"file {path}" for path in sorted(_others(folder, known)))


def _others(folder: Path, known: Collection[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        if not any(fnmatchcase(path.name, pattern) for pattern in known):
            yield path
