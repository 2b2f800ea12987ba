"""Each thing that stops a swap or a rollback, by itself: it is refused in these words, the pair of
before serves and nothing is changed. What is wrong is then mended, and the command succeeds."""

import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.books.active_pair import Pair
from ops.cutover.forecast import in_words
from ops.cutover.plan import ROLLBACK_STEPS, SWAP_STEPS
from ops.errors import BadInputError, FencedOutError, RefusedError, SigmaSightError
from tests.groups import soaked, soaked_unless
from tests.integration.cutover import cutover_damages as d
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.losses.users_rows import exported
from tests.integration.cutover.small_system import SmallSystem

Systems = dict[Pair, SmallSystem]


@dataclass(frozen=True)
class Case:
    """What is wrong, and what is said of it.

    Attributes:
        says: a pattern of the whole refusal; `…` stands for anything.
        command: by default the one that changes the pair of before.
    """

    name: str
    damage: d.Damage
    says: str
    error: type[Exception] = RefusedError
    before: Pair = "old"
    command: str = ""

    def __str__(self) -> str:
        return self.name


def verification(name: str, damage: d.Damage, says: str) -> Case:
    return Case(name, damage, f"not swapped: {says}")


rollback = partial(Case, before="new")


def wrong_answers(before: Pair, after: Pair, role: str, *faults: tuple[d.Fault, str]) -> list[Case]:
    # Of the public address, the pair of before is asked too.
    answered = d.answered if role == after else d.answered_later
    return [
        Case(
            f"{'staged' if role == after else 'public'} {after}: {fault}",
            answered(role, fault),
            says.replace("THE BACKEND", f"the backend of the {after} pair"),
            before=before,
        )
        for fault, says in faults
    ]


