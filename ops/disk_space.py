"""Whether a file system has room for what is about to be written to it."""

import shutil
from os.path import ismount
from pathlib import Path

from ops.errors import RefusedError


def require_free(folder: Path, wanted: int, purpose: str, otherwise: str) -> None:
    """See that so many bytes are free where a folder lies.

    Args:
        purpose: what takes them.
        otherwise: what to do instead of freeing some.

    Raises:
        RefusedError: fewer are.
    """
    free = shutil.disk_usage(folder).free
    if free < wanted:
        place = next(part for part in (folder, *folder.parents) if ismount(part))
        raise RefusedError(
            f"{free / 2**20:,.0f} MiB are free at {folder} (file system {place}) and {purpose} may "
            f"take {wanted / 2**20:,.0f}; free some, or {otherwise}"
        )
