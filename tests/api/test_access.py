"""Who may see what, over every route of the OpenAPI document: nobody without a token, nobody
somebody else's, and administration only for administrators."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest

from tests.api.backend import Backend
from tests.api.belongings import belongings
from tests.api.conftest import ADMIN, HNW, INDIVIDUAL

PUBLIC = {
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/health/prerequisites"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/register"),
}
ADMINISTRATION = "/api/v1/admin/"
PARAMETER = re.compile(r"{(\w+)}")
Ids = dict[str, str]

# What a body needs beside ids, so that nothing but an id can be what is refused.
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/chat/conversations/{conversation_id}/mode": {"mode": "blue"},
    "/api/v1/chat/send": {"text": "What are my top holdings?"},
    "/api/v1/chat/memories": {"scope": "portfolio", "content": "likes dividends"},
    "/api/v1/agent/memories": {"scope": "portfolio", "content": "likes dividends"},
    "/api/v1/chat/messages/{message_id}/feedback": {"rating": "up"},
    "/api/v1/analytics/portfolio/{portfolio_id}/equity": {"equity_balance": 1000},
}


@dataclass(frozen=True)
class Operation:
    """A method on a path.

    Attributes:
        query, body: the names in query and body that take an id.
    """

    method: str
    path: str
    query: tuple[str, ...]
    body: tuple[str, ...]

    @property
    def in_path(self) -> tuple[str, ...]:
        return tuple(PARAMETER.findall(self.path))

    @property
    def administrative(self) -> bool:
        return self.path.startswith(ADMINISTRATION)

    @property
    def public(self) -> bool:
        return (self.method, self.path) in PUBLIC

    def ask(self, client: httpx.Client, ids: Ids, query: Ids, body: Ids) -> int:
        """The status of the answer; a stream is not read."""
        path = PARAMETER.sub(lambda found: ids[found[1]], self.path)
        content = {**BODIES.get(self.path, {}), **_fitting(body)}
        has_body = self.method in ("POST", "PUT", "PATCH")
        with client.stream(
            self.method, path, params=query, json=content if has_body else None
        ) as response:
            return response.status_code


def _fitting(body: Ids) -> dict[str, Any]:
    return {name: [v] if name.endswith("_ids") else v for name, v in body.items()}


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            query = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
            body = _body_names(document, operation)
            yield Operation(method.upper(), path, _ids(query), _ids(body))


def _ids(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name.endswith(("_id", "_ids")))


def _body_names(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    try:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
    except KeyError:
        return []
    for candidate in [schema, *schema.get("anyOf", [])]:
        if "$ref" in candidate:
            name = candidate["$ref"].rpartition("/")[2]
            return list(document["components"]["schemas"][name].get("properties", {}))
    return list(schema.get("properties", {}))


@pytest.fixture
def every_operation(anonymous: httpx.Client) -> list[Operation]:
    found = list(operations(anonymous.get("/openapi.json").json()))
    assert len(found) > 60
    return found


@pytest.fixture
def hnw(backend: Backend) -> Iterator[Ids]:
    with belongings(backend, HNW) as ids:
        yield ids


@pytest.fixture
def own(backend: Backend) -> Iterator[Ids]:
    with belongings(backend, INDIVIDUAL) as ids:
        yield ids


def test_nothing_but_the_public_routes_opens_without_a_token(
    anonymous: httpx.Client, every_operation: list[Operation], hnw: Ids
) -> None:
    answers = {
        (one.method, one.path): one.ask(anonymous, hnw, {}, dict.fromkeys(one.body, "x"))
        for one in every_operation
        if not one.public
    }
    assert {key: status for key, status in answers.items() if status != 401} == {}


@pytest.mark.parametrize("where", ["path", "query", "body"])
def test_what_belongs_to_somebody_else_is_not_found(
    where: Literal["path", "query", "body"],
    individual: httpx.Client,
    every_operation: list[Operation],
    hnw: Ids,
    own: Ids,
) -> None:
    """Also what is asked for does not change: the owner still has all of it afterwards."""
    answers: dict[tuple[str, str, str], int] = {}
    for one in every_operation:
        if one.administrative:
            continue
        for name in {"path": one.in_path, "query": one.query, "body": one.body}[where]:
            answers[one.method, one.path, name] = ask_for_foreign(individual, one, name, hnw, own)
    assert answers
    assert {key: status for key, status in answers.items() if status != 404} == {}


def ask_for_foreign(client: httpx.Client, one: Operation, name: str, foreign: Ids, own: Ids) -> int:
    """Name one foreign id; the others are the caller's own."""
    path = {**own, name: foreign[name]} if name in one.in_path else own
    query = {name: foreign[name]} if name in one.query else {}
    body = {n: foreign[n] if n == name else own[n] for n in one.body if n == name or n in REQUIRED}
    return one.ask(client, path, query, body)


REQUIRED = {"conversation_id"}


@pytest.mark.parametrize(
    ("email", "expected"), [(None, {401}), (INDIVIDUAL, {403})], ids=["nobody", "a user"]
)
def test_administration_is_for_administrators(
    email: str | None,
    expected: set[int],
    backend: Backend,
    every_operation: list[Operation],
    hnw: Ids,
) -> None:
    with backend.client(email) as client:
        found = {one.ask(client, hnw, {}, {}) for one in every_operation if one.administrative}
    assert found == expected


def test_an_administrator_may(backend: Backend, every_operation: list[Operation]) -> None:
    """What is then wrong with a request, such as a query that is missing, is another matter."""
    with backend.client(ADMIN) as client:
        answers = {
            one.path: one.ask(client, {}, {}, {})
            for one in every_operation
            if one.administrative and one.method == "GET" and not one.in_path
        }
    assert answers
    assert set(answers.values()) <= {200, 422}
    assert 200 in answers.values()