UNWELL = "THE BACKEND: backend alive: http://…: unhealthy; /ready: ready; …"
NO_LOGIN = (
    "THE BACKEND: probe logins: …b@example.com: the password is refused; "
    "set PROBE_PASSWORDS_FILE to theirs…"
)
NO_PORTFOLIO = "THE BACKEND: GET …/complete answers 500: broken"
NO_WAY_BACK = "not swapped: a rollback would be refused: "
_OLD = ("THE BACKEND", "the backend of the old pair")
NOT_AT_GATE = (
    "no backend is at the gate, where its pair could be changed; run `sigmasight up`, or redeploy "
    "yours with the variables of `sigmasight pulumi stack output backend_environment "
    "--show-secrets` (on docker by `sigmasight up --target docker`)"
)
MOVED = "the world has moved since plan …: it is … now; look at it by --dry-run"
PRICE = (
    "not swapped: the new pair lacks rows of legacy: 1 of users, 1 of tags_v2 (2 did not fit, see "
    "ops.copy_rejects); run `sigmasight copy --group users`, or swap with --accept-loss 2"
)
WROTE = (
    "not rolled back: of what users have written since the swap the old database cannot hold 2 "
    'rows (tags_v2 2; …: new row for relation "tags_v2" violates check constraint "not_mine"); '
    "keep them by --export FILE, or give them up by --accept-loss 2"
)
NO_LEGACY = (
    "there is no old database, so there is nothing to swap with; set LEGACY_DATABASE_URL if there "
    "is one"
)
ELSEWHERE = URL.create("postgresql", host="elsewhere.example", database="core")
NEVER = "this Core was never verified from here; run `sigmasight verify`"
INCOMPLETE = (
    "{} portfolios done, {} behind, {} days failed; run `sigmasight backfill --first {} --last {}`"
)
SWAP = (
    verification("never verified", d.never_verified, NEVER),
    verification("another Core was verified", d.verified(core=ELSEWHERE), NEVER),
    verification(
        "checks failed",
        d.verified("pass", "fail", "fail"),
        "2 checks failed, 1 passed; mend that and run `sigmasight verify`",
    ),
    verification(
        "no check passed",
        d.verified("skipped"),
        "0 checks failed, 0 passed; mend that and run `sigmasight verify`",
    ),
    verification(
        "verified a day ago",
        d.verified_a_day_ago,
        "the verification of … UTC is not of the last 24 hours; run `sigmasight verify`",
    ),
    verification(
        "no backend was asked",
        d.verified(asked_backend=False),
        "the verification asked no backend, though one is ours to ask; see that it runs; run "
        "`sigmasight verify`",
    ),
    *(
        verification(
            f"{act} since",
            d.changed("core", later.format("+"), later.format("-")),
            f"the verification is older than the last {act}; run `sigmasight verify`",
        )
        for act, later in (
            ("backfill", d.BACKFILLED_LATER),
            ("copy", d.COPIED_LATER),
            ("seeding", d.SEEDED_LATER),
        )
    ),
    verification(
        "never backfilled",
        d.never_backfilled,
        "nothing was computed yet; run `sigmasight backfill`",
    ),
    verification(
        "a portfolio is behind",
        d.changed("core", d.AHEAD, d.NOT_AHEAD),
        INCOMPLETE.format(2, 1, 0, "2025-07-01", "2025-07-02"),
    ),
    verification(
        "a day failed",
        d.changed("core", d.FAILED_DAY, d.NO_FAILED_DAY),
        INCOMPLETE.format(2, 2, 1, "2025-07-01", "2025-07-02"),
    ),
    verification(
        "Core has drifted",
        d.changed("core", "CREATE TABLE stray (x int)", "DROP TABLE stray"),
        "1 difference(s) from what the migration chains build, first: …stray…",
    ),
    verification(
        "AI has drifted",
        d.changed(
            "ai",
            "ALTER TABLE ai_memories ADD stray int",
            "ALTER TABLE ai_memories DROP stray",
        ),
        "…difference(s) from what the migration chains build, first: …stray…",
    ),
    Case(
        "too few connections",
        d.too_few_connections,
        "not swapped: 2 backend(s) and a move may need 40 connections to 127.0.0.1:…, which "
        "allows 20; have it allow 20 more",
    ),
    Case(
        "something is out of the lock's reach",
        d.changed("old", "SELECT lo_create(4711)", "SELECT lo_unlink(4711)"),
        "not swapped: after the swap the old database could still be written to beyond its lock: "
        "large objects (1); give the address of a role that owns them, or accept it by "
        "--accept-unlocked",
    ),
    Case(
        "a table beside those of the move cannot be proved",
        d.changed("old", d.UNPROVABLE, "DROP TABLE beside; DROP FUNCTION says_no"),
        "not swapped: whether 'beside' of … is locked cannot be told: INSERT says 'no'; mend that "
        "table, or remove it",
    ),
    Case(
        "the old database would take no user and no tag back",
        d.changed(
            "old",
            "ALTER TABLE users ADD shop text NOT NULL DEFAULT '';"
            " ALTER TABLE tags_v2 ADD aisle text NOT NULL DEFAULT '';"
            " ALTER TABLE users ALTER shop DROP DEFAULT;"
            " ALTER TABLE tags_v2 ALTER aisle DROP DEFAULT",
            "ALTER TABLE users DROP shop; ALTER TABLE tags_v2 DROP aisle",
        ),
        "not swapped: a rollback could not carry back rows of users: inserted: null value in "
        'column "shop"…; of tags_v2: inserted: null value in column "aisle"…; correct legacy, or '
        "give up what users will write there by --accept-one-way",
    ),
    Case("no old database", d.no_legacy, NO_LEGACY),
    *(
        Case(f"no way back: {name}", damage, NO_WAY_BACK + says.replace(*_OLD))
        for name, damage, says in (
            (
                "nobody to log in as",
                d.nobody_to_log_in_as,
                "no probe account is named; set PROBE_ACCOUNTS to e-mail addresses of this "
                "installation's users",
            ),
            ("not at the gate", d.not_at_the_gate, NOT_AT_GATE),
            (
                "others may read the passwords",
                d.open_passwords,
                "PROBE_PASSWORDS_FILE: others may read or write …/passwords; chmod 600 it first",
            ),
            (
                "a probe account without a password",
                d.unknown_probe,
                "there is no password of the probe account d@example.com; add a line "
                "`d@example.com:PASSWORD` to the file that PROBE_PASSWORDS_FILE names, or set "
                "PROBE_SIGNING=1",
            ),
            ("a user is not active", d.changed("old", d.IDLE, d.NOT_IDLE), NO_LOGIN),
            ("wrong pair", d.answered("public", "wrong pair"), "…serves from the new pair, not …"),
            ("unwell", d.answered("public", "unwell"), UNWELL),
            ("no logins", d.answered("public", "no logins"), NO_LOGIN),
            ("no portfolio", d.answered("public", "no portfolio"), NO_PORTFOLIO),
        )
    ),
    Case(
        "another plan",
        d.given(plan_id="0123456789ab"),
        "the world has moved since plan 0123456789ab: it is … now; look at it by --dry-run",
    ),
    Case("rows that no copy brings came after the dry run", d.copied_no_more, MOVED),
    Case("two rows do not fit", d.unfit(), PRICE),
    Case("two rows do not fit, one is given up", d.unfit(accept_loss=1), PRICE),
    Case("two rows that do not fit come meanwhile", d.unfit(meanwhile=True), PRICE),
    Case(
        "a row of the new pair is changed at the last moment",
        d.meanwhile(
            "final delta",
            "core",
            d.OTHER_COLOR,
            d.OTHER_COLOR.replace("#000000", "#4A90E2"),
        ),
        "not swapped: tags_v2 of the new pair lacks 0 rows of legacy and has 1 otherwise; run "
        "`sigmasight copy`",
    ),
    Case(
        "a write passes the lock",
        d.meanwhile("commit the lock", "old", d.UNLOCKED, ""),
        "…users…",
    ),
    Case(
        "a newer run has taken over",
        d.meanwhile("first parity", "core", "UPDATE ops.fencing SET number = number + 1", ""),
        "a newer run works on this database; this one stops here",
        FencedOutError,
    ),
    *wrong_answers(
        "old",
        "new",
        "new",
        ("silent", "no backend of the new pair answers at http://…/new (…)"),
        ("wrong pair", "http://…/new serves from the old pair, not the new"),
        ("unnamed", "http://…/new serves from the unnamed pair, not the new"),
        ("unwell", UNWELL),
        ("no logins", NO_LOGIN),
        ("wrong portfolio", "THE BACKEND: portfolios complete: …"),
        ("no chat", "THE BACKEND: chat: …does not name the largest holding, AAPL"),
    ),
    *wrong_answers(
        "old",
        "new",
        "public",
        ("wrong pair", "http://…/public serves from the old pair, not the new"),
        ("no logins", NO_LOGIN),
        ("wrong portfolio", "THE BACKEND: portfolios complete: …"),
    ),
    *(
        Case(f"swap: {step} fails", d.fails(step), d.STOPPED)
        for step in SWAP_STEPS
        if step not in ("release", "watch legacy")
    ),
)
# The steps at whose failure `make test` looks: legacy is locked or open, and the pair has changed.
SWAP_ENDS = {"commit the lock"}
ROLLBACK_ENDS = {"open legacy"}
WRITTEN = partial(d.changed, "core", d.WRITTEN, d.NOT_WRITTEN)
ROLLBACK = (
    rollback("no old database", d.no_legacy, NO_LEGACY),
    rollback("not at the gate", d.not_at_the_gate, NOT_AT_GATE),
    rollback(
        "another old database",
        d.another_legacy,
        "the old database is not the one that the swap left; correct LEGACY_DATABASE_URL",
    ),
    rollback(
        "the old database was removed",
        d.changed("core", d.REMOVED, "DELETE FROM ops.tombstones"),
        "the old database was removed by a cleanup on 05 January 2026; there is nothing to roll "
        "back to, restore a backup instead",
    ),
    rollback(
        "no swap is known",
        d.changed("core", d.FORGOTTEN, d.REMEMBERED),
        "no swap is in force, so there is nothing to roll back",
    ),
    rollback("two rows were written", WRITTEN(), WROTE),
    rollback("two rows were written, one is given up", WRITTEN(accept_loss=1), WROTE),
    rollback(
        "two rows are written meanwhile",
        d.meanwhile("unlock what no move reads", "core", d.WRITTEN, d.NOT_WRITTEN, accept_loss=1),
        WROTE,
    ),
    rollback(
        "a newer run has taken over from the rollback",
        d.meanwhile("ask it", "core", "UPDATE ops.fencing SET number = number + 1", ""),
        "a newer run works on this database; this one stops here",
        error=FencedOutError,
    ),
    rollback("rows were written after the dry run", d.moved_since_the_dry_run, MOVED),
    rollback(
        "the file exists",
        d.file_taken,
        "…/taken.zip exists already and is not overwritten; name another file",
    ),
    rollback(
        "its folder does not exist",
        d.no_folder,
        "there is no folder …/nowhere; make it or name another file",
        error=BadInputError,
    ),
    rollback(
        "the value of the active pair was lost",
        d.value_lost,
        "Core records a swap in force, but the active pair is the old one, …",
        command="swap",
    ),
    *(
        case
        for role in ("old", "public")
        for case in wrong_answers(
            "new",
            "old",
            role,
            ("wrong pair", f"http://…/{role} serves from the new pair, not the old"),
            ("unwell", UNWELL),
            ("no logins", NO_LOGIN),
            ("no portfolio", NO_PORTFOLIO),
        )
    ),
    *(
        rollback(f"rollback: {step} fails", d.fails(step), d.STOPPED)
        for step in ROLLBACK_STEPS
        if step != "release"
    ),
)


