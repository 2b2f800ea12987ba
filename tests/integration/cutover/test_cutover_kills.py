"""Kills after each step of a swap and of a rollback, by a process that ends without any cleanup of
its own: one pair serves, no row is lost, and the next command finishes or undoes what was begun."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ops.books.active_pair import Pair
from ops.cutover.plan import ROLLBACK_STEPS, SWAP_STEPS
from ops.errors import RefusedError
from tests.groups import soaked_unless
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.small_system import Rows, SmallSystem

# Every step of a swap, each with one of a rollback in turn.
KILLS = [
    (step, ROLLBACK_STEPS[number % len(ROLLBACK_STEPS)]) for number, step in enumerate(SWAP_STEPS)
]
# Before the pair changes and after; with these a rollback is killed so too. All others
# by `make soak`; the state machine beside this file kills wherever it comes to.
EACH_RUN = {"commit the lock", "flip"}


@pytest.fixture(scope="module")
def system(make_system: MakeSystem) -> SmallSystem:
    return make_system()


@pytest.mark.parametrize(
    ("swap_step", "rollback_step"),
    [pytest.param(*kill, marks=soaked_unless(kill[0] in EACH_RUN)) for kill in KILLS],
)
def test_a_command_that_is_killed_after_a_step_is_ended_by_the_next(
    system: SmallSystem, swap_step: str, rollback_step: str
) -> None:
    rows = _rows(system)
    assert system.killed_after(swap_step, system.swap)
    assert system.serving() == system.active() == _after(swap_step, SWAP_STEPS, "old", "new")
    _assert_refused_on_another(system, system.legacy_is())
    assert system.swap().active == "new"
    _assert_settled(system, "new", rows)
    assert system.killed_after(rollback_step, system.rollback)
    assert (
        system.serving() == system.active() == _after(rollback_step, ROLLBACK_STEPS, "new", "old")
    )
    assert not (system.active() == "new" and system.new_is_fenced())
    _assert_refused_on_another(system, system.legacy_is())
    assert system.rollback().active == "old"
    _assert_settled(system, "old", rows)


def _after(step: str, steps: Sequence[str], before: Pair, then: Pair) -> Pair:
    """The pair that serves once a step was done."""
    return then if steps.index(step) >= steps.index("flip") else before


def _assert_refused_on_another(system: SmallSystem, legacy_is: str) -> None:
    """What was begun on one old database is ended there, whatever the address says now."""
    another = replace(system, legacy=system.old.set(database="postgres"))
    for command in (another.swap, another.rollback):
        with pytest.raises(RefusedError, match=r"correct LEGACY_DATABASE_URL$"):
            command()
    assert system.legacy_is() == legacy_is
    assert "running" in {state for _, state in system.cutovers()}


def _assert_settled(system: SmallSystem, pair: Pair, rows: dict[str, Rows]) -> None:
    assert system.serving() == system.active() == pair
    assert system.legacy_is() == {"old": "open", "new": "locked"}[pair]
    assert system.new_is_fenced() == (pair == "old")
    assert "running" not in {state for _, state in system.cutovers()}
    assert _rows(system) == rows
    assert system.switch.backends() == {pair}


def _rows(system: SmallSystem) -> dict[str, Rows]:
    return {"old": system.rows("old"), "new": system.rows("new")}
