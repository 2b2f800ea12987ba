"""Finding Pulumi's command line, and the environment in which its engine works."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pulumi.automation import InvalidVersionError, PulumiCommand
from semver import VersionInfo

from infra.engine_events import EventRecord
from infra.engine_failures import explained
from ops.books.declared_stack import declared
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

# The first whose every operation takes an inline program.
OLDEST_CLI = VersionInfo(3, 181, 0)
_FOLDER = "pulumi"


def find_cli() -> PulumiCommand:
    """The command line on PATH, or the one that `tools/build_pulumi.sh` has built.

    Raises:
        ConfigurationError: there is none, or it is too old.
    """
    root = None if shutil.which("pulumi") else _built()
    try:
        return PulumiCommand(str(root) if root else None, OLDEST_CLI)
    except FileNotFoundError:
        raise ConfigurationError(
            "Pulumi's command line is not here; install it the official way, or build it "
            "with Go by tools/build_pulumi.sh, or leave --target out"
        ) from None
    except InvalidVersionError:
        raise ConfigurationError(
            f"Pulumi's command line does not go with this program; install {OLDEST_CLI} or newer "
            "of version 3"
        ) from None
    except (OSError, subprocess.CalledProcessError):
        raise ConfigurationError(
            "Pulumi's command line on PATH does not run; install it again"
        ) from None


def engine_environment(state: StateFolder, login: str | None = None) -> dict[str, str]:
    """What the command line is told beside our own environment.

    State, configuration and passphrase lie in the state folder, unless the environment gives a
    passphrase: whoever is logged in to whatever on this machine plays no part.

    Args:
        login: where the stack's state lies instead, as for `pulumi login`.
    """
    told = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_BACKEND_URL": login or own_backend(state),
    }
    if not _given(os.environ):
        told["PULUMI_CONFIG_PASSPHRASE"] = state.secret("pulumi_passphrase")
    return told


def login_elsewhere(state: StateFolder, stack: str) -> str | None:
    """Where a stack's state lies, if not in the state folder: where the environment says, or where
    `pulumi up` has kept it that brought the stack up."""
    last = declared(state)
    return os.environ.get("PULUMI_BACKEND_URL") or (last.login if last.name == stack else None)


def login_in_use(state: StateFolder) -> str | None:
    """Where the engine that runs this program keeps its state, if not in the state folder.

    Raises:
        ConfigurationError: the command line does not say.
    """
    found = os.environ.get("PULUMI_BACKEND_URL")
    if found is None:
        with explained(EventRecord(lambda _line: None)):
            asked = find_cli().run(["whoami", "--json"], os.getcwd(), dict(os.environ))
        found = str(json.loads(asked.stdout)["url"])
    return None if found == _own_login(state) else found


def own_backend(state: StateFolder) -> str:
    """The file backend in the state folder, made where it is missing."""
    own_folder(state)
    (state.root / _FOLDER / "backend").mkdir(mode=0o700, exist_ok=True)
    return _own_login(state)


def own_folder(state: StateFolder) -> Path:
    """Where the engine's things lie in the state folder; closed to others."""
    folder = state.root / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _own_login(state: StateFolder) -> str:
    return f"file://{state.root / _FOLDER / 'backend'}"


def _given(environment: Mapping[str, str]) -> bool:
    return any(
        name in environment
        for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
    )


def _built() -> Path | None:
    """The newest build in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sigmasight"
    built = sorted(
        (path.parent.parent for path in cache.glob("pulumi-v*/bin/pulumi")),
        key=lambda root: VersionInfo.parse(root.name.removeprefix("pulumi-v")),
    )
    return built[-1] if built else None
