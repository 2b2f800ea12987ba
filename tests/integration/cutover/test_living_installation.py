"""An installation of other users moves whole: copied, computed, swapped, worked with, rolled back
and swapped again."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy.engine import URL

from ops.assessment import assess
from ops.backfill.planning import BackfillRequest
from ops.carrying.swap_price import EDITED, SHOWN_EQUITY
from ops.connection import connect
from ops.copy import copy_delta
from ops.copy.groups import GROUPS
from ops.demo.book import demo_book
from ops.embedded.server import EmbeddedServer
from ops.errors import RefusedError
from ops.seed import seed
from tests.api.backend import serving
from tests.api.chat_stream import ask
from tests.backfilling import backfill
from tests.databases import create_database
from tests.groups import soaked
from tests.integration.cutover.living import (
    ANOTHER_EQUITY,
    FIRST,
    INSIGHTS,
    LAST,
    MARKED,
    REJECTED,
    SCHEMA,
    TABLES,
    make_living,
    rows_apart,
    script,
)
from tests.integration.cutover.small_backend import PASSWORD
from tests.integration.cutover.small_system import SmallSystem, small_system

PROBES = ("O'Brien9@Example.COM", "plus+tag@example.com", "demo_hnw@sigmasight.com")
UNKNOWN = {f"{SCHEMA}.ai_insights": INSIGHTS}
GROWS = (
    f"INSERT INTO {SCHEMA}.ai_insights"
    f" SELECT gen_random_uuid(), portfolio_id, title FROM {SCHEMA}.ai_insights"
)
# What the old batch computed before the first day that ours computes.
HISTORY = {
    table: f"SELECT count(*) FROM {{0}}.{table} WHERE {day} < '{FIRST}'"
    for table, day in (
        ("correlation_calculations", "calculation_date"),
        ("factor_exposures", "calculation_date"),
        ("position_factor_exposures", "calculation_date"),
        ("position_interest_rate_betas", "calculation_date"),
        ("position_market_betas", "calc_date"),
        ("position_volatility", "calculation_date"),
        ("stress_test_results", "calculation_date"),
    )
} | {
    "pairwise_correlations": "SELECT count(*) FROM {0}.pairwise_correlations AS p JOIN"
    " {0}.correlation_calculations AS c ON c.id = p.correlation_calculation_id"
    f" WHERE c.calculation_date < '{FIRST}'"
}
# What `living_work_*.sql` changes.
WORKED_ON = {
    "users",
    "portfolios",
    "positions",
    "equity_changes",
    "position_realized_events",
    "tags_v2",
    "position_tags",
    "portfolio_target_prices",
    "agent_conversations",
    "agent_messages",
    "ai_memories",
    "ai_feedback",
    "ai_kb_documents",
}
# What each batch carries on, and clock times.
ROLLED = {
    "portfolios": {"equity_balance", "updated_at"},
    "positions": {"last_price", "market_value", "unrealized_pnl", "updated_at"},
}


@pytest.fixture(scope="module", params=[44, *soaked(120)], ids="{} portfolios".format)
def living(
    request: pytest.FixtureRequest,
    server: EmbeddedServer,
    core_template: str,
    ai_template: str,
    tmp_path_factory: pytest.TempPathFactory,
    drift_remembered: None,
) -> Iterator[SmallSystem]:
    """The installation served from its old database, beside a pair that is migrated and empty."""
    templates = {"core": core_template, "ai": ai_template, "legacy": core_template}
    urls = {half: create_database(server, template) for half, template in templates.items()}
    make_living(urls["legacy"], request.param)
    folder = tmp_path_factory.mktemp("living") / "home"
    with small_system(urls["core"], urls["ai"], urls["legacy"], folder, PROBES) as system:
        # The backend finds its tables by the path of its role; the phases find them by themselves.
        system.backend.databases = {**system.backend.databases, "old": _on_path(urls["legacy"])}
        yield system


def _on_path(legacy: URL) -> URL:
    return legacy.update_query_dict({"options": f"-csearch_path={SCHEMA},public"})


def test_a_living_installation_moves_there_and_back_and_there_again(living: SmallSystem) -> None:
    legacy, core, ai = living.legacy, living.core, living.ai
    assert legacy is not None
    _is_accounted_for(legacy)
    talks = _log_in_and_write(living.old)
    seed(core, legacy_url=legacy, adopt=False)
    reports = copy_delta(legacy, core, ai, tuple(GROUPS))
    rejects = {one.table: one.rejected_rows for each in reports for one in each.tables}
    assert {table: rows for table, rows in rejects.items() if rows} == dict.fromkeys(REJECTED, 1)
    assert rows_apart(legacy, core, ai, {}) == {}
    _compute(living)
    assert _with_another_equity(living) == {ANOTHER_EQUITY}

    price = _refused_at_its_price(living)
    assert living.swap(accept_loss=price).active == "new"
    _has_nothing_of_the_demo(core)
    assert rows_apart(legacy, core, ai, ROLLED, FIRST) == {}
    _work(core, ai)
    assert _log_in_and_write(core, ai) == talks + 2  # one is written by SQL
    assert set(rows_apart(legacy, core, ai, ROLLED, FIRST)) == WORKED_ON

    report = living.rollback()
    assert (report.lost, report.carried > 0) == (0, True)
    assert (living.legacy_is(), living.serving()) == ("open", "old")
    assert rows_apart(legacy, core, ai, ROLLED, FIRST) == {}

    _compute(living)
    plan = living.plan_swap(UNKNOWN)
    assert plan.price.total == price - INSIGHTS
    living.ask(living.old, GROWS)
    report = living.swap(accept_loss=price - INSIGHTS, plan_id=plan.plan_id, unknown=UNKNOWN)
    assert report.active == "new"
    assert living.serving() == "new"
    assert rows_apart(legacy, core, ai, ROLLED, FIRST) == {}
    _has_nothing_of_the_demo(core)


def _is_accounted_for(legacy: URL) -> None:
    account = assess(legacy)
    assert (account.go, account.schema, account.unknown) == (True, SCHEMA, UNKNOWN)
    fates = {table.name: table for table in account.tables if table.schema == SCHEMA}
    assert {fates[table].fate for table in TABLES} == {"copied", "seeded"}
    left_out = {
        (name, column)
        for name, table in fates.items()
        for column, fate in table.column_fates.items()
        if table.fate == "copied" and fate == "left out"
    }
    assert left_out == {("users", "last_seen")}


def _compute(living: SmallSystem) -> None:
    """What is computed is verified; this test is about what comes after."""
    assert not backfill(living.core, BackfillRequest(FIRST, LAST)).failures
    living.verified()


def _with_another_equity(living: SmallSystem) -> set[str]:
    """The portfolios whose newest equity is another than users saw before, by more than a cent."""
    query = (
        "SELECT DISTINCT ON (p.id) p.name, s.snapshot_date, s.equity_balance"
        " FROM {0}.portfolio_snapshots AS s JOIN {0}.portfolios AS p ON p.id = s.portfolio_id"
        " ORDER BY p.id, s.snapshot_date DESC"
    )
    before = living.ask(living.old, query.format(SCHEMA))
    now = {
        name: (day, equity) for name, day, equity in living.ask(living.core, query.format("public"))
    }
    [(portfolios,)] = living.ask(living.old, f"SELECT count(*) FROM {SCHEMA}.portfolios")
    assert len(before) > portfolios * 5 // 6
    assert {day for _, day, _ in before} == {LAST}
    return {
        name
        for name, day, equity in before
        if now[name][0] != day or abs(now[name][1] - equity) > Decimal("0.01")
    }


def _refused_at_its_price(living: SmallSystem) -> int:
    """Nothing costs but what is known not to come, each by its name."""
    price = living.plan_swap().price
    history = {
        f"{table} of days not computed": living.ask(living.old, query.format(SCHEMA))[0][0]
        for table, query in HISTORY.items()
    }
    assert {name: rows for name, rows in price.by_table.items() if rows} == {
        **dict.fromkeys(REJECTED, 1),
        **UNKNOWN,
        **history,
        SHOWN_EQUITY: 1,
        EDITED: MARKED,
    }
    assert price.equities[0].startswith(f"{ANOTHER_EQUITY} on {LAST}: ")
    with pytest.raises(RefusedError, match=f"{INSIGHTS} of {SCHEMA}.ai_insights"):
        living.swap(accept_loss=price.total - 1)
    assert (living.active(), living.legacy_is()) == ("old", "open")
    return price.total


def _work(core: URL, ai: URL) -> None:
    """Users write, change and delete something of each kind."""
    for half, url in (("core", core), ("ai", ai)):
        with connect(url, application_name="tests") as session:
            session.execute(script(f"living_work_{half}"))


def _log_in_and_write(core: URL, ai: URL | None = None) -> int:
    """What a user does whose address has a capital in its domain, on the real backend; returns how
    many talks he had before."""
    with serving(core, ai, {}) as backend, backend.client() as client:
        who = {"email": PROBES[0], "password": PASSWORD}
        token = client.post("/api/v1/auth/login", json=who).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        talks = client.get("/api/v1/chat/conversations", params={"limit": 100}).json()
        assert ask(client, "How risky is what I hold?").names[-1] == "done"
        memory = {"scope": "user", "content": f"has talked {len(talks)} times"}
        assert client.post("/api/v1/chat/memories", json=memory).status_code == 201
    return len(talks)


def _has_nothing_of_the_demo(core: URL) -> None:
    """One user has an address of the demo; his id and all that is his are his own."""
    book = demo_book()
    with connect(core, application_name="tests") as session:
        for table, ids in {
            "users": [user.id for user in book.users],
            "portfolios": [portfolio.id for portfolio in book.portfolios.values()],
        }.items():
            query = f"SELECT count(*) FROM {table} WHERE id = ANY(%s)"
            assert session.execute(query.encode(), [ids]).fetchone() == (0,)
        assert session.execute(_OF_USERS).fetchone() == (0, 0, 0)


_OF_USERS = """
SELECT (SELECT count(*) FROM users WHERE email NOT LIKE '%@example.%'
        AND email NOT IN ('O''Brien9@Example.COM', 'MiXed.Case@Sub.Example.Org')
        AND id <> md5('user 4')::uuid),
    (SELECT count(*) FROM portfolios WHERE name NOT LIKE 'Book %'),
    (SELECT count(*) FROM tags_v2 WHERE name NOT IN ('growth', 'Growth', 'vår “egen”', 'new'))
"""
