"""Who runs an embedded server: PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import ConfigurationError

ACCOUNT_NAME = "sigmasight"
SHARED_PLACE = Path("/var/lib/sigmasight")


@dataclass(frozen=True)
class Account:
    """The operating-system account of a server.

    Attributes:
        switched: whether we are root and must step down to it.
    """

    uid: int
    gid: int
    switched: bool

    def popen_options(self) -> dict[str, Any]:
        """Options that make a subprocess run as this account."""
        if not self.switched:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Hand a path to this account, closed to everyone else."""
        os.chmod(path, 0o700 if path.is_dir() else 0o600)
        if self.switched:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether this account may walk to a path and, if it exists, read it."""
        if not self.switched:
            return True
        existing = [part for part in (path, *path.parents) if part.exists()]
        return all(self._may_enter(part) for part in existing)

    def _may_enter(self, part: Path) -> bool:
        status = part.stat()
        needed = 0o5 if part.is_file() else 0o1
        shift = 6 if status.st_uid == self.uid else 0
        return (status.st_mode >> shift) & needed == needed


def server_account() -> Account:
    """The current account, or for root a system account of our own, made where it is missing.

    Raises:
        ConfigurationError: running as root, and the account cannot be made.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switched=False)
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        entry = _create_account()
    return Account(entry.pw_uid, entry.pw_gid, switched=True)


def _create_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run([*command, ACCOUNT_NAME], check=True, capture_output=True)
        return pwd.getpwnam(ACCOUNT_NAME)
    except (OSError, subprocess.CalledProcessError, KeyError):
        raise ConfigurationError(
            "PostgreSQL does not run as root and the account "
            f"{ACCOUNT_NAME!r} cannot be made here; run as an ordinary user"
        ) from None
