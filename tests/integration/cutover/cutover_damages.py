"""What can be in the way of a swap or rollback, each made so and mended again.

A damage yields what is different about the command: its options, and `on`, the installation as the
operator sees it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ops.cutover.gate_switch import GateSwitch
from ops.errors import RefusedError
from tests.integration.copy.owned_world import A_PORTFOLIO, A_TAG, A_USER, ID
from tests.integration.cutover.small_backend import Fault
from tests.integration.cutover.small_system import SmallSystem
from tests.integration.cutover.stand_in_switch import PAIR, StandInSwitch

Damage = Callable[[SmallSystem], AbstractContextManager[dict[str, Any]]]
STOPPED = "stopped by the test"
OTHER_USER = f"""
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
VALUES ('{ID}%s', 'taken@example.com', 'hash', 'N', true, now(), now());
"""
# Two rows of legacy that do not fit, because Core has the address under another id.
UNFIT = (
    OTHER_USER % "f0" + f"INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}f1', '{ID}f0', 'x')"
)
NO_UNFIT = f"DELETE FROM tags_v2 WHERE id = '{ID}f1'; DELETE FROM users WHERE id = '{ID}f0'"
TAKEN, NOT_TAKEN = OTHER_USER % "ff", f"DELETE FROM users WHERE id = '{ID}ff'"
WRITTEN = f"""
INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}e7', '{A_USER}', 'mine');
INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}e8', '{A_USER}', 'mine too');
"""
NOT_WRITTEN = f"DELETE FROM tags_v2 WHERE id IN ('{ID}e7', '{ID}e8')"


def given(**options: Any) -> Damage:
    """An option with which the command is refused."""

    @contextmanager
    def damage(_system: SmallSystem) -> Iterator[dict[str, Any]]:
        yield options

    return damage


def changed(database: str, change: str, back: str, **options: Any) -> Damage:
    """Other rows, or another shape, of `core`, `ai` or `old`."""

    @contextmanager
    def damage(system: SmallSystem) -> Iterator[dict[str, Any]]:
        url = getattr(system, database)
        system.ask(url, change)
        try:
            yield options
        finally:
            system.ask(url, back)

    return damage


@contextmanager
def never_verified(system: SmallSystem) -> Iterator[dict[str, Any]]:
    system.state.write("verification", {})
    yield {}
    system.verified()


def verified(*outcomes: str, **how: Any) -> Damage:
    """A verification that went otherwise, or was done earlier."""

    @contextmanager
    def damage(system: SmallSystem) -> Iterator[dict[str, Any]]:
        system.verified(*outcomes, **how)
        yield {}
        system.verified()

    return damage


@contextmanager
def verified_a_day_ago(system: SmallSystem) -> Iterator[dict[str, Any]]:
    """And nothing has changed since."""
    aged = changed("core", AGED.format("-"), AGED.format("+"))
    with aged(system), verified(ago=timedelta(hours=24, seconds=1))(system):
        yield {}


@contextmanager
def never_backfilled(system: SmallSystem) -> Iterator[dict[str, Any]]:
    columns = "portfolio_id, calculation_date, status, recorded_at"
    kept = system.ask(system.core, f"DELETE FROM ops.backfill_ledger RETURNING {columns}")
    yield {}
    for row in kept:
        values = ", ".join(f"'{value}'" for value in row)
        system.ask(system.core, f"INSERT INTO ops.backfill_ledger ({columns}) VALUES ({values})")


def unfit(**options: Any) -> Damage:
    """Rows of legacy that no copy brings; or, `meanwhile`, they come after the first look at them,
    before legacy is locked."""

    @contextmanager
    def damage(system: SmallSystem) -> Iterator[dict[str, Any]]:
        system.ask(system.core, TAKEN)
        if options.get("meanwhile"):
            yield {"then": {"first baseline": lambda: system.ask(system.old, UNFIT)}}
        else:
            system.ask(system.old, UNFIT)
            yield options
        system.ask(system.old, NO_UNFIT)
        system.ask(system.core, NOT_TAKEN)
        system.copy()

    return damage


def meanwhile(step: str, database: str, change: str, back: str, **options: Any) -> Damage:
    """Something that happens when a step has ended."""

    @contextmanager
    def damage(system: SmallSystem) -> Iterator[dict[str, Any]]:
        url = getattr(system, database)
        yield {"then": {step: lambda: system.ask(url, change)}, **options}
        system.ask(url, back)

    return damage


def answered(role: str, fault: Fault) -> Damage:
    """A wrong answer at one of the addresses."""

    @contextmanager
    def damage(system: SmallSystem) -> Iterator[dict[str, Any]]:
        system.backend.faults[role] = fault
        yield {}
        system.backend.faults.clear()

    return damage


def answered_later(role: str, fault: Fault) -> Damage:
    """A wrong answer from the moment on when requests are let in again."""

    @contextmanager
    def damage(system: SmallSystem) -> Iterator[dict[str, Any]]:
        faults = system.backend.faults
        yield {"then": {"release": lambda: faults.update({role: fault})}}
        faults.clear()

    return damage


@contextmanager
def nobody_to_log_in_as(system: SmallSystem) -> Iterator[dict[str, Any]]:
    yield {"on": replace(system, probes=())}


@contextmanager
def not_at_the_gate(system: SmallSystem) -> Iterator[dict[str, Any]]:
    """A backend that was deployed with one pair's addresses, where a gate is to change the pair."""
    gate = GateSwitch(system.core, system.old, system.switch.active(), system.switch.public_address)
    with pytest.MonkeyPatch.context() as patch:
        for question in ("refuse_strangers", "stage"):
            patch.setattr(StandInSwitch, question, getattr(gate, question))
        yield {}


