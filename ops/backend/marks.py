"""By what a running backend is known to be the one that would be started now."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config import Settings
from app.migration_environment import PROJECT_ROOT

_CHANNEL = PROJECT_ROOT / "app" / "serving" / "channel.py"


@dataclass(frozen=True)
class Marks:
    """Digests of a backend's code and of its settings."""

    code: str
    configuration: str


def marks_of(environment: Mapping[str, str], application: str) -> Marks:
    """The marks of a backend that would be started now."""
    return Marks(_code_mark(), _configuration_mark(environment, application))


def supervisor_mark() -> str:
    """A digest of what a running supervisor has loaded."""
    return _digest([*(PROJECT_ROOT / "ops" / "backend").glob("*.py"), _CHANNEL])


def _code_mark() -> str:
    """A digest of what a running backend has loaded."""
    found = (PROJECT_ROOT / "app").rglob("*")
    return _digest(path for path in found if path.is_file() and path.suffix != ".pyc")


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _configuration_mark(environment: Mapping[str, str], application: str) -> str:
    """A digest of the backend's settings. The signing key goes into it, so that it cannot be
    tried out what the settings are."""
    told: dict[str, Any] = {name: environment.get(name) for name in sorted(Settings.model_fields)}
    dotenv = Path(".env")
    file = dotenv.read_text(errors="replace") if dotenv.is_file() else ""
    return hashlib.sha256(json.dumps([application, told, file]).encode()).hexdigest()