# Conditions that can all be broken at once, which one swap tells of.
TOGETHER = (
    "never verified",
    "Core has drifted",
    "never backfilled",
    "too few connections",
    "no way back: nobody to log in as",
    "the old database would take no user and no tag back",
    "a table beside those of the move cannot be proved",
    "something is out of the lock's reach",
)
# What another case shows as well: the same answer at another address, the same end at another step;
# or the unit tests of the evidence.
AT_LENGTH = {
    *TOGETHER[1:],
    *(case.name for case in SWAP if case.says.startswith("not swapped: the verification")),
    "another Core was verified",
    "checks failed",
    "no check passed",
    "a portfolio is behind",
    "a day failed",
    "no way back: not at the gate",
    "no way back: others may read the passwords",
    "no way back: a user is not active",
    "staged new: unnamed",
    "staged new: wrong portfolio",
    "public old: no logins",
    "AI has drifted",
    *(f"no way back: {fault}" for fault in ("wrong pair", "unwell", "no logins", "no portfolio")),
    "two rows do not fit",
    "rows that no copy brings came after the dry run",
    "a newer run has taken over from the rollback",
    "staged new: wrong pair",
    "staged new: unwell",
    "staged new: no logins",
    "staged new: no chat",
    "public new: wrong pair",
    "public new: wrong portfolio",
    *(f"staged old: {fault}" for fault in ("unwell", "no logins", "no portfolio")),
    *(f"public old: {fault}" for fault in ("wrong pair", "unwell", "no portfolio")),
    "two rows were written, one is given up",
    *(f"swap: {step} fails" for step in SWAP_STEPS if step not in SWAP_ENDS),
    *(f"rollback: {step} fails" for step in ROLLBACK_STEPS if step not in ROLLBACK_ENDS),
}


