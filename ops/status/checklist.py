"""Everything is asked at once; each line is then told from the answers that came in time."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ops.books.active_pair import Pair
from ops.books.verifications import last_verification
from ops.endpoints import Endpoints, resolve_endpoints
from ops.errors import SigmaSightError
from ops.evidence.cutovers import left_blindly
from ops.settings import OperatorSettings
from ops.status import build_lines, closing_lines, data_lines, serving_lines
from ops.status.core_facts import CoreFacts, ai_schema, core_facts
from ops.status.legacy_sight import LegacySight, legacy_sight
from ops.status.line import ChecklistLine, State
from ops.status.looks import Answer, Looks, state_after

T = TypeVar("T")

LOOK_SECONDS = 1.2
_DATABASE_PHASES = (
    ("3", "Core migrations"),
    ("4", "AI migrations"),
    ("5", "backup"),
    ("6", "seeding"),
    ("7", "copy"),
    ("7.5", "backfill"),
)


def checklist(
    settings: OperatorSettings, api_url: str | None, seconds: float = LOOK_SECONDS
) -> list[ChecklistLine]:
    """Look at every phase now. Nothing is changed, and nothing that hangs is waited for.

    Args:
        api_url: the Prefect server's address, where one is known.
        seconds: how long all together may take to answer.
    """
    looks = Looks(seconds)
    heads = looks.ask("the repository", build_lines.chain_heads)
    word = looks.ask("the backend", lambda: _backend(settings))
    history = (
        looks.ask("the Prefect server", lambda: closing_lines.dashboard_word(api_url))
        if api_url
        else None
    )
    try:
        endpoints = resolve_endpoints(settings)
    except SigmaSightError as error:
        lines = _without_databases(str(error), word)
    else:
        lines = _Sight(settings, endpoints, looks).lines(heads, word, history)
    tail = [closing_lines.run_history(history), *closing_lines.rehearsed(settings.state)]
    return [build_lines.repository(heads), *lines, *tail]


def checklist_json(lines: Sequence[ChecklistLine]) -> str:
    """The checklist for programs."""
    return json.dumps([line.document() for line in lines])


def next_step(lines: Sequence[ChecklistLine]) -> str | None:
    """The one thing to do now: what failed first, then what is open, then what is stale; but before
    each the evidence without which it would refuse."""
    for wanted in ("failed", "unknown", "open"):
        for line in lines:
            if line.state == wanted and line.next and line.phase != "run history":
                return _beneath(line, lines)
    return next((line.next for line in lines if line.next), None)


# What refuses, or fails, while something is to do for the evidence of another line.
_STANDS_ON = {"swap": "verification", "verification": "backfill"}


def _beneath(line: ChecklistLine, lines: Sequence[ChecklistLine]) -> str | None:
    """The step of the line, or of the lowest that it stands on. What a killed swap has left is
    finished or undone all the same."""
    if (line.phase, line.state) == ("swap", "failed"):
        return line.next
    ground = _STANDS_ON.get(line.phase)
    below = next((one for one in lines if one.phase == ground and one.next), None)
    return line.next if below is None else _beneath(below, lines)


def _backend(settings: OperatorSettings) -> serving_lines.Word | None:
    """What the backend says whose address is known, or the one of this state folder."""
    # Only here, in the thread that asks: its import takes a moment.
    from ops.backend.supervised import SupervisedBackend

    own = SupervisedBackend(settings.state).url if settings.embedded else None
    url = settings.backend_address or own
    return serving_lines.backend_word(url) if url else None


def _without_databases(reason: str, word: Answer[serving_lines.Word | None]) -> list[ChecklistLine]:
    """What can be said where no database is known."""
    lines = [ChecklistLine("2", "databases", "open", reason, next="sigmasight up")]
    lines += _unknown(_DATABASE_PHASES, "no database yet", "open")
    lines.append(serving_lines.served(word, None))
    return lines + _unknown(_LATE_PHASES, "no database yet", "open")


_UNASKED = "Core cannot be asked"
_LATE_PHASES = (("9", "swap"), ("-", "rollback"), ("10", "verification"), ("11", "cleanup"))


def _unknown(phases: Sequence[tuple[str, str]], reason: str, state: Any) -> list[ChecklistLine]:
    return [ChecklistLine(number, phase, state, reason) for number, phase in phases]


class _Sight:
    """One look at the databases of a move."""

    def __init__(self, settings: OperatorSettings, endpoints: Endpoints, looks: Looks) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._looks = looks
        self._absent: dict[str, SigmaSightError] = {}
        core, ai, legacy = endpoints.core, endpoints.ai, endpoints.legacy
        self._core = looks.ask("Core", lambda: core_facts(core))
        self._ai = looks.ask("AI", lambda: ai_schema(ai, shared=endpoints.shared))
        self._legacy = (
            None if legacy is None else looks.ask("the old database", lambda: legacy_sight(legacy))
        )

    def lines(
        self,
        heads: Answer[Mapping[str, tuple[str, ...]]],
        word: Answer[serving_lines.Word | None],
        history: Answer[closing_lines.Dashboard] | None,
    ) -> list[ChecklistLine]:
        core = self._answer("core", self._core)
        ai = self._answer("ai", self._ai)
        gone = core is not None and core.tombstone is not None
        legacy = self._answer("legacy", self._legacy) if self._legacy and not gone else None
        versions = {
            "Core": core and core.server,
            "AI": ai and ai[0],
            "the old one": legacy and legacy.server,
        }
        answering = {name: version for name, version in versions.items() if version}
        ends: Mapping[str, tuple[str, ...]] = _quietly(heads.get, {})
        ours = self._settings.embedded or self._settings.in_containers
        locked = legacy is not None and legacy.tables > 0 and not legacy.unlocked
        lines = [
            build_lines.databases(answering, self._absent, gone=gone, ours=ours, locked=locked)
        ]
        lines += self._built(core, ai, ends)
        recorded = None if self._left_blindly(legacy) else _recorded_pair(core)
        here = self._settings.in_containers or self._settings.backend_is_ours
        step = "sigmasight up" if here else "start it where it runs"
        lines.append(serving_lines.served(word, recorded, step))
        return lines + self._late(core, legacy, history)

    def _built(
        self,
        core: CoreFacts | None,
        ai: tuple[str, Any] | None,
        heads: Mapping[str, tuple[str, ...]],
    ) -> list[ChecklistLine]:
        """Lines 3 to 7.5; a database that does not answer fails the lines that need it."""
        number, phase = _DATABASE_PHASES[1]
        lines = [
            build_lines.migrated(number, phase, ai[1], build_lines.AI_TABLES, heads)
            if ai is not None
            else ChecklistLine(number, phase, self._unasked("ai"), "AI cannot be asked")
        ]
        if core is None:
            others = [one for one in _DATABASE_PHASES if one[0] != number]
            failed = _unknown(others, _UNASKED, self._unasked("core"))
            return [failed[0], *lines, *failed[1:]]
        number, phase = _DATABASE_PHASES[0]
        return [
            build_lines.migrated(number, phase, core.schema, build_lines.CORE_TABLES, heads),
            *lines,
            build_lines.backed_up(core, has_legacy=self._has_legacy),
            build_lines.seeded(core),
            data_lines.copied(core, has_legacy=self._has_legacy),
            data_lines.backfilled(core),
        ]

    def _late(
        self,
        core: CoreFacts | None,
        legacy: LegacySight | None,
        history: Answer[closing_lines.Dashboard] | None,
    ) -> list[ChecklistLine]:
        """Lines 9 to 11."""
        verified = data_lines.verified(
            last_verification(self._settings.state, self._endpoints.core),
            core.changes if core else {},
            backend_expected=self._settings.backend_expected,
        )
        if core is None:
            swap, rollback, _, cleanup = _unknown(_LATE_PHASES, _UNASKED, self._unasked("core"))
            return [swap, rollback, verified, cleanup]
        swap = serving_lines.swapped(core, legacy, has_legacy=self._has_legacy)
        return [
            serving_lines.UNRECORDED if self._left_blindly(legacy) else swap,
            serving_lines.way_back(core),
            verified,
            closing_lines.cleaned_up(core, history),
        ]

    def _left_blindly(self, legacy: LegacySight | None) -> bool:
        open_again = legacy is not None and len(legacy.unlocked) == legacy.tables
        return open_again and left_blindly(self._settings.state)

    @property
    def _has_legacy(self) -> bool:
        return self._endpoints.legacy is not None

    def _unasked(self, name: str) -> State:
        """Of what only a database that gave no answer could tell."""
        return state_after(self._absent[name])

    def _answer(self, name: str, answer: Answer[Any] | None) -> Any:
        try:
            return None if answer is None else answer.get()
        except SigmaSightError as error:
            self._absent[name] = error
            return None


def _recorded_pair(core: CoreFacts | None) -> Pair | None:
    """Where the last finished swap or rollback led; None while one is under way."""
    if core is None or core.unfinished is not None:
        return None
    finished = next((one for one in core.cutovers if one.state == "done"), None)
    return None if finished is None else finished.leads_to


def _quietly(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except (SigmaSightError, OSError):
        return otherwise
