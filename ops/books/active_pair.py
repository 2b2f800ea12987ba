"""Which databases the embedded backend serves from: one value, in one file, replaced atomically."""

from typing import cast, get_args

from app.gate.serving_pair import Pair as Pair
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

_DOCUMENT = "active_pair"


def active_pair(state: StateFolder, *, has_legacy: bool) -> Pair:
    """The pair that the backend serves from: as it was set, else the old one where there is one.

    Raises:
        ConfigurationError: the file holds something else.
    """
    return recorded_pair(state) or ("old" if has_legacy else "new")


def recorded_pair(state: StateFolder) -> Pair | None:
    """The pair that was set; None where none was yet.

    Raises:
        ConfigurationError: the file holds something else.
    """
    found = state.read(_DOCUMENT).get("pair")
    if found is not None and found not in get_args(Pair):
        raise ConfigurationError(
            f"{state.root / _DOCUMENT}.json names no pair; write old or new into it"
        )
    return cast(Pair | None, found)


def set_active_pair(state: StateFolder, pair: Pair) -> None:
    """Change the value; a kill leaves it as it was or changed."""
    state.write(_DOCUMENT, {"pair": pair})
