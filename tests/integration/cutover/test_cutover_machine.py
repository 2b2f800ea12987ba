"""Whatever users do, and wherever swaps, rollbacks and copies are killed: one pair serves, and it
holds exactly the rows that a model of it holds."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ops.books.active_pair import Pair
from ops.cutover.plan import ROLLBACK_STEPS, SWAP_STEPS
from ops.errors import RefusedError, SigmaSightError
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.machine_rows import (
    ROWS,
    Key,
    Told,
    delete,
    going_with,
    needed_by,
    number_of,
    read,
    write,
)
from tests.integration.cutover.small_system import SmallSystem
from tests.stalling import stalling_proxy

KEYS = st.tuples(st.sampled_from(sorted(ROWS)), st.integers(0, 2))
_MOST_SECONDS = 2.0  # users wait where legacy stalls
WRITES = st.lists(
    st.tuples(KEYS, st.none() | st.sampled_from(["1", "2", "3"])), min_size=1, max_size=6
)
# What is recorded of cutovers that have ended.
_SET_CLOCK = """
UPDATE ops.copy_fingerprints SET copied_at = copied_at - {0} FROM ops.cutovers
WHERE copied_at BETWEEN begun_at AND ended_at;
UPDATE ops.cutovers SET begun_at = begun_at - {0}, ended_at = ended_at - {0}
WHERE ended_at IS NOT NULL;
UPDATE ops.cutover_baseline_moment SET recorded_at = recorded_at - {0};
UPDATE ops.legacy_access SET recorded_at = recorded_at - {0};
"""


class CutoverMachine(RuleBasedStateMachine):
    """Attributes:
    told: what the rows of each pair say.
    base: what those of the new pair said when it became active.
    copied: keys that came from the old pair; one that is deleted there is deleted by a copy.
    open_end: whether the last command was killed.
    """

    make: MakeSystem

    def __init__(self) -> None:
        super().__init__()
        self.system: SmallSystem = type(self).make()
        self.told: dict[Pair, Told] = {"old": {}, "new": {}}
        self.base: Told = {}
        self.copied: set[Key] = set()
        self.active: Pair = "old"
        self.open_end = False

    @rule(writes=WRITES)
    def users_write(self, writes: list[tuple[Key, str | None]]) -> None:
        if self.active == "old" and self.system.legacy_is() != "open":
            return  # killed between lock and pair: nobody writes until the next command
        for key, text in writes:
            if text is None:
                for gone in (*going_with(key), key):
                    self._change(gone, None)
            else:
                for parent in needed_by(key):
                    if parent not in self.told[self.active]:
                        self._change(parent, self._free(parent))
                self._change(key, text)

    @rule(table=st.sampled_from([name for name, one in ROWS.items() if one.unique]))
    def users_exchange(self, table: str) -> None:
        """What only one row may say passes from each to the next."""
        if self.active == "old" and self.system.legacy_is() != "open":
            return
        rows = {key: text for key, text in self.told[self.active].items() if key[0] == table}
        texts = list(rows.values())
        for number, key in enumerate(rows):
            self._change(key, f"lent {number}")
        for key, text in zip(rows, [*texts[1:], *texts[:1]], strict=True):
            self._change(key, text)

    def _change(self, key: Key, text: str | None) -> None:
        told, (table, _) = self.told[self.active], key
        url = self._database(self.active, table)
        if text is None:
            self.system.ask(url, delete(key))
            told.pop(key, None)
        elif self._may_say(key, text):
            self.system.ask(url, write(key, text))
            told[key] = text

    def _may_say(self, key: Key, text: str) -> bool:
        others = {k: said for k, said in self.told[self.active].items() if k != key}
        return not ROWS[key[0]].unique or text not in {
            said for (table, _), said in others.items() if table == key[0]
        }

    def _free(self, key: Key) -> str:
        return next(text for text in ("1", "2", "3") if self._may_say(key, text))

    @rule()
    def copy(self) -> None:
        if self.active == "new" or self.open_end:
            with pytest.raises(RefusedError, match="a copy would set their rows back"):
                self.system.copy()
        else:
            self.system.copy()
            self._carry_over()

    @rule()
    def swap(self) -> None:
        self.system.backfilled()
        assert self.system.swap().changed or self.active == "new"
        self._swapped()
        self.open_end = False

    @rule(step=st.sampled_from(SWAP_STEPS))
    def swap_is_killed(self, step: str) -> None:
        self.system.backfilled()
        if not self.system.killed_after(step, self.system.swap):
            assert self.active == "new"
            self.open_end = False
            return
        if SWAP_STEPS.index(step) >= SWAP_STEPS.index("flip"):
            self._swapped()
        else:
            self._carry_over()
        self.open_end = True

    @rule()
    def rollback(self) -> None:
        report = self.system.rollback()
        assert report.lost == 0
        self._carry_back()
        self.active, self.open_end = "old", False

    @rule()
    def follow(self) -> None:
        if self.active == "new" and not self.open_end:
            assert self.system.follow().warning is None
            self._carry_back()

    @rule(step=st.sampled_from(ROLLBACK_STEPS))
    def rollback_is_killed(self, step: str) -> None:
        if not self.system.killed_after(step, self.system.rollback):
            assert self.active == "old"
            self.open_end = False
            return
        self._carry_back()
        if ROLLBACK_STEPS.index(step) >= ROLLBACK_STEPS.index("flip"):
            self.active = "old"
        self.open_end = True

    @invariant()
    def one_pair_serves_what_its_users_wrote(self) -> None:
        system = self.system
        assert (system.active(), system.serving()) == (self.active, self.active)
        assert not (self.active == "new" and system.new_is_fenced())
        pairs: tuple[Pair, ...] = ("old", self.active)
        assert {pair: self._read(pair) for pair in pairs} == {p: self.told[p] for p in pairs}
        if not self.open_end:
            assert system.legacy_is() == {"old": "open", "new": "locked"}[self.active]
            assert "running" not in dict(map(reversed, system.cutovers()))

    def _swapped(self) -> None:
        if self.active == "old":
            self._carry_over()
            self.active, self.base = "new", dict(self.told["new"])

    def _carry_over(self) -> None:
        """The old pair's rows win; one that only the new pair has stays, unless it was copied."""
        old, new = self.told["old"], self.told["new"]
        kept = {key: text for key, text in new.items() if key not in self.copied}
        self.told["new"] = {**kept, **old}
        self.copied = set(old)

    def _carry_back(self) -> None:
        """The old pair gets what changed on the new one, and no more; that is then a copied row."""
        if self.active == "old":
            return
        old, new = self.told["old"], self.told["new"]
        for key in new.keys() | self.base.keys():
            if new.get(key) == self.base.get(key):
                continue
            if key in new:
                old[key] = new[key]
                self.copied.add(key)
            else:
                old.pop(key, None)
                self.copied.discard(key)
        self.base = dict(new)

    def _read(self, pair: Pair) -> Told:
        return {
            (table, number_of(row)): text
            for table in ROWS
            for row, text in self.system.ask(self._database(pair, table), read(table))
        }

    def _database(self, pair: Pair, table: str) -> object:
        ai = pair == "new" and table.startswith("ai_")
        return self.system.ai if ai else self.system.backend.databases[pair]


