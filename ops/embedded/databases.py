"""The three embedded databases: legacy, core and ai, each on a server of its own."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal, get_args

from sqlalchemy.engine import URL

from ops.disk_space import require_free
from ops.embedded.account import SHARED_PLACE, Account, server_account
from ops.embedded.server import EmbeddedServer, free_port, loopback_url, port_is_free
from ops.errors import ConfigurationError
from ops.provision import DatabaseSpec, Passwords, provision
from ops.state_folder import StateFolder

Name = Literal["legacy", "core", "ai"]
NAMES: tuple[Name, ...] = get_args(Name)
LoginRole = Literal["owner", "app", "readonly"]

SPECS: dict[Name, DatabaseSpec] = {
    # The old system kept everything in one database, so it needs the vector extension too.
    "legacy": DatabaseSpec("sigmasight", marker=None, extensions=("vector",)),
    "core": DatabaseSpec("sigmasight_core", marker="core", extensions=()),
    "ai": DatabaseSpec("sigmasight_ai", marker="ai", extensions=("vector",)),
}

# One of the demo's at the end of a rebuild, at the most.
_NEW_SERVER_BYTES = 350 * 2**20
# In a folder of servers that is linked to: from where.
_LINKED_FROM = "linked-from"


@dataclass(frozen=True)
class EmbeddedDatabases:
    """The embedded target of one state folder."""

    state: StateFolder

    def names(self) -> tuple[Name, ...]:
        """What belongs to this state folder: all three, but no old database where Core and AI
        were declared without it or have outlived it."""
        recorded = self.state.read("ports")
        alone = {"core", "ai"} <= recorded.keys() and "legacy" not in recorded
        return tuple(name for name in NAMES if not (alone and name == "legacy"))

    def up(self, names: tuple[Name, ...] | None = None) -> dict[Name, URL]:
        """Make what is missing, start what is stopped, and return each owner's URL.

        Idempotent: an existing server is adopted with its data.

        Args:
            names: by default what belongs to this state folder.

        Raises:
            DatabaseUnavailableError: a server does not start.
            ConfigurationError: this account cannot run servers here.
            RefusedError: the disk has no room for those that are missing.
        """
        self.state.create()
        names = names or self.names()
        with self.state.lock("servers"), ThreadPoolExecutor(len(names)) as pool:
            # One after the other, because the first makes the account and the folder they share.
            servers = [self.server(name) for name in names]
            self._require_space(sum(not server.exists() for server in servers))
            ports = pool.map(self._start, names, servers)
            self.state.update("ports", **dict(zip(names, ports, strict=True)))
            list(pool.map(self._provision, names, servers))
        return {name: self.url(name, "owner") for name in names}

    def down(self) -> list[Name]:
        """Stop the running servers and return their names; their data stays."""
        if not self.exists():
            return []
        with self.state.lock("servers"):
            running = self.running()
            for name in running:
                self.server(name).stop()
        return running

    def running(self) -> list[Name]:
        """The names of the servers that run."""
        if not self.exists():
            return []
        return [name for name in NAMES if self.server(name).process() is not None]

    def retire(self, name: Name, *, remove_data: bool) -> None:
        """Stop a server, and let no later `up` bring it back by itself.

        Args:
            remove_data: whether to remove its data too; else naming it in `up` adopts them.
        """
        with self.state.lock("servers"):
            server = self.server(name)
            server.stop()
            with self.state.lock("documents"):
                ports = self.state.read("ports")
                ports.pop(name, None)
                self.state.write("ports", ports)
            if remove_data:
                shutil.rmtree(server.folder, ignore_errors=True)

    def exists(self) -> bool:
        """Whether this state folder holds embedded servers."""
        return bool(self.state.read("ports"))

    def url(self, name: Name, role: LoginRole) -> URL:
        """The address of a database for a role, whether or not its server runs now.

        Raises:
            ConfigurationError: the server was never made here.
        """
        port = self.server(name).running_port() or self.state.read("ports").get(name)
        if port is None:
            raise ConfigurationError("there are no databases here yet; run `sigmasight up`")
        password = self.state.secret(f"{name}_{role}")
        return loopback_url(int(port), f"sigmasight_{role}", password, SPECS[name].database)

    def server(self, name: Name) -> EmbeddedServer:
        """The server of a database, made or not."""
        account = server_account()
        folder = _servers_folder(self.state.root, account) / name
        return EmbeddedServer(folder, account, self.state.secret(f"{name}_superuser"))

    def _require_space(self, new_servers: int) -> None:
        require_free(
            (self.state.root / "servers").resolve(),
            new_servers * _NEW_SERVER_BYTES,
            "the databases",
            "set SIGMASIGHT_HOME to a folder on another disk",
        )

    def _start(self, name: Name, server: EmbeddedServer) -> int:
        """The port at which it runs, and comes back should it be killed at once."""
        server.create()
        port = server.running_port() or self._port(name)
        server.start(port)
        return port

    def _port(self, name: Name) -> int:
        recorded = self.state.read("ports").get(name)
        return int(recorded) if recorded and port_is_free(int(recorded)) else free_port()

    def _provision(self, name: Name, server: EmbeddedServer) -> None:
        """Once: every command brings the servers up, and must not wait there for the locks of a
        phase that is under way."""
        done = server.folder / "provisioned"
        if done.exists():
            return
        passwords = Passwords(
            owner=self.state.secret(f"{name}_owner"),
            app=self.state.secret(f"{name}_app"),
            readonly=self.state.secret(f"{name}_readonly"),
        )
        provision(server.url, SPECS[name], passwords)
        done.touch()


def _servers_folder(root: Path, account: Account) -> Path:
    """Below the state folder; for root, where the servers' account cannot get there (a home
    that is closed to others), in a shared place with a link to it."""
    link = root / "servers"
    if link.exists():
        _refuse_anothers(link)
        return link.resolve()
    if account.can_reach(root):
        link.mkdir(exist_ok=True)
        account.own(link)
        return link
    return _linked_elsewhere(link, account)


def _refuse_anothers(link: Path) -> None:
    """The link of a copied state folder leads to the servers of the original, while that is there;
    where it was moved, they are its own."""
    record = link / _LINKED_FROM
    original = Path(record.read_text()) if link.is_symlink() and record.exists() else link
    if original != link and original.is_symlink() and original.resolve() == link.resolve():
        raise ConfigurationError(
            f"{link.parent} is a copy, and its servers are those of {original.parent}; "
            f"remove {link} and ports.json beside it to have others made"
        )


def _linked_elsewhere(link: Path, account: Account) -> Path:
    # Never one that is there: a state folder that was moved from here has its databases in it.
    folder = SHARED_PLACE / "servers" / token_hex(6)
    try:
        folder.mkdir(parents=True)
        for part in (SHARED_PLACE, folder.parent):
            part.chmod(0o711)
        account.own(folder)
        (folder / _LINKED_FROM).write_text(str(link))
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    except OSError as error:
        raise ConfigurationError(
            f"the servers cannot live in {folder} ({error.strerror}); "
            "set SIGMASIGHT_HOME to a folder that every account can enter"
        ) from None
    return folder
