"""A backend asks the servers how many connections it may open, before it serves."""

import asyncio

import pytest
from sqlalchemy.engine import URL

from app import database
from app.config import Settings
from app.gate.serving_pair import Pair
from ops.books.run_lock import Fence
from ops.connection import connect, conninfo
from ops.cutover.connection_room import connections_fit
from ops.cutover.installation import Installation
from ops.endpoints import Endpoints
from ops.evidence.finding import Finding
from ops.settings import OperatorSettings
from tests.pooling import pooled, pooling

UNBOUND = {"new": (10, 5), "old": (10, 5)}


def kept_open(core: URL, legacy: URL) -> dict[Pair, tuple[int, ...]]:
    """How many connections each pool keeps, a third of what it may open, where Core and AI are one
    database."""
    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(legacy)}
    settings = Settings.model_validate({"DATABASE_URL": conninfo(core), **told})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "get_settings", lambda: settings)
        patch.setattr(database, "_engines", {})
        asyncio.run(database.size_pools())
        pairs: tuple[Pair, Pair] = ("new", "old")
        return {
            pair: tuple(engine.pool.size() for engine in database.engines_of(pair))  # type: ignore[attr-defined]
            for pair in pairs
        }


def limit(url: URL, connections: int) -> None:
    with connect(url, application_name="tests", autocommit=True) as session:
        session.execute(f"ALTER DATABASE {url.database} CONNECTION LIMIT {connections}")


def test_what_the_server_allows_is_shared_by_all_pools(core_url: URL, old_shape: URL) -> None:
    limit(core_url, 46)  # fewer than max_connections
    found = kept_open(core_url, old_shape)
    assert found == {"new": (1, 1), "old": (1, 1)}  # 5 and 3 of each


@pooled
def test_a_poolers_own_limits_hold(core_url: URL, old_shape: URL) -> None:
    limit(core_url, 46)
    with pooling(core_url, "transaction") as core, pooling(old_shape, "session") as legacy:
        assert kept_open(core, legacy) == UNBOUND


def test_a_server_that_does_not_answer_bounds_nothing(core_url: URL) -> None:
    nowhere = core_url.set(database="gone")
    assert kept_open(nowhere, nowhere) == UNBOUND


@pooled
def test_a_swap_counts_what_is_the_servers(core_url: URL, ai_url: URL, old_shape: URL) -> None:
    limit(old_shape, 20)
    endpoints = Endpoints(core_url, ai_url, old_shape, "external")

    def fit(**given: URL) -> Finding:
        told = {f"{name}_URL": conninfo(url) for name, url in given.items()}
        settings = OperatorSettings.model_validate(told)
        return connections_fit(Installation(settings, endpoints, None, Fence(0)))  # type: ignore[arg-type]

    found = fit(DATABASE=core_url)
    assert (found.met, "may need 28 connections" in found.reason) == (False, True)
    with pooling(core_url, "transaction") as pooler:
        places = {"DATABASE": core_url, "AI_DATABASE": ai_url, "LEGACY_DATABASE": old_shape}
        assert fit(**{name: url.set(port=pooler.port) for name, url in places.items()}).met