@pytest.fixture(scope="module")
def systems(make_system: MakeSystem) -> Systems:
    """An installation before its swap, and one after."""
    made: Systems = {"old": make_system(), "new": make_system()}
    assert made["new"].swap().changed
    return made


@pytest.fixture(scope="module")
def pristine(systems: Systems) -> dict[Pair, dict[str, object]]:
    return {pair: system.everything() for pair, system in systems.items()}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=soaked_unless(case.name not in AT_LENGTH))
        for case in (*SWAP, *ROLLBACK)
    ],
    ids=str,
)
def test_it_is_refused_in_these_words_and_nothing_is_changed(
    systems: Systems, pristine: dict[Pair, dict[str, object]], case: Case
) -> None:
    system = systems[case.before]
    with case.damage(system) as options:
        on = options.pop("on", system)
        command = case.command or {"old": "swap", "new": "rollback"}[case.before]
        with pytest.raises(SigmaSightError) as refusal:
            getattr(on, command)(**options)
    pattern = re.escape(case.says).replace("…", ".*")
    assert re.fullmatch(pattern, str(refusal.value)), refusal.value
    assert type(refusal.value) is case.error
    assert system.everything() == pristine[case.before]


def test_one_refusal_tells_of_everything_that_is_wrong(
    systems: Systems, pristine: dict[Pair, dict[str, object]]
) -> None:
    system, cases = systems["old"], {case.name: case for case in SWAP}
    with ExitStack() as damages:
        for name in TOGETHER:
            damages.enter_context(cases[name].damage(system))
        with pytest.raises(RefusedError) as refusal:
            replace(system, probes=()).swap()
    told = str(refusal.value).removeprefix("not swapped: ").split(". And: ")
    for one, name in zip(told, TOGETHER, strict=True):
        says = re.escape(cases[name].says.removeprefix("not swapped: ")).replace("…", ".*")
        assert re.fullmatch(says, one), one
    assert system.everything() == pristine["old"]


