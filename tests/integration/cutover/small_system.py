"""A whole installation in small, and the commands of its cutover: real databases, a stand-in for
the switch, a small backend. Only this file knows how the product carries the commands out."""

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine import URL

from ops.books.active_pair import Pair
from ops.books.run_lock import Fence, exclusive_run
from ops.books.verifications import record_verification
from ops.connection import connect
from ops.copy import copy_delta
from ops.copy.source import accept_source
from ops.cutover.blind import roll_back_blindly
from ops.cutover.follow import FollowReport, follow, swap_to_follow
from ops.cutover.installation import Installation
from ops.cutover.preflight import SwapAcceptance
from ops.cutover.rollback import Acceptance, RollbackPlan, plan_rollback, rollback
from ops.cutover.steps import CutoverReport
from ops.cutover.swap import SwapPlan, plan_swap, swap
from ops.endpoints import Endpoints
from ops.evidence.cutovers import refuse_after_swap
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from ops.write_lock.fence import is_fenced
from ops.write_lock.lock import lock_state
from tests.integration.copy.owned_world import ID, OWNED, WORLD
from tests.integration.cutover.losses.users_rows import contents
from tests.integration.cutover.small_backend import PASSWORD, SmallBackend, serving
from tests.integration.cutover.stand_in_switch import StandInSwitch
from tests.integration.legacy_shape import make_legacy

Rows = dict[str, set[tuple[object, ...]]]
Then = Mapping[str, Callable[[], object]]  # step → what happens when it has ended
PROBES = ("a@example.com", "b@example.com", "c@example.com")
_KILLED = 9
_BOOK = f"""
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
VALUES ('{ID}c9', '{PROBES[2]}', 'hash of c', 'C', true, '2025-01-01', '2025-01-01');
UPDATE positions SET investment_class = 'PRIVATE';
ALTER TABLE tags_v2 ADD CONSTRAINT not_mine CHECK (name NOT LIKE 'mine%');
"""
_COMPUTED = """
INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status, recorded_at)
SELECT id, '2025-07-01', 'done', now() - interval '1 hour' FROM portfolios
ON CONFLICT DO NOTHING
"""
_BACKFILLED = f"""
{_COMPUTED};
INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value, cash_value,
    long_value, short_value, gross_exposure, net_exposure, num_positions, num_long_positions,
    num_short_positions, created_at)
SELECT gen_random_uuid(), portfolio_id, '2025-07-01', 0, 0, greatest(value, 0), least(value, 0),
    0, 0, 1, 0, 0, now()
FROM (SELECT portfolio_id, coalesce(market_value, quantity * entry_price) AS value
    FROM positions) AS held
"""


