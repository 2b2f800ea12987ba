"""The state folder: generated secrets, endpoints of embedded servers, and what made them."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import BusyError, ConfigurationError
from ops.waiting import wait_until

_SECRETS = "secrets"
# Nobody holds a lock for longer than it takes to start servers.
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class StateFolder:
    """A folder of small JSON documents, each written atomically and readable by its owner."""

    root: Path

    def create(self) -> None:
        """Make the folder. Others may pass through one that is made here (the account of the
        servers lives below it) but not list it.

        Raises:
            ConfigurationError: it cannot be made here.
        """
        try:
            if not self.root.is_dir():
                self.root.mkdir(parents=True, exist_ok=True)
                os.chmod(self.root, 0o711)
        except OSError as error:
            raise ConfigurationError(
                f"the state folder {self.root} cannot be made ({error.strerror}); "
                "set SIGMASIGHT_HOME to a folder of yours"
            ) from None

    def read(self, name: str) -> dict[str, Any]:
        """The document `name`, empty where there is none.

        Raises:
            ConfigurationError: it is damaged.
        """
        try:
            return _document(self._path(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except ValueError:
            raise ConfigurationError(
                f"{self._path(name)} is damaged; restore it, or remove {self.root} "
                "after `sigmasight down` to start over"
            ) from None

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Replace the document `name`; a kill leaves the old one or the new one."""
        part = self._path(name).with_suffix(f".{os.getpid()}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path(name))

    def remove(self, name: str) -> None:
        """Have no document `name`."""
        self._path(name).unlink(missing_ok=True)

    def update(self, name: str, **values: Any) -> None:
        """Set some keys of the document `name`."""
        with self.lock("documents"):
            self.write(name, {**self.read(name), **values})

    def secret(self, name: str) -> str:
        """A generated secret, the same at every call."""
        with self.lock("documents"):
            known = self.read(_SECRETS)
            if name not in known:
                known[name] = secrets.token_urlsafe(24)
                self.write(_SECRETS, known)
        return str(known[name])

    @contextmanager
    def lock(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock between processes; it ends with the process that holds it.

        Raises:
            BusyError: somebody holds it: now, where `wait` is false, else for minutes.
        """
        with open(self.root / f".{name}.lock", "w", opener=private_file) as file:
            if not wait_until(lambda: _locked(file.fileno()), _PATIENCE_SECONDS if wait else 0):
                raise BusyError(
                    f"another sigmasight command works in {self.root}; wait until it is done, or "
                    f"end one that is stopped (`fuser {file.name}` says which it is)"
                )
            yield

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.json"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def private_file(path: str, flags: int) -> int:
    """Open a file that only its owner reads; for `open`'s opener."""
    return os.open(path, flags, 0o600)


def _document(text: str) -> dict[str, Any]:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document