def test_a_dry_run_shows_everything_that_is_wrong_and_changes_nothing(
    systems: Systems, pristine: dict[Pair, dict[str, object]]
) -> None:
    system = systems["old"]
    with d.never_verified(system), d.never_backfilled(system), d.unfit()(system):
        before = system.everything()
        plan = system.plan_swap()
        assert [one.condition for one in plan.conditions if not one.met] == [
            "verified",
            "backfill complete",
        ]
        assert plan.price.by_table["tags_v2"] == plan.price.by_table["users"] == 1
        assert system.plan_swap().plan_id == plan.plan_id
        assert system.everything() == before
        assert re.fullmatch(
            r"users would wait \d\.\d\d s or longer \(lock legacy \d\.\d\d s, parity and price "
            r"\d\.\d\d s\)",
            in_words(plan.forecast),
        )
        both = r"never verified .*\. And: nothing was computed yet; run `sigmasight backfill`"
        with pytest.raises(RefusedError, match=rf"{both}$"):
            system.swap(accept_loss=2)
        with pytest.raises(RefusedError, match=rf"{both}\. And: the new pair lacks .* 1 of users"):
            system.swap()
    assert system.everything() == pristine["old"]


@pytest.mark.parametrize(
    ("step", "error", "says"),
    [
        (
            "release",
            KeyboardInterrupt,
            "interrupted when the pair had changed: the new pair serves, and stays; run "
            "`sigmasight swap` again, which finishes what is left",
        ),
        *soaked(
            ("release", RefusedError, "nothing is held any more"),
            ("watch legacy", RefusedError, d.STOPPED),
        ),
    ],
)
def test_a_swap_that_fails_once_the_pair_has_changed_is_finished_by_the_next(
    systems: Systems,
    pristine: dict[Pair, dict[str, object]],
    step: str,
    error: type[BaseException],
    says: str,
) -> None:
    system = systems["old"]
    with d.fails(step, error)(system) as options, pytest.raises(SigmaSightError, match=says):
        system.swap(**options)
    assert (system.active(), system.serving()) == ("new", "new")
    assert system.legacy_is() != "open"
    assert system.swap().recovered == f"a swap that was killed at '{step}' was finished"
    system.rollback()
    assert system.everything() == pristine["old"]


