"""Whether the chat answers the plan's question by its tools and documents, in a conversation that
is deleted afterwards."""

import asyncio
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from app.agent.bounds import VERIFICATION_ROUTE
from ops.books.run_lock import exclusive_chat_check
from ops.connection import first_value, session_at
from ops.errors import BusyError
from ops.sql_files import statement
from ops.verify.http.exchange import Answer, Exchange, UnansweredError, UnusableAnswerError
from ops.verify.http.facts import Held, Portfolio, read_book
from ops.verify.http.stream import ServerEvent, read_events, require_order
from ops.verify.http.visit import Faults, Once, UnaskedError, Visit
from ops.verify.report import Verdict, judged, skipped
from ops.verify.subject import Subject

TOOLS = ("list_user_portfolios", "get_portfolio_complete")
QUESTION = "What are my top holdings?"
_CONVERSATIONS = "/api/v1/chat/conversations"
_SEND = "/api/v1/chat/send"
_BUSY = "another verification talks to the chat"
_TOO_MANY, _PAUSE_SECONDS = 429, 0.2


@dataclass(frozen=True)
class Turn:
    """One question and what the chat said to it.

    Attributes:
        top: the portfolio's largest holding by the database; several where they are worth the same.
        events: the frames of the stream, in order.
        kept: what the database kept as the answer; None where it has no such message.
        leftovers: conversations of earlier verifications, cut off, that were removed first.
        unremoved: why the conversation could not be deleted through the API, if so.
    """

    top: Sequence[Held]
    events: Sequence[ServerEvent]
    kept: str | None
    leftovers: int
    unremoved: str | None

    def of(self, name: str, tool: str | None = None) -> list[ServerEvent]:
        """The events of a name; of a tool, those about it."""
        found = [event for event in self.events if event.name == name]
        return [each for each in found if tool is None or each.field("data.tool_name", str) == tool]


class ChatChecks:
    """The checks of one turn of the chat, which is held once, by whichever of them comes first."""

    def __init__(self) -> None:
        self._turn: Once[Turn] = Once()

    def answer(self, subject: Subject, visit: Visit) -> Verdict:
        """The stream is whole, both tools succeeded, and the answer, kept in the database as it
        was streamed, names the largest holding."""
        try:
            turn = self._turn(lambda: hold_turn(subject, visit))
        except BusyError:
            return skipped(_BUSY)
        require_order(turn.events)
        text = "".join(each.field("data.delta", str) for each in turn.of("token"))
        faults = Faults(_faults(turn, text))
        used = [_used(turn, tool, faults) for tool in TOOLS]
        swept = f"; {turn.leftovers} of earlier runs removed" if turn.leftovers else ""
        return faults.finding(
            f"{len(text):,} characters that name {_symbols(turn)}, {len(turn.events)} events; "
            f"{', '.join(used)}{swept}",
            characters=len(text),
            events=len(turn.events),
        )

    def documents(self, subject: Subject, visit: Visit) -> Verdict:
        """The answer rests on documents that are in the knowledge base."""
        try:
            turn = self._turn(lambda: hold_turn(subject, visit))
        except BusyError:
            return skipped(_BUSY)
        except UnansweredError:
            return skipped("the chat did not answer")
        starts = [each.field("data", dict[str, Any]) for each in turn.of("start")]
        if not starts or "rag" not in starts[0]:
            return skipped("this backend does not say which documents it retrieved")
        titles = turn.of("start")[0].field("data.rag.titles", list[str])
        documents, known = _known(subject, titles)
        unknown = len(set(titles)) - known
        detail = f"{len(titles)} of {documents} documents retrieved: {'; '.join(titles) or 'none'}"
        if unknown:
            detail += f"; {unknown} not in the database"
        return judged(bool(titles) and not unknown, detail, retrieved=len(titles), all=documents)


def hold_turn(subject: Subject, visit: Visit) -> Turn:
    """Ask the plan's question as a user who holds anything, and leave nothing behind.

    Raises:
        BusyError: another verification is at it.
        UnaskedError: nobody holds anything that could be asked about.
        UnansweredError: there is no such chat, or no whole answer.
    """
    tokens, emails = visit.tokens(), visit.target.probes.emails
    portfolio, top = _asked_about(subject, tokens)
    token, seconds = tokens[portfolio.email], visit.target.patience.stream
    with exclusive_chat_check(subject.core_url):
        leftovers = _remove_leftovers(subject, emails)
        try:
            events, kept, unremoved = visit.ask(
                lambda http: _converse(http, subject, token, portfolio, seconds)
            )
        finally:
            _remove_leftovers(subject, emails)
    return Turn(top, events, kept, leftovers, unremoved)


def _faults(turn: Turn, text: str) -> list[str]:
    """What is wrong with an answer that was streamed as `text`."""
    final = turn.events[-1].field("data.final_text", str)
    wrong = {
        "the final text is not what was streamed": final != text or not text,
        "the database did not keep the answer": turn.kept != final,
        f"the answer does not name the largest holding, {_symbols(turn)}": not any(
            _names(text, held.symbol) for held in turn.top
        ),
        f"the conversation could not be deleted: {turn.unremoved}": turn.unremoved is not None,
    }
    errors = [each.field("data.error", str)[:120] for each in turn.of("error")]
    told = [f"the chat reports an error: {error}" for error in errors]
    return told + [line for line, holds in wrong.items() if holds]


