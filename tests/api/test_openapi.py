"""Every operation of the OpenAPI document, asked odd things: no 5xx, and what is answered is what
the document says."""

from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from uuid import UUID

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import response_schema_conformance
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.demo.book import derived_id
from ops.embedded.server import EmbeddedServer
from tests.api.backend import authorization, serving
from tests.api.conftest import HNW
from tests.databases import create_database
from tests.groups import soaked

EXAMPLES = settings().max_examples // 12
CHECKS = [response_schema_conformance]


@pytest.fixture(scope="module")
def own_pair(server: EmbeddedServer, backfilled_template: str, ai_template: str) -> tuple[URL, URL]:
    """A pair that odd requests may change."""
    return create_database(server, backfilled_template), create_database(server, ai_template)


@pytest.fixture(scope="module")
def address(own_pair: tuple[URL, URL]) -> Iterator[str]:
    """A backend of its own, because the session's must stay as it is."""
    with serving(*own_pair, {"ADMIN_EMAILS": HNW}) as backend:
        yield backend.url
    assert not backend.statements.strays


def own_ids(core: URL, user_id: UUID) -> dict[str, str]:
    """Path parameters that lead somewhere, so that not every request ends at a 404."""
    with connect(core, application_name="tests") as connection:
        row = connection.execute(
            "SELECT p.id::text, x.id::text FROM portfolios p JOIN positions x "
            "ON x.portfolio_id = p.id WHERE p.user_id = %s ORDER BY 1, 2 LIMIT 1",
            [user_id],
        ).fetchone()
    assert row is not None
    return {"portfolio_id": row[0], "position_id": row[1]}


# The stranger first: who is logged in may delete what a path leads to.
@pytest.mark.parametrize("logged_in", [*soaked(False), True], ids=["a stranger", "logged in"])
def test_odd_requests_are_answered_as_documented(
    logged_in: bool, address: str, own_pair: tuple[URL, URL]
) -> None:
    user_id = derived_id("user", HNW)
    ids = own_ids(own_pair[0], user_id)
    session = visitor(authorization(HNW) if logged_in else {})
    document = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 60
    failures = [
        failure
        for operation in operations
        if (failure := failure_of(operation, ids, session, EXAMPLES if logged_in else 3))
    ]
    assert not failures, "\n\n".join(failures)


def visitor(headers: dict[str, str]) -> requests.Session:
    """Connections that last and keep no cookie, so that nobody is logged in by an answer."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update(headers)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def failure_of(
    operation: Any, ids: dict[str, str], session: requests.Session, examples: int
) -> str | None:
    """What is wrong with an operation's answers, if anything."""

    @given(case=operation.as_strategy(), known=st.booleans())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case, known: bool) -> None:
        if known:
            own = {name: ids[name] for name in case.path_parameters or {} if name in ids}
            case.path_parameters = {**(case.path_parameters or {}), **own}
        response = case.call_and_validate(checks=CHECKS, session=session, timeout=30)
        declared = operation.definition.raw["responses"]
        assert response.status_code < 500 or str(response.status_code) in declared, response.text

    try:
        ask()
    except Exception as failure:  # schemathesis has a class for each kind, and some are groups
        return f"{operation.label}: {failure}"
    return None