@pytest.mark.soak
def test_a_rollback_that_fails_once_the_pair_has_changed_is_finished_by_the_next(
    systems: Systems, pristine: dict[Pair, dict[str, object]]
) -> None:
    system = systems["new"]
    with d.fails("release")(system) as options, pytest.raises(SigmaSightError):
        system.rollback(**options)
    assert (system.active(), system.serving(), system.legacy_is()) == ("old", "old", "open")
    assert system.rollback().recovered == "a rollback that was killed at 'release' was finished"
    system.swap()
    assert system.everything() == pristine["new"]


def test_what_users_wrote_before_a_wrong_public_answer_is_kept_in_a_file(
    systems: Systems, pristine: dict[Pair, dict[str, object]]
) -> None:
    system = systems["old"]

    def write_and_fail() -> None:
        system.ask(system.core, d.WRITTEN)
        system.backend.faults["public"] = "no logins"

    with d.given(then={"release": write_and_fail})(system) as options:
        with pytest.raises(RefusedError, match="probe logins"):
            system.swap(**options)
        (kept,) = system.state.root.glob("undone-swap-*.zip")
        assert str(exported(kept)).count("'mine") == 2
    system.backend.faults.clear()
    system.ask(system.core, d.NOT_WRITTEN)
    assert system.everything() == pristine["old"]


def test_exactly_as_many_rows_as_would_be_lost_may_be_given_up(
    systems: Systems, pristine: dict[Pair, dict[str, object]]
) -> None:
    """Among the last: what the others have damaged is mended, so everything succeeds."""
    system = systems["old"]
    with d.unfit(accept_loss=2)(system) as options:
        assert system.swap(plan_id=system.plan_swap().plan_id, **options).changed
        assert system.everything() == {
            **pristine["new"],
            "old": system.rows("old"),
            "new": system.rows("new"),
        }
        assert not system.swap().changed
        with d.changed("core", d.WRITTEN, d.NOT_WRITTEN)(system):
            plan = system.plan_rollback().plan_id
            assert system.rollback(accept_loss=2, plan_id=plan).lost == 2
        assert not system.rollback().changed
    assert system.everything() == pristine["old"]


@pytest.mark.parametrize(
    "step", ["carry the rest back", *soaked("hold requests", "flip", "release")]
)
def test_a_rollback_into_a_file_that_was_killed_is_given_again_with_the_same_file(
    systems: Systems, pristine: dict[Pair, dict[str, object]], tmp_path: Path, step: str
) -> None:
    system, file = systems["new"], tmp_path / "losses.zip"
    with d.changed("core", d.WRITTEN, d.NOT_WRITTEN)(system):
        assert system.killed_after(step, system.rollback, export=file)
        assert system.rollback(export=file).recovered
        assert str(exported(file)).count("'mine") == 2
    assert system.everything() == pristine["old"]
    assert system.swap().changed


@pytest.mark.soak
def test_what_would_be_lost_may_be_kept_in_a_file_instead(
    systems: Systems, pristine: dict[Pair, dict[str, object]], tmp_path: Path
) -> None:
    system = systems["old"]
    assert system.swap().changed
    with d.changed("core", d.WRITTEN, d.NOT_WRITTEN)(system):
        report = system.rollback(export=tmp_path / "losses.zip")
        assert (report.lost, report.export) == (2, tmp_path / "losses.zip")
        assert str(exported(tmp_path / "losses.zip")).count("'mine") == 2
    assert system.everything() == pristine["old"]
    report = systems["new"].rollback(export=tmp_path / "nothing.zip")
    assert (report.changed, report.lost, exported(tmp_path / "nothing.zip")) == (True, 0, {})
    assert systems["new"].swap().changed
