"""Which databases the backend serves from: one value, the row of the gate in Core."""

from typing import cast, get_args

from sqlalchemy.engine import URL

from app.gate.serving_pair import Pair as Pair
from ops.books.declared_stack import declared, declared_target
from ops.books.gate import served_pair
from ops.books.session import open_books
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

# Of an installation of an earlier version, whose embedded servers had the value here.
_DOCUMENT = "active_pair"


def active_pair(core: URL, before: Pair) -> Pair:
    """The pair that serves.

    Args:
        before: what serves where there is no row yet; see `pair_before`.

    Raises:
        DatabaseUnavailableError: Core does not answer.
    """
    with open_books(core) as session:
        return served_pair(session) or before


def pair_before(state: StateFolder, *, has_legacy: bool) -> Pair:
    """What serves where Core says nothing yet: what an earlier version has recorded, else the old
    pair where there is one.

    Raises:
        ConfigurationError: a stack was brought up by an earlier version, which recorded nothing, or
            the file of one holds something else.
    """
    if declared_target(state) not in (None, "embedded"):
        return _declared(state)
    found = state.read(_DOCUMENT).get("pair") or ("old" if has_legacy else "new")
    if found not in get_args(Pair):
        raise ConfigurationError(
            f"{state.root / _DOCUMENT}.json names no pair; write old or new into it"
        )
    return cast(Pair, found)


def forget_pair_before(state: StateFolder) -> None:
    """Core says it from now on."""
    state.remove(_DOCUMENT)


def _declared(state: StateFolder) -> Pair:
    stack = declared(state)
    if stack.active is None:
        raise ConfigurationError(
            "an earlier version brought the stack up, so nothing here says which pair serves; run "
            f"`sigmasight up --target {stack.target}`"
        )
    return stack.active
