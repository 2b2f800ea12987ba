"""Ids that a service stores in AI: each of them is declared, so that verification looks it up."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.agent.services import memory_service, rag_service
from app.models import AiBase
from ops.verify.loose_references import LOOSE_REFERENCES
from tests.api.backend import Backend
from tests.api.talks import Talker, talking
from tests.api.test_feedback import ANSWER, answer_of, path, settled, until
from tests.api.test_memories import CHAT as MEMORIES
from tests.api.test_memories import in_session


@pytest.fixture
def talker(backend: Backend) -> Iterator[Talker]:
    with talking(backend) as talker:
        yield talker
        settled(talker)


@pytest.fixture
def client(talker: Talker) -> Iterator[httpx.Client]:
    with talker.client() as client:
        yield client


def test_a_deleted_conversation_is_taken_off_its_users_memories(talker: Talker) -> None:
    other = str(talker.portfolio)
    note(talker, "one", str(talker.conversation))
    note(talker, "two", other)
    forgotten = in_session(
        talker,
        lambda ai: memory_service.forget_conversation(ai, talker.id, talker.conversation),
    )
    assert forgotten == 1
    assert talker.memories() == [
        ("one", {"source": "auto_extraction"}),
        ("two", {"source": "auto_extraction", "conversation_id": other}),
    ]


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def note(talker: Talker, content: str, conversation: str) -> None:
    """Remember something as the chat does after an answer."""
    tags = {"source": "auto_extraction", "conversation_id": conversation}
    in_session(talker, lambda ai: memory_service.remember(ai, talker.id, "user", content, tags))


def test_every_id_that_a_service_stores_is_declared_as_a_reference(
    client: httpx.Client, talker: Talker
) -> None:
    own = {"scope": "portfolio", "portfolio_id": str(talker.portfolio)}
    client.post(MEMORIES, json={"content": "of a portfolio", **own})
    client.post(MEMORIES, json={"content": "of the user", "tags": {"category": "taste"}})
    client.post(path(answer_of(talker)), json={"rating": "up"})
    edited = {"rating": "down", "edited_text": "AAPL.", "comment": "shorter"}
    client.post(path(talker.say("assistant", ANSWER)), json=edited)
    note(talker, "was noted", str(talker.conversation))
    until(talker.examples)
    until(lambda: len(talker.memories()) == 4)
    document = in_session(
        talker,
        lambda ai: rag_service.upsert_document(
            ai,
            scope=f"portfolio:{talker.portfolio}",
            title="Note",
            content="A note on a portfolio",
            metadata={"type": "note"},
        ),
    )
    found = _places_of_ids(talker)
    in_session(talker, lambda ai: rag_service.delete_document(ai, document))
    assert {place for place in found if not _declared(*place)} == set()
    # Each kind of reference was really written, so that none is declared in vain.
    written = {reference for reference in LOOSE_REFERENCES if reference.database == "ai"}
    assert {(each.table, each.column, each.key or each.prefix or "") for each in written} <= {
        (table, column, where) for table, column, where in found
    }


def _places_of_ids(talker: Talker) -> set[tuple[str, str, str]]:
    """Table, column, and key or prefix of everything in AI that looks like an id."""
    found = set()
    for table in AiBase.metadata.tables:
        # A cast of the row to JSON without its vector, which is no text that anybody reads.
        for (row,) in talker.ai(f"SELECT to_jsonb(t) - 'embedding' FROM {table} AS t", []):
            for column, value in row.items():
                found |= {(table, column, where) for where in _ids_in(value)}
    return found


def _ids_in(value: Any, key: str = "") -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_ids_in(each, f"{key}.{name}") for name, each in value.items()), set())
    if isinstance(value, list):
        return set().union(*(_ids_in(each, f"{key}[]") for each in value), set())
    if not isinstance(value, str) or not (match := _ID.search(value)):
        return set()
    return {key.removeprefix(".") or value[: match.start()]}


def _declared(table: str, column: str, where: str) -> bool:
    if (column, where) == ("id", ""):
        return True
    return any(
        (each.table, each.column, each.key or each.prefix or "") == (table, column, where)
        for each in LOOSE_REFERENCES
    )