def _symbols(turn: Turn) -> str:
    return "/".join(sorted({held.symbol for held in turn.top}))


def _names(text: str, symbol: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(symbol)}(?!\w)", text, re.IGNORECASE) is not None


def _used(turn: Turn, tool: str, faults: Faults) -> str:
    """How a tool was used, in words; whatever is wrong with it is a fault."""
    calls = {each.field("data.tool_call_id", str) for each in turn.of("tool_call", tool)}
    results = turn.of("tool_result", tool)
    good = [
        each for each in results if each.field("data.tool_call_id", str) in calls and _good(each)
    ]
    if not good:
        wrong = "called and had no result" if calls else "not called"
        faults.lines.append(f"the tool {tool} was {wrong}")
    return f"{tool} {good[0].field('data.duration_ms', float):.0f} ms" if good else tool


def _good(result: ServerEvent) -> bool:
    envelope = result.field("data.tool_result", dict[str, Any])
    return not envelope.get("error") and bool(envelope.get("data"))


def _known(subject: Subject, titles: Sequence[str]) -> tuple[int, int]:
    """How many documents there are, and how many of these titles are among them."""
    with subject.ai() as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT title) FILTER (WHERE title = ANY(%s)) "
            "FROM ai_kb_documents",
            [list(titles)],
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _asked_about(subject: Subject, emails: Collection[str]) -> tuple[Portfolio, list[Held]]:
    """The first portfolio that holds anything, in the order of the users, and its largest."""
    book = read_book(subject, emails)
    for portfolio in (each for email in emails for each in book.of(email)):
        held = book.holdings[portfolio.id]
        largest = max((abs(each.value or 0.0) for each in held), default=0.0)
        if largest > 0:
            return portfolio, [each for each in held if abs(each.value or 0.0) >= largest - 0.01]
    raise UnaskedError("the probe accounts hold nothing to ask about; name one that does")


async def _converse(
    http: Exchange, subject: Subject, token: str, portfolio: Portfolio, seconds: float
) -> tuple[list[ServerEvent], str | None, str | None]:
    about = {"mode": "green", "portfolio_id": portfolio.id, "route": VERIFICATION_ROUTE}
    created = await http.ask("POST", _CONVERSATIONS, token, json=about)
    conversation = created.field("id", str, 201)
    try:
        asked = {"conversation_id": conversation, "text": QUESTION}
        answer = await _answered(http, token, asked, seconds)
        answer.expect(200)
        if answer.kind != "text/event-stream":
            raise UnusableAnswerError(f"{answer.question} answers {answer.kind}, no event stream")
        events = read_events(answer.body)
        kept = await asyncio.to_thread(_kept, subject, events)
    finally:
        unremoved = await _delete(http, token, conversation)
    return events, kept, unremoved


async def _answered(http: Exchange, token: str, asked: object, seconds: float) -> Answer:
    """A user may have few answers at a time, and perhaps is chatting just now: then it is asked
    again, for as long as an answer may take."""
    given_up = time.monotonic() + seconds
    while True:
        found = await http.ask("POST", _SEND, token, json=asked, seconds=seconds)
        if found.status != _TOO_MANY or time.monotonic() > given_up:
            return found
        await asyncio.sleep(_PAUSE_SECONDS)


async def _delete(http: Exchange, token: str, conversation: str) -> str | None:
    """Why the conversation could not be deleted, if so."""
    try:
        path = f"{_CONVERSATIONS}/{conversation}"
        (await http.ask("DELETE", path, token)).expect(200, 204)
    except UnansweredError as error:
        return str(error)
    return None


def _kept(subject: Subject, events: Sequence[ServerEvent]) -> str | None:
    created = [event for event in events if event.name == "message_created"]
    if not created:
        return None
    with subject.core() as connection:
        kept: str | None = first_value(
            connection,
            "SELECT content FROM agent_messages WHERE id::text = %s",
            [created[0].field("assistant_message_id", str)],
        )
    return kept


def _remove_leftovers(subject: Subject, emails: Sequence[str]) -> int:
    """Delete marked conversations of the probe accounts, and how many there were. First what hangs
    on them in AI, since no key does that: a kill in between leaves enough to find the rest by."""
    name = "verify chat"
    with session_at(subject.core_url, name) as core:
        marked = {"emails": emails, "route": VERIFICATION_ROUTE}
        rows = core.execute(statement("verify/http/leftovers"), marked).fetchall()
        if not rows:
            return 0
        conversations = [row[0] for row in rows]
        messages = [message for row in rows for message in row[1]]
        with session_at(subject.ai_url, name) as ai:
            ai.execute("DELETE FROM ai_feedback WHERE message_id = ANY(%s::uuid[])", [messages])
            ai.execute(
                "DELETE FROM ai_memories WHERE tags ->> 'conversation_id' = ANY(%s)",
                [conversations],
            )
        core.execute("DELETE FROM agent_conversations WHERE id = ANY(%s::uuid[])", [conversations])
    return len(conversations)
