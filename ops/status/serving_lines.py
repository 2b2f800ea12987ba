"""Lines 8 and 9 and the way back: which pair serves, and what the swaps left."""

from dataclasses import dataclass
from http import HTTPStatus

from ops.books.active_pair import Pair
from ops.books.cutovers import Cutover
from ops.errors import SigmaSightError
from ops.http_answer import PAIR_HEADER, ask
from ops.status.core_facts import CoreFacts
from ops.status.legacy_sight import LegacySight
from ops.status.line import ChecklistLine, State, instant
from ops.status.looks import WAIT_LONGER, Answer, LateError, LookError, state_after

_SECONDS = 0.9
_NEVER_SERVED = "sigmasight rebuild"


@dataclass(frozen=True)
class Word:
    """What a backend said of itself: what it is, in its words, and which pair it serves from."""

    url: str
    ready: bool
    said: str
    pair: str | None


def backend_word(url: str) -> Word:
    """Ask a backend at its public address.

    Raises:
        LateError: it does not answer in time.
        LookError: it gives no answer.
    """
    try:
        found = ask(f"{url}/ready", _SECONDS)
        if found.status == HTTPStatus.NOT_FOUND:  # an older backend
            found = ask(f"{url}/health", _SECONDS)
        said = str(found.json()["status"])[:40]
    except TimeoutError:
        raise LateError(f"{url} does not answer in time") from None
    except OSError as error:
        raise LookError(f"{url} gives no answer ({type(error).__name__})") from None
    except (ValueError, KeyError, TypeError):
        raise LookError(f"{url} answers, but not as a backend of ours") from None
    return Word(url, found.is_success, said, found.headers.get(PAIR_HEADER))


def served(
    word: Answer[Word | None], recorded: Pair | None, step: str = _NEVER_SERVED
) -> ChecklistLine:
    """Line 8: who answers at the public address, and whether all agree on the pair.

    Args:
        recorded: the pair that the last finished swap or rollback in Core leads to.
        step: what starts again the backend that was.
    """
    try:
        found = word.get()
    except SigmaSightError as error:
        state = state_after(error)
        step = step if state == "failed" else WAIT_LONGER
        return ChecklistLine("8", "backend", state, str(error), next=step)
    if found is None:
        reason = "none runs here and BACKEND_URL is not set"
        return ChecklistLine("8", "backend", "open", reason, next=_NEVER_SERVED)
    evidence = f"{found.url}: {found.said}, {_pair(found.pair)}"
    if not found.ready:
        return ChecklistLine("8", "backend", "failed", evidence, next=step)
    if recorded is not None and found.pair is not None and found.pair != recorded:
        wrong = f"the last swap or rollback in Core led to the {recorded} pair"
        return ChecklistLine("8", "backend", "failed", f"{evidence}, but {wrong}", next=step)
    return ChecklistLine("8", "backend", "done", evidence)


def _pair(pair: str | None) -> str:
    return "names no pair" if pair is None else f"serves from the {pair} pair"


def swapped(core: CoreFacts, legacy: LegacySight | None, *, has_legacy: bool) -> ChecklistLine:
    """Line 9: the swap in force, or what the last attempt left."""
    unfinished = core.unfinished
    if unfinished is not None:
        return _unfinished(unfinished, under_way=bool(core.running))
    swap = core.swap_in_force
    if swap is not None and core.fenced:
        words = "in force, but Core is fenced off against writes, so that what users write fails"
        return ChecklistLine("9", "swap", "failed", words, next="sigmasight swap")
    if swap is not None:
        return _in_force(swap, legacy)
    if not has_legacy and not core.cutovers:
        return ChecklistLine("9", "swap", "skipped", "there is no old database to swap away from")
    last = core.cutovers[0] if core.cutovers else None
    words = _not_swapped(last)
    if core.fenced:
        words += "; Core and AI are fenced off against late writes until the next swap"
    if legacy is not None and len(legacy.unlocked) < legacy.tables:
        words += f"; but {_lock(legacy)}, so that what users write fails"
        step = "sigmasight rollback" if last else "sigmasight rollback --blind"
        return ChecklistLine("9", "swap", "failed", words, next=step)
    return ChecklistLine("9", "swap", "open", words, next="sigmasight swap")


UNRECORDED = ChecklistLine(
    "9",
    "swap",
    "failed",
    "a blind rollback is neither recorded in Core yet, nor brought back what users had written",
    next="sigmasight rollback",
)


def _unfinished(one: Cutover, *, under_way: bool) -> ChecklistLine:
    if under_way:
        words = f"a {one.kind} is under way, at step: {one.step}"
        return ChecklistLine("9", "swap", "open", words, at=one.begun_at)
    words = f"a {one.kind} was killed at step: {one.step}; its next run finishes or undoes it"
    return ChecklistLine(
        "9", "swap", "failed", words, at=one.begun_at, next=f"sigmasight {one.kind}"
    )


def _in_force(swap: Cutover, legacy: LegacySight | None) -> ChecklistLine:
    words = f"in force since {instant(swap.ended_at)}{_held(swap)}"
    if legacy is None:
        return ChecklistLine("9", "swap", "done", words, at=swap.ended_at)
    state: State = "failed" if legacy.unlocked else "done"
    step = "sigmasight swap" if legacy.unlocked else None
    return ChecklistLine("9", "swap", state, f"{words}; {_lock(legacy)}", swap.ended_at, next=step)


def _lock(legacy: LegacySight) -> str:
    if not legacy.unlocked:
        return f"the old database's {legacy.tables} tables are locked against writes"
    names = ", ".join(legacy.unlocked[:3]) + (" …" if len(legacy.unlocked) > 3 else "")
    count = f"{len(legacy.unlocked)} of the old database's {legacy.tables} tables"
    return f"{count} can be written to: {names}"


def _not_swapped(last: Cutover | None) -> str:
    if last is None:
        return "not yet: the old database serves"
    if last.state == "undone":
        return f"the last {last.kind} was undone: {last.reason or 'no reason recorded'}"
    return f"rolled back {instant(last.ended_at)}{_held(last)}: the old database serves"


def _held(one: Cutover) -> str:
    return "" if one.held_seconds is None else f", requests held {one.held_seconds:.2f} s"


def way_back(core: CoreFacts) -> ChecklistLine:
    """Whether a rollback is possible; what it costs takes longer to find out."""
    if core.tombstone is not None:
        words = "no longer possible: the old database is being removed"
        if core.cleaned_up:
            words = "no longer possible: the old database was removed"
        return ChecklistLine("-", "rollback", "skipped", words)
    if core.swap_in_force is None:
        return ChecklistLine("-", "rollback", "skipped", "nothing to roll back")
    words = "possible until the cleanup; `sigmasight rollback --dry-run` says what it would cost"
    if core.follow_ended is not None:
        since = instant(core.follow_ended)
        words += f"; what users write since {since} is carried back by the rollback itself alone"
    return ChecklistLine("-", "rollback", "open", words)