@contextmanager
def too_few_connections(system: SmallSystem) -> Iterator[dict[str, Any]]:
    """A server that allows 20, with legacy and Core on it, and two backends at the gate."""
    serving = "(gen_random_uuid(), 0, 'open', now() + interval '1 hour')"
    system.ask(system.core, "INSERT INTO ops.gate (pair) VALUES ('old')")
    system.ask(system.core, f"INSERT INTO ops.gate_replicas VALUES {serving}, {serving}")
    system.ask(system.old, f"ALTER DATABASE {system.old.database} CONNECTION LIMIT 20")
    try:
        yield {}
    finally:
        system.ask(system.core, "TRUNCATE ops.gate, ops.gate_replicas")
        system.ask(system.old, f"ALTER DATABASE {system.old.database} CONNECTION LIMIT -1")


@contextmanager
def unknown_probe(system: SmallSystem) -> Iterator[dict[str, Any]]:
    yield {"on": replace(system, probes=(*system.probes, "d@example.com"))}


@contextmanager
def open_passwords(system: SmallSystem) -> Iterator[dict[str, Any]]:
    path = system.state.root / "passwords"
    path.chmod(0o640)
    yield {}
    path.chmod(0o600)


def fails(step: str, error: type[BaseException] = RefusedError) -> Damage:
    """A step that does its work and then fails, or is interrupted."""

    def stop() -> None:
        raise error(STOPPED)

    return given(then={step: stop})


@contextmanager
def no_legacy(system: SmallSystem) -> Iterator[dict[str, Any]]:
    yield {"on": replace(system, legacy=None)}


@contextmanager
def another_legacy(system: SmallSystem) -> Iterator[dict[str, Any]]:
    yield {"on": replace(system, legacy=system.old.set(database="postgres"))}


@contextmanager
def moved_since_the_dry_run(system: SmallSystem) -> Iterator[dict[str, Any]]:
    plan = system.plan_rollback().plan_id
    system.ask(system.core, WRITTEN)
    yield {"plan_id": plan, "accept_loss": 2}
    system.ask(system.core, NOT_WRITTEN)


@contextmanager
def copied_no_more(system: SmallSystem) -> Iterator[dict[str, Any]]:
    """A group that was never copied is not copied by a swap either, so what it lacks is lasting."""
    plan = system.plan_swap().plan_id
    system.ask(system.core, "DELETE FROM ops.copy_fingerprints WHERE table_name LIKE 'ai_%'")
    system.ask(system.old, "UPDATE ai_memories SET content = 'other'")
    yield {"plan_id": plan, "accept_loss": 1}
    system.ask(system.old, "UPDATE ai_memories SET content = 'likes brevity'")
    system.copy()


@contextmanager
def file_taken(system: SmallSystem) -> Iterator[dict[str, Any]]:
    path = system.state.root / "taken.zip"
    path.touch()
    yield {"export": path}
    path.unlink()


@contextmanager
def no_folder(system: SmallSystem) -> Iterator[dict[str, Any]]:
    yield {"export": system.state.root / "nowhere" / "losses.zip"}


@contextmanager
def value_lost(system: SmallSystem) -> Iterator[dict[str, Any]]:
    system.state.write(PAIR, {"pair": "old"})
    yield {}
    system.state.write(PAIR, {"pair": "new"})


BACKFILLED_LATER = "UPDATE ops.backfill_ledger SET recorded_at = recorded_at {} interval '2 hours'"
COPIED_LATER = "UPDATE ops.copy_fingerprints SET copied_at = copied_at {} interval '2 hours'"
SEEDED_LATER = "UPDATE ops.starting_capital SET recorded_at = recorded_at {} interval '2 hours'"
AGED = "; ".join((BACKFILLED_LATER, COPIED_LATER, SEEDED_LATER))
AGED = AGED.replace("{}", "{0}").replace("2 hours", "2 days")
FAILED_DAY = f"""
INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status, reason, recorded_at)
VALUES ('{A_PORTFOLIO}', '2025-07-02', 'failed', 'no price', now() - interval '1 hour')
"""
NO_FAILED_DAY = "DELETE FROM ops.backfill_ledger WHERE status = 'failed'"
AHEAD = f"""
INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status, recorded_at)
VALUES ('{A_PORTFOLIO}', '2025-07-02', 'done', now() - interval '1 hour')
"""
NOT_AHEAD = "DELETE FROM ops.backfill_ledger WHERE calculation_date = '2025-07-02'"
REMOVED = """
INSERT INTO ops.tombstones (cutover, plan_id, state, removed, evidence, begun_at)
SELECT id, 'x', 'done', '{}', '{}', '2026-01-05' FROM ops.cutovers WHERE state = 'done'
ORDER BY id DESC LIMIT 1
"""
OTHER_COLOR = f"UPDATE tags_v2 SET color = '#000000' WHERE id = '{A_TAG}'"
UNLOCKED = 'ALTER TABLE users DISABLE TRIGGER "00_sigmasight_write_lock"'
# It comes before ours.
UNPROVABLE = """
CREATE TABLE beside (x int);
CREATE FUNCTION says_no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
CREATE TRIGGER "! first" BEFORE INSERT ON beside FOR EACH STATEMENT EXECUTE FUNCTION says_no();
"""
FORGOTTEN = "UPDATE ops.cutovers SET state = 'undone' WHERE state = 'done'"
REMEMBERED = "UPDATE ops.cutovers SET state = 'done' WHERE id = 1"
IDLE = "UPDATE users SET is_active = false WHERE email = 'b@example.com'"
NOT_IDLE = IDLE.replace("false", "true")
