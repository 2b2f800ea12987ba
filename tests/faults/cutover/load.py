"""Users of the backend, many at once, and what became of every request of theirs."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.demo.marker import DEMO_USERS
from ops.http_answer import PAIR_HEADER
from tests.api.chat_stream import events

READERS, VISITORS, TALKERS, WRITERS = 28, 6, 10, 6
USERS = READERS + VISITORS + TALKERS + WRITERS
_SECONDS = 30.0
_FINE = (200, 201, 204, 429)  # the last: a user's fourth answer at a time
_PAUSE = 0.02
TALK = "How risky is what I hold?"
_MODES = "SELECT id::text, mode FROM agent_conversations WHERE id = ANY(%s::uuid[])"
_TALKS = """
SELECT conversation_id::text, array_agg(id::text ORDER BY created_at) FILTER (WHERE role = 'user'),
    count(*) FILTER (WHERE role = 'assistant' AND content <> '' AND error IS NULL), count(*)
FROM agent_messages WHERE conversation_id = ANY(%s::uuid[]) GROUP BY conversation_id
"""
_ALL = "SELECT id::text FROM agent_conversations UNION ALL SELECT id::text FROM agent_messages"


@dataclass(frozen=True)
class Answered:
    """A request's end.

    Attributes:
        sent: when it was sent, by the monotonic clock; `ended`: when it was answered, or failed.
        pair: which pair the answer names; None where there was no answer.
        fault: why there was none; of a 5xx what it says.
    """

    client: int
    kind: str
    sent: float
    ended: float
    status: int | None
    pair: str | None
    fault: str | None = None


@dataclass
class Load:
    """Fifty clients who read, log in, chat and write until they are told to stop. Each keeps its
    connection and the token that it was given at the beginning.

    Attributes:
        look_seconds: how long a reader looks at a portfolio before it asks for the next.
        written: conversation → its mode, or None once it was deleted, as the answers said; what
            was not answered is not in it.
        talked: conversation → the messages that were answered to their end.
    """

    address: str
    password: str
    look_seconds: float = 0.0
    answers: list[Answered] = field(default_factory=list)
    written: dict[str, str | None] = field(default_factory=dict)
    talked: dict[str, list[str]] = field(default_factory=dict)
    broken_off: int = 0  # answers after which a message was sent again
    unanswered: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Load":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self.wait_for(200)
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(_SECONDS * 2)
        assert not self._thread.is_alive()

    def wait_for(self, more: int) -> None:
        """Until so many more requests have been answered."""
        wanted, deadline = len(self.answers) + more, time.monotonic() + 60
        while len(self.answers) < wanted:
            assert time.monotonic() < deadline, f"{len(self.answers)} of {wanted} answers"
            assert self._thread is not None
            assert self._thread.is_alive()
            time.sleep(0.02)

    def faults(self) -> Counter[str]:
        """What must not happen to any request: no answer, 5xx, a refused write or token; nor to a
        message: no whole answer, however often it is sent."""
        wrong = [
            f"{each.kind}: {each.status or ''} {each.fault or ''}"
            for each in self.answers
            if each.status not in _FINE
        ]
        return Counter([*wrong, *["chat: no whole answer"] * self.unanswered])

    def pairs_of(self, client: int) -> list[str | None]:
        """The pairs that a user met, in the order in which it asked, without repetitions."""
        met: list[str | None] = []
        for each in self.answers:
            if each.client == client and (not met or met[-1] != each.pair):
                met.append(each.pair)
        return met

    def wrongly_written(self, serving: URL, left: URL) -> list[str]:
        """Conversations that the database served from has otherwise than was answered, messages of
        theirs included, and rows that only the other one has."""
        with (
            connect(serving, application_name="load") as session,
            connect(left, application_name="load") as other,
        ):
            modes: dict[str, str | None] = dict(session.execute(_MODES, [list(self.written)]))
            talks = {
                talk: tuple(rows) for talk, *rows in session.execute(_TALKS, [list(self.talked)])
            }
            stray = {*other.execute(_ALL)} - {*session.execute(_ALL)}
        wrong = [each for each, mode in self.written.items() if modes.get(each) != mode]
        for talk, said in self.talked.items():
            if talks.get(talk, ([], 0, 0)) != (said, len(said), 2 * len(said)):
                wrong.append(f"{talk}: {talks.get(talk)} for {said}")
        return wrong + [each for (each,) in stray if self.written.get(each, "") is not None]

    async def _run(self) -> None:
        kinds: list[Callable[[httpx.AsyncClient, int], Awaitable[None]]] = [
            *[self._read] * READERS,
            *[self._visit] * VISITORS,
            *[self._talk] * TALKERS,
            *[self._write] * WRITERS,
        ]
        async with self._client() as http:
            tokens = [await self._log_in(http, number) for number in range(len(DEMO_USERS))]
        await asyncio.gather(
            *(self._live(kind, n, tokens[n % len(tokens)]) for n, kind in enumerate(kinds))
        )

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.address, timeout=_SECONDS, trust_env=False, verify=False
        )

    async def _live(
        self, kind: Callable[[httpx.AsyncClient, int], Awaitable[None]], number: int, token: str
    ) -> None:
        async with self._client() as http:
            http.headers["Authorization"] = f"Bearer {token}"
            await kind(http, number)

    async def _read(self, http: httpx.AsyncClient, number: int) -> None:
        while not self._stop.is_set():
            listed = await self._ask(http, number, "list", "GET", "/api/v1/data/portfolios")
            for each in listed.json() if listed is not None and listed.is_success else []:
                path = f"/api/v1/data/portfolio/{each['id']}/complete"
                await self._ask(http, number, "read", "GET", path)
                await asyncio.sleep(self.look_seconds)
            await asyncio.sleep(_PAUSE * 10)

    async def _visit(self, http: httpx.AsyncClient, number: int) -> None:
        while not self._stop.is_set():
            await self._log_in(http, number)
            await asyncio.sleep(_PAUSE * 200)

    async def _talk(self, http: httpx.AsyncClient, number: int) -> None:
        conversation = None
        while not self._stop.is_set():
            if conversation is None:
                begun = await self._ask(
                    http, number, "begin", "POST", "/api/v1/chat/conversations", json={}
                )
                if begun is None or not begun.is_success:
                    continue
                conversation = begun.json()["id"]
                self.talked[conversation] = []
            await self._say(http, number, conversation)
            await asyncio.sleep(_PAUSE * 20)

    async def _say(self, http: httpx.AsyncClient, number: int, conversation: str) -> None:
        """Send a message, and where its answer was broken off send it again, with its id."""
        message = {"conversation_id": conversation, "text": TALK, "message_id": str(uuid4())}
        until, broken_off = time.monotonic() + _SECONDS, False
        while time.monotonic() < until:
            said = await self._ask(http, number, "chat", "POST", "/api/v1/chat/send", json=message)
            if said is not None and said.status_code == 200:
                *_, last = events(said.iter_lines())
                if last.name == "done":
                    self.talked[conversation].append(message["message_id"])
                    return
                broken_off = last.name == "error" and last.data["retryable"]
                self.broken_off += broken_off
                self.unanswered += not broken_off
            if not broken_off:
                return
            await asyncio.sleep(_PAUSE * 20)
        self.unanswered += 1

    async def _write(self, http: httpx.AsyncClient, number: int) -> None:
        """An insert and an update, some eight times a second, and each second time a delete."""
        path = "/api/v1/chat/conversations"
        for turn in itertools.count():
            if self._stop.is_set():
                return
            begun = await self._ask(http, number, "insert", "POST", path, json={"mode": "green"})
            if begun is None or not begun.is_success:
                continue
            each = begun.json()["id"]
            self.written[each] = "green"
            await self._rewrite(http, number, "PUT", each, "/mode", "blue", {"mode": "blue"})
            if turn % 2:
                await self._rewrite(http, number, "DELETE", each, "", None, None)
            await asyncio.sleep(_PAUSE * 15)

    async def _rewrite(
        self,
        http: httpx.AsyncClient,
        number: int,
        method: str,
        conversation: str,
        path: str,
        mode: str | None,
        json: object,
    ) -> None:
        del self.written[conversation]  # unknown, until it is answered
        path = f"/api/v1/chat/conversations/{conversation}{path}"
        done = await self._ask(http, number, method.lower(), method, path, json=json)
        if done is not None and done.is_success:
            self.written[conversation] = mode

    async def _log_in(self, http: httpx.AsyncClient, number: int) -> str:
        who = {"email": DEMO_USERS[number % len(DEMO_USERS)], "password": self.password}
        found = await self._ask(http, number, "login", "POST", "/api/v1/auth/login", json=who)
        return str(found.json()["access_token"]) if found is not None and found.is_success else ""

    async def _ask(
        self,
        http: httpx.AsyncClient,
        number: int,
        kind: str,
        method: str,
        path: str,
        json: object = None,
    ) -> httpx.Response | None:
        sent = time.monotonic()
        try:
            found = await http.request(method, path, json=json)
        except httpx.HTTPError as error:
            fault = f"{type(error).__name__} {error}"
            self.answers.append(Answered(number, kind, sent, time.monotonic(), None, None, fault))
            return None
        ended, pair = time.monotonic(), found.headers.get(PAIR_HEADER)
        says = found.text if found.is_server_error else None
        self.answers.append(Answered(number, kind, sent, ended, found.status_code, pair, says))
        return found
