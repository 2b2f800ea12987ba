"""Whether the chat answers the plan's question by its tools and documents."""

import re
from collections.abc import Sequence

from ops.errors import BusyError
from ops.verify.http.chat_turn import Turn, hold_turn
from ops.verify.http.failures import AbsentError, NoAnswerError, UnusableAnswerError
from ops.verify.http.faults import Faults
from ops.verify.http.server_events import ServerEvent, require_order
from ops.verify.http.visit import Once, Visit
from ops.verify.report import Finding, judged, skipped
from ops.verify.subject import Subject

TOOLS = ("list_user_portfolios", "get_portfolio_complete")


class ChatChecks:
    """The checks of one turn of the chat, which is held once, by whichever of them comes first."""

    def __init__(self) -> None:
        self._turn: Once[Turn] = Once()

    def answer(self, subject: Subject, visit: Visit) -> Finding:
        """The stream is whole, both tools succeeded, and the answer, kept in the database as it
        was streamed, names the largest holding."""
        try:
            turn = self._turn(lambda: hold_turn(subject, visit))
        except BusyError:
            return skipped("another verification talks to the chat")
        require_order(turn.events)
        faults, text = Faults(), _spoken(turn.events)
        faults.lines += [_told(each) for each in turn.events if each.name == "error"]
        used = [_used(turn.events, tool, faults) for tool in TOOLS]
        final = turn.events[-1].content["final_text"].text()
        faults.unless(final == text != "", "the final text is not what was streamed")
        faults.unless(turn.kept == final, "the database did not keep the answer")
        named = [held.symbol for held in turn.top if _names(text, held.symbol)]
        symbols = "/".join(sorted({held.symbol for held in turn.top}))
        faults.unless(bool(named), f"the answer does not name the largest holding, {symbols}")
        if turn.unremoved:
            faults.add(f"the conversation could not be deleted: {turn.unremoved}")
        swept = f"; {turn.leftovers} of earlier runs removed" if turn.leftovers else ""
        return faults.finding(
            f"{len(text):,} characters that name {symbols}, {len(turn.events)} events; "
            f"{', '.join(used)}{swept}",
            characters=len(text),
            events=len(turn.events),
        )

    def documents(self, subject: Subject, visit: Visit) -> Finding:
        """The answer rests on documents that are in the knowledge base."""
        try:
            turn = self._turn(lambda: hold_turn(subject, visit))
        except BusyError:
            return skipped("another verification talks to the chat")
        except (AbsentError, NoAnswerError, UnusableAnswerError):
            return skipped("the chat did not answer")
        start = next((event for event in turn.events if event.name == "start"), None)
        if start is None or "rag" not in (start.content.value or {}):
            return skipped("this backend does not say which documents it retrieved")
        titles = [title.text() for title in start.content["rag.titles"].items()]
        documents, known = _known(subject, titles)
        detail = f"{len(titles)} of {documents} documents retrieved: {'; '.join(titles) or 'none'}"
        if known != len(set(titles)):
            detail += f"; {len(set(titles)) - known} not in the database"
        return judged(
            bool(titles) and known == len(set(titles)), detail, retrieved=len(titles), all=documents
        )


def _spoken(events: Sequence[ServerEvent]) -> str:
    return "".join(event.content["delta"].text() for event in events if event.name == "token")


def _told(error: ServerEvent) -> str:
    return f"the chat reports an error: {error.content['error'].text()[:120]}"


def _used(events: Sequence[ServerEvent], tool: str, faults: Faults) -> str:
    """How a tool was used, in words; whatever is wrong with it is a fault."""
    calls = _of(events, "tool_call", tool)
    results = [
        result
        for result in _of(events, "tool_result", tool)
        if any(_same_call(call, result) for call in calls)
    ]
    good = [each for each in results if not _failed(each)]
    if not calls:
        faults.add(f"the tool {tool} was not called")
    elif not good:
        faults.add(f"the tool {tool} was called and had no result")
    return f"{tool} {good[0].content['duration_ms'].number():.0f} ms" if good else tool


def _of(events: Sequence[ServerEvent], name: str, tool: str) -> list[ServerEvent]:
    return [e for e in events if e.name == name and e.content["tool_name"].value == tool]


def _same_call(call: ServerEvent, result: ServerEvent) -> bool:
    return bool(call.content["tool_call_id"].value == result.content["tool_call_id"].value)


def _failed(result: ServerEvent) -> bool:
    envelope = result.content["tool_result"].value
    return not isinstance(envelope, dict) or bool(envelope.get("error")) or not envelope.get("data")


def _names(text: str, symbol: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(symbol)}(?!\w)", text, re.IGNORECASE) is not None


def _known(subject: Subject, titles: Sequence[str]) -> tuple[int, int]:
    """How many documents there are, and how many of these titles are among them."""
    with subject.ai() as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT title) FILTER (WHERE title = ANY(%s)) "
            "FROM ai_kb_documents",
            [list(titles)],
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)