class StallingMachine(CutoverMachine):
    """The same, where also legacy's network stalls, answers to a COMMIT are lost and the clock is
    set."""

    @rule(step=st.sampled_from(SWAP_STEPS), answers_only=st.booleans(), on=st.booleans())
    def a_swap_stalls(self, step: str, answers_only: bool, on: bool) -> None:
        self.system.backfilled()
        self._stalled("swap", step, answers_only, on)

    @rule(step=st.sampled_from(ROLLBACK_STEPS), answers_only=st.booleans(), on=st.booleans())
    def a_rollback_stalls(self, step: str, answers_only: bool, on: bool) -> None:
        self._stalled("rollback", step, answers_only, on)

    @rule(days=st.sampled_from([-400, -1, 1, 400]))
    def the_clock_is_set(self, days: int) -> None:
        """As if it had gone otherwise since whatever is recorded."""
        self.system.ask(self.system.core, _SET_CLOCK.format(f"interval '{days} days'"))

    def _stalled(self, command: str, step: str, answers_only: bool, on: bool) -> None:
        """What became of it the next command finds out: `on`, a swap. With `answers_only` what is
        sent arrives, a COMMIT too."""
        with stalling_proxy(self.system.old) as proxy:
            stall = partial(proxy.stall, answers_only=answers_only)
            behind = replace(self.system, legacy=proxy.url, max_hold=_MOST_SECONDS)
            with suppress(SigmaSightError):
                getattr(behind, command)(then={step: stall})
            self._found(command, self.system.active())
            self.swap() if on else self.rollback()

    def _found(self, command: str, active: Pair) -> None:
        """Take over which pair serves after a command that may have ended either way."""
        if (command, self.active, active) == ("swap", "old", "new"):
            self._swapped()
        elif (command, self.active) == ("swap", "old"):
            self._carry_over()
        elif command == "rollback":
            self._carry_back()
        assert active in (self.active, "new" if command == "swap" else "old")
        self.active = active


def _run(machine: type[CutoverMachine], make_system: MakeSystem, **more: Any) -> None:
    class Bound(machine):
        make = staticmethod(make_system)

    run_state_machine_as_test(
        Bound,
        settings=settings(
            deadline=None,
            phases=[Phase.generate],  # to make a failing run short takes longer than to read it
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def test_one_pair_serves_and_no_row_is_lost_unsaid(make_system: MakeSystem) -> None:
    _run(CutoverMachine, make_system, max_examples=1, stateful_step_count=10, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_the_same_holds_whatever_stalls(
    make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many examples as the profile says, of the seed that `make soak` prints."""
    monkeypatch.setattr("ops.open_connections.SILENT_SECONDS", 0.5)
    monkeypatch.setattr("ops.connection.CONNECT_TIMEOUT_SECONDS", 2)
    _run(StallingMachine, make_system, stateful_step_count=8)