@dataclass(frozen=True)
class SmallSystem:
    """Attributes:
    legacy: None where the operator has not said which it is.
    probes: whom the operator lets a cutover log in as.
    max_hold: for how many seconds users may wait.
    """

    core: URL
    ai: URL
    legacy: URL | None
    switch: StandInSwitch
    backend: SmallBackend
    probes: tuple[str, ...] = PROBES
    max_hold: float = 30.0

    @property
    def state(self) -> StateFolder:
        return self.switch.state

    @property
    def old(self) -> URL:
        """The old database, which the operator may have lost sight of."""
        return self.backend.databases["old"]

    # Commands

    def swap(
        self,
        *,
        accept_loss: int = 0,
        plan_id: str | None = None,
        then: Then | None = None,
        **accepted: Any,
    ) -> CutoverReport:
        with self._move(then) as installation:
            return swap(installation, SwapAcceptance(accept_loss, **accepted), plan=plan_id)

    def rollback(
        self,
        *,
        accept_loss: int = 0,
        export: Path | None = None,
        plan_id: str | None = None,
        then: Then | None = None,
    ) -> CutoverReport:
        with self._move(then) as installation:
            return rollback(installation, Acceptance(accept_loss, export), plan=plan_id)

    def rollback_blindly(self) -> CutoverReport:
        with self._installation(Fence(0)) as installation:
            return roll_back_blindly(installation)

    def follow(self, *, end: bool = False, days_to_cleanup: float = 30.0) -> FollowReport:
        with self._move() as installation:
            swap = swap_to_follow(self.core)
            assert swap is not None, "no swap is in force"
            cleanup_at = datetime.now(UTC) + timedelta(days=days_to_cleanup)
            return follow(installation, swap, cleanup_at, end=end)

    def plan_swap(self, unknown: Collection[str] = ()) -> SwapPlan:
        with self._move() as installation:
            return plan_swap(installation, unknown)

    def plan_rollback(self) -> RollbackPlan:
        with self._move() as installation:
            return plan_rollback(installation)

    def copy(self) -> None:
        """Copy users' rows, and verify what came."""
        with self._move() as installation:
            refuse_after_swap(self.core)
            copy_delta(self.old, self.core, self.ai, OWNED, guard=installation.guard)
        self.verified()

    def copied_before(self) -> None:
        """What was copied before all three databases were cloned is taken over, and verified."""
        accept_source(self.old, self.core, self.ai)
        self.copy()  # what is found unwritten now need not be compared again

    def verified(
        self,
        *outcomes: str,
        ago: timedelta = timedelta(0),
        core: URL | None = None,
        asked_backend: bool = True,
    ) -> None:
        """Record a verification; by default one check that passed."""
        outcomes = outcomes or ("pass",)
        record_verification(self.state, core or self.core, outcomes, asked_backend=asked_backend)
        self.state.update("verification", at=(datetime.now(UTC) - ago).isoformat())

    def backfilled(self) -> None:
        """Every portfolio is, those that came since included."""
        self.ask(self.core, _COMPUTED)

    def killed_after(self, step: str, command: Callable[..., object], **options: Any) -> bool:
        """Give a command to a process that dies after a step: no cleanup of its own runs. Whether
        it came so far."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the backend is a thread
            child = os.fork()
        if child == 0:
            ended = 1
            try:
                command(**options, then={step: lambda: os._exit(_KILLED)})
                ended = 0
            finally:
                os._exit(ended)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended in (0, _KILLED), "the command failed by itself"
        return ended == _KILLED

    # What there is

    def active(self) -> Pair:
        return self.switch.active()

    def serving(self) -> str | None:
        """The pair that answers users."""
        url = f"{self.switch.public_address()}/ready"
        found = httpx.get(url, timeout=20, trust_env=False, verify=False)
        return found.headers.get("X-SigmaSight-Pair") if found.is_success else None

    def legacy_is(self) -> str:
        """`open` or `locked`, wholly."""
        return lock_state(self.old).state

    def new_is_fenced(self) -> bool:
        """Whether a late process of the backend could write neither to Core nor to AI."""
        return is_fenced(self.core, self.ai)

    def rows(self, pair: Pair) -> Rows:
        """Users' rows: table → key and digest of each."""
        return contents(self.core, self.ai) if pair == "new" else contents(self.old, self.old)

    def cutovers(self) -> list[tuple[str, str]]:
        """Kind and state of each swap and rollback, in their order."""
        return self.ask(self.core, "SELECT kind, state FROM ops.cutovers ORDER BY id")

    def everything(self) -> dict[str, object]:
        """What a refused command leaves as it was."""
        return {
            "active": self.active(),
            "serving": self.serving(),
            "backends": self.switch.backends(),
            "legacy": self.legacy_is(),
            "fenced while it serves": self.active() == "new" and self.new_is_fenced(),
            "old": self.rows("old"),
            "new": self.rows("new"),
            "swapped": [kind for kind, state in self.cutovers() if state == "done"][-1:]
            == ["swap"],
            "running": [kind for kind, state in self.cutovers() if state == "running"],
        }

    def ask(self, url: URL, statements: str) -> list[Any]:
        with connect(url, application_name="tests", autocommit=True) as session:
            cursor = session.execute(statements.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _move(self, then: Then | None = None) -> Iterator[Installation]:
        with exclusive_run(self.core) as fence, self._installation(fence, then) as installation:
            yield installation

    @contextmanager
    def _installation(self, fence: Fence, then: Then | None = None) -> Iterator[Installation]:
        def announce(step: str, _seconds: float) -> None:
            (then or {}).get(step, lambda: None)()

        told = {
            "SIGMASIGHT_HOME": self.state.root,
            "PROBE_ACCOUNTS": ",".join(self.probes),
            "PROBE_PASSWORDS_FILE": self.state.root / "passwords",
        }
        settings = OperatorSettings.model_validate(told)
        endpoints = Endpoints(self.core, self.ai, self.legacy, "embedded")
        yield Installation(
            settings, endpoints, self.switch, fence, announce, max_hold_seconds=self.max_hold
        )


def fill_book(core: URL, ai: URL, legacy: URL) -> None:
    """A small book, copied and backfilled."""
    make_legacy(legacy)
    with connect(legacy, application_name="tests", autocommit=True) as session:
        session.execute((WORLD + _BOOK).encode())
    copy_delta(legacy, core, ai, OWNED)
    with connect(core, application_name="tests", autocommit=True) as session:
        session.execute(_BACKFILLED.encode())


@contextmanager
def small_system(
    core: URL,
    ai: URL,
    legacy: URL,
    folder: Path,
    probes: tuple[str, ...] = PROBES,
) -> Iterator[SmallSystem]:
    """Serve from the old database."""
    state = StateFolder(folder)
    state.create()
    passwords = state.root / "passwords"
    passwords.touch(0o600)
    passwords.write_text("".join(f"{email}:{PASSWORD}\n" for email in probes))
    backend = SmallBackend({"old": legacy, "new": core})
    with serving(backend) as url, StandInSwitch.of(core, state, url) as switch:
        backend.answering = switch.answering
        system = SmallSystem(core, ai, legacy, switch, backend, probes)
        switch.serve_active()
        yield system
