"""One question to the chat, asked over HTTP in a conversation that is deleted afterwards."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.agent.bounds import VERIFICATION_ROUTE
from ops.books.run_lock import exclusive_chat_check
from ops.verify.http.exchange import Exchange
from ops.verify.http.facts import Held, Portfolio, read_book
from ops.verify.http.failures import AbsentError, NoAnswerError, UnusableAnswerError
from ops.verify.http.leftovers import remove_leftovers
from ops.verify.http.server_events import ServerEvent, read_events
from ops.verify.http.visit import Visit
from ops.verify.subject import Subject

QUESTION = "What are my top holdings?"
_CONVERSATIONS = "/api/v1/chat/conversations"
_SEND = "/api/v1/chat/send"


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


def hold_turn(subject: Subject, visit: Visit) -> Turn:
    """Ask the plan's question as a demo user, and leave nothing behind.

    Raises:
        BusyError: another verification is at it.
        AbsentError, NoAnswerError, UnusableAnswerError: there is no such chat, or no whole answer.
    """
    tokens = visit.tokens()
    email, token = next(iter(tokens.items()))
    portfolio, top = _asked_about(subject, email)
    with exclusive_chat_check(subject.core_url):
        leftovers = remove_leftovers(subject)
        try:
            events, kept, unremoved = visit.ask(
                lambda http: _converse(
                    http, subject, token, portfolio, visit.target.patience.stream
                )
            )
        finally:
            remove_leftovers(subject)
    return Turn(top, events, kept, leftovers, unremoved)


def _asked_about(subject: Subject, email: str) -> tuple[Portfolio, list[Held]]:
    book = read_book(subject, [email])
    for portfolio in book.portfolios:
        held = book.holdings[portfolio.id]
        largest = max((abs(each.value or 0.0) for each in held), default=0.0)
        if largest > 0:
            return portfolio, [each for each in held if abs(each.value or 0.0) >= largest - 0.01]
    raise NoAnswerError(f"{email} holds nothing that could be asked about")


async def _converse(
    http: Exchange, subject: Subject, token: str, portfolio: Portfolio, seconds: float
) -> tuple[list[ServerEvent], str | None, str | None]:
    about = {"mode": "green", "portfolio_id": portfolio.id, "route": VERIFICATION_ROUTE}
    created = await http.ask("POST", _CONVERSATIONS, token, json=about)
    conversation = created.json(201)["id"].text()
    try:
        asked = {"conversation_id": conversation, "text": QUESTION}
        answer = await http.ask("POST", _SEND, token, json=asked, seconds=seconds)
        answer.expect(200)
        if answer.kind != "text/event-stream":
            raise UnusableAnswerError(f"{answer.question} answers {answer.kind}, no event stream")
        events = read_events(answer.body)
        kept = await asyncio.to_thread(_kept, subject, events)
    finally:
        unremoved = await _delete(http, token, conversation)
    return events, kept, unremoved


async def _delete(http: Exchange, token: str, conversation: str) -> str | None:
    try:
        path = f"{_CONVERSATIONS}/{conversation}"
        (await http.ask("DELETE", path, token)).expect(200, 204)
    except (AbsentError, NoAnswerError) as error:
        return str(error)
    return None


def _kept(subject: Subject, events: Sequence[ServerEvent]) -> str | None:
    created = [event for event in events if event.name == "message_created"]
    if not created:
        return None
    with subject.core() as connection:
        row = connection.execute(
            "SELECT content FROM agent_messages WHERE id::text = %s",
            [created[0].data["assistant_message_id"].text()],
        ).fetchone()
    return None if row is None else row[0]
