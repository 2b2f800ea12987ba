"""What an installation has put on this machine, and its removal: not while it is needed."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ops.backend.serving import serving_pair
from ops.embedded.account import ACCOUNT_NAME, SHARED_PLACE
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.endpoints import resolve_endpoints
from ops.errors import RefusedError
from ops.settings import OperatorSettings

# What a rebuild makes again. Dumps, exports and a stack's state are not, nor a stranger's files.
_OURS = ("*.json", "*.log", ".*.lock", "servers", "control", "prefect", "book.png", "rehearsal.md")


@dataclass(frozen=True)
class Installation:
    """What is found of one state folder.

    Attributes:
        running: what still runs of it besides its database servers.
        with_account: whether the servers' system account and their shared place are to go too;
            other state folders of root use them.
    """

    settings: OperatorSettings
    running: tuple[str, ...] = ()
    with_account: bool = False

    def goes(self) -> list[str]:
        """What a removal takes, a line each."""
        root, databases = self.settings.state.root, EmbeddedDatabases(self.settings.state)
        lines = [f"{root}: secrets, run history"] if root.exists() else []
        if lines and databases.exists():
            lines[0] += f", the databases {', '.join(databases.names())} with all their data"
        if (root / "servers").is_symlink():
            lines.append(f"{(root / 'servers').resolve()}: the servers of these databases")
        if self._account() is not None:
            lines.append(f"the system account {ACCOUNT_NAME}, and {SHARED_PLACE}")
        return lines

    def refuse(self) -> None:
        """See that nothing of it is in use, or kept here alone.

        Raises:
            RefusedError: something is, and what to do first.
        """
        if reason := next(self._reasons(), None):
            raise RefusedError(f"nothing was removed: {reason}")

    def remove(self) -> None:
        """Remove all of it, where nothing is against that.

        Raises:
            RefusedError: see `refuse`.
        """
        self.refuse()
        databases, root = EmbeddedDatabases(self.settings.state), self.settings.state.root
        account = self._account()
        for name in NAMES if databases.exists() else ():
            databases.server(name).remove()
        if (root / "servers").is_symlink():
            shutil.rmtree((root / "servers").resolve(), ignore_errors=True)
        if root.exists():
            shutil.rmtree(root)
        if account is not None:
            shutil.rmtree(SHARED_PLACE, ignore_errors=True)
            subprocess.run(["userdel", ACCOUNT_NAME], check=True, capture_output=True)

    def _account(self) -> int | None:
        """The account's number, where it is there and may go."""
        with suppress(KeyError):
            if self.with_account and os.geteuid() == 0:
                return pwd.getpwnam(ACCOUNT_NAME).pw_uid
        return None

    def _swapped(self, databases: EmbeddedDatabases) -> bool:
        """Whether Core serves in place of an old database, which it is started to say."""
        if resolve_endpoints(self.settings).legacy is None:
            return False
        databases.up(("core",))
        try:
            return serving_pair(self.settings) == "new"
        finally:
            databases.server("core").stop()

    def _reasons(self) -> Iterator[str]:
        settings, root = self.settings, self.settings.state.root
        databases = EmbeddedDatabases(settings.state)
        if running := [*self.running, *databases.running()]:
            yield f"{', '.join(running)} of {root} run; stop them by `sigmasight down`"
        if databases.exists() and self._swapped(databases):
            yield (
                "a swap is in force, and the old database is locked; `sigmasight up`, then "
                "`sigmasight rollback`, or `sigmasight cleanup` to its end"
            )
        if kept := sorted(path.name for path in _others(root)):
            yield f"{root} holds {', '.join(kept)} too; move that away (a stack: destroy it) first"
        if (account := self._account()) is not None:
            yield from _users_of(account, root / "servers")


def _others(root: Path) -> Iterator[Path]:
    for path in root.iterdir() if root.exists() else ():
        if not any(path.match(pattern) for pattern in _OURS):
            yield path


def _users_of(account: int, own: Path) -> Iterator[str]:
    if any(process.info["uids"].real == account for process in psutil.process_iter(["uids"])):
        yield f"processes of the account {ACCOUNT_NAME} run, of another state folder; stop them"
    other = [path for path in (SHARED_PLACE / "servers").glob("*") if path != own.resolve()]
    if other:
        yield f"{other[0]} belongs to another state folder; leave out --account"
