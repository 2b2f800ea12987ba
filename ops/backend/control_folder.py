"""The folder of the supervisor's sockets: closed to others, its path short enough for a socket."""

import os
import stat
import tempfile
from hashlib import sha256
from pathlib import Path

from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

# A socket's path is limited to 107 bytes, and the longest name here takes 22 of them.
LONGEST_FOLDER = 80


def control_folder(state: StateFolder) -> Path:
    """The folder, made where it is missing: below the state folder, or a temporary one where that
    lies too deep.

    Raises:
        ConfigurationError: somebody else has a folder of that name.
    """
    folder = state.root / "control"
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        digest = sha256(os.fsencode(state.root)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"sigmasight-{os.geteuid()}-control-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise ConfigurationError(f"{folder} belongs to somebody else; remove it")
    folder.chmod(0o700)
    return folder


def supervisor_socket(state: StateFolder) -> Path:
    """Where the supervisor hears commands."""
    return control_folder(state) / "supervisor.sock"
