"""Finding Pulumi's command line, and the environment in which its engine works."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from pulumi.automation import InvalidVersionError, PulumiCommand
from semver import VersionInfo

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


def engine_environment(state: StateFolder) -> dict[str, str]:
    """What the command line is told beside our own environment.

    State, configuration and passphrase lie in the state folder, unless the environment names a
    backend or a passphrase: whoever is logged in to whatever on this machine plays no part.
    """
    programs = [str(_launchers(state)), str(Path(sys.executable).parent), os.environ["PATH"]]
    told = {
        "PATH": os.pathsep.join(programs),
        "PULUMI_RUNTIME_VIRTUALENV": sys.prefix,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_BACKEND_URL": os.environ.get("PULUMI_BACKEND_URL") or own_backend(state),
        # The provider starts servers from a thread, of which gRPC would complain each time.
        "GRPC_ENABLE_FORK_SUPPORT": "false",
    }
    if not _given(os.environ):
        told["PULUMI_CONFIG_PASSPHRASE"] = state.secret("pulumi_passphrase")
    return told


def own_backend(state: StateFolder) -> str:
    """The file backend in the state folder, made where it is missing."""
    folder = own_folder(state) / "backend"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return f"file://{folder}"


def own_folder(state: StateFolder) -> Path:
    """Where the engine's things lie in the state folder; closed to others."""
    folder = state.root / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


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


def _launchers(state: StateFolder) -> Path:
    """A folder with what the engine calls for a provider written in Python.

    An official installation brings one of its own; this one also knows which Python is ours.
    """
    folder = own_folder(state) / "bin"
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / f".launcher.{os.getpid()}.{threading.get_ident()}"
    part.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -u -m infra.provider_host "$@"\n'
    )
    part.chmod(0o700)
    part.replace(folder / "pulumi-resource-pulumi-python")
    return folder
