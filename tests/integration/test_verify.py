"""Verify: all checks pass on a sound system, and exactly the right one fails on a damaged one."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import Uuid
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.connection import connect
from ops.embedded.server import EmbeddedServer, free_port, loopback_url
from ops.errors import BadInputError, ConfigurationError, VerificationError
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.sql_files import statement
from ops.state_folder import StateFolder
from ops.trading_calendar import trading_days
from ops.verify import DATABASE_CHECKS, Check, Subject, Verdict, VerifyReport, verify
from ops.verify.hot_queries import hot_queries, vector_search
from ops.verify.loose_references import LOOSE_REFERENCES
from ops.verify.plans import BIG_TABLE_PAGES, explain, pages
from ops.verify.report import refuse_failures
from ops.verify.run import answer
from ops.verify.subject import days_to_verify
from tests.databases import NewDatabase, create_database, drop_databases
from tests.groups import soaked
from tests.integration.verify_damages import (
    CORE_DAMAGES,
    DAMAGES,
    GROWTH,
    SNAPSHOT,
    TOGETHER,
    ZEROS,
)

FIRST, NEXT, LAST = date(2025, 7, 1), date(2025, 7, 2), date(2025, 7, 11)
WORLD = Path(__file__).with_name("verify_world.sql")
MESSAGE = UUID("00000000-0000-0000-0000-0000000000e1")
MANY_RUNS = """
WITH runs AS (
    INSERT INTO correlation_calculations
        (portfolio_id, duration_days, calculation_date, overall_correlation,
         correlation_concentration_score, effective_positions, data_quality, positions_included)
    SELECT '00000000-0000-0000-0000-0000000000b1', 90, '2030-01-01'::date + n, 0.5, 0, 2,
        'sufficient', 10
    FROM generate_series(0, 199) AS n
    RETURNING id
)
INSERT INTO pairwise_correlations
    (correlation_calculation_id, symbol_1, symbol_2, correlation_value, data_points,
     statistical_significance)
SELECT id, 'S' || one, 'S' || two, 1, 60, 0.99
FROM runs, generate_series(1, 10) AS one, generate_series(1, 10) AS two;
SELECT
    pg_clear_relation_stats('public', name),
    pg_clear_attribute_stats('public', name, attname, false)
FROM unnest(ARRAY['portfolios', 'correlation_calculations', 'pairwise_correlations']) AS name
JOIN pg_stats ON schemaname = 'public' AND tablename = name
"""
EMBEDDING = "array_fill(0.1::real, ARRAY[1536])::vector"


class Pair(NamedTuple):
    """The two databases of a sound system."""

    core: URL
    ai: URL


@pytest.fixture(scope="module")
def world_templates(server: EmbeddedServer, core_template: str, ai_template: str) -> Pair:
    pair = Pair(create_database(server, core_template), create_database(server, ai_template))
    _fill_core(pair.core)
    _run(
        pair.ai,
        "INSERT INTO ai_kb_documents (scope, title, content, embedding) "
        f"SELECT 'global', 'T' || n, 'C', {EMBEDDING} FROM generate_series(1, 5) AS n;"
        "INSERT INTO ai_memories (user_id, scope, content) VALUES"
        "('00000000-0000-0000-0000-00000000000a', 'user', 'likes bonds'), (NULL, 'all', 'hello');"
        f"INSERT INTO ai_feedback (message_id, rating) VALUES ('{MESSAGE}', 'up')",
    )
    return pair


def _fill_core(url: URL) -> None:
    with connect(url, application_name="tests", autocommit=True) as connection:
        for name, first in (("sessions", FIRST - timedelta(days=376)), ("days", FIRST)):
            connection.execute(f"CREATE TEMP TABLE {name} (day date)".encode())
            connection.execute(
                f"INSERT INTO {name} SELECT unnest(%s::date[])".encode(),
                [list(trading_days(first, LAST))],
            )
        connection.execute(WORLD.read_bytes())
        connection.execute("ANALYZE")


@pytest.fixture
def pair(new_database: NewDatabase, world_templates: Pair) -> Pair:
    return Pair(*(new_database(str(url.database)) for url in world_templates))


@pytest.mark.parametrize(
    ("change", "first", "last"),
    [
        ("", FIRST, LAST),
        ("DELETE FROM ops.backfill_ledger WHERE calculation_date = %(first)s", NEXT, LAST),
        ("DELETE FROM ops.backfill_ledger WHERE calculation_date = %(last)s", FIRST, LAST),
        ("DELETE FROM ops.backfill_ledger", FIRST_DAY, LAST_DAY),
        ("DELETE FROM market_data_cache WHERE date > %(first)s", FIRST, LAST),
    ],
    ids=["computed", "begun later", "prices reach further", "nothing computed", "prices end"],
)
def test_what_was_computed_or_could_be_is_verified_where_nobody_names_days(
    new_database: NewDatabase, world_templates: Pair, change: str, first: date, last: date
) -> None:
    core = new_database(str(world_templates.core.database))
    with connect(core, application_name="tests") as connection:
        if change:
            connection.execute(change.encode(), {"first": FIRST, "last": LAST})
    assert days_to_verify(core) == (first, last)


@pytest.fixture(scope="module")
def sound(world_templates: Pair) -> VerifyReport:
    """What is said of a sound system, which that leaves as it is."""
    before = _content(world_templates)
    report = verify(*world_templates, None, FIRST, LAST)
    assert _content(world_templates) == before
    return report


def test_a_sound_system_passes_every_check_but_the_comparison_with_a_legacy_it_lacks(
    sound: VerifyReport,
) -> None:
    outcomes = {result.name: (result.outcome, result.detail) for result in sound.results}
    reason = "no legacy database is configured (LEGACY_DATABASE_URL)"
    assert outcomes.pop("market copy parity") == ("skipped", reason)
    assert {name for name, (outcome, _) in outcomes.items() if outcome != "pass"} == set()
    refuse_failures(sound)


def test_every_check_is_reported_once_in_its_order_as_a_row(sound: VerifyReport) -> None:
    rows = sound.rows()
    assert [row["check"] for row in rows] == [check.name for check in DATABASE_CHECKS]
    assert len({row["check"] for row in rows}) == len(rows)
    assert all(row.keys() == {"check", "outcome", "detail"} for row in rows)
    assert all(row["detail"] and "\n" not in row["detail"] for row in rows)


@pytest.mark.parametrize(
    ("check", "rows"),
    [
        # 2 live portfolios, 8 trading days (the fourth of July is none).
        ("portfolio_snapshots", 16),
        # Days: AAA 8 and 3, BBB 8, CCC 8 and 4, DDD 8, FLAT 8, EEE 2 with ten; NEW 8 with six.
        ("position_factor_exposures", 49 * 10 + 8 * 6),
        ("correlation_calculations", 8),
        # Four symbols on seven days, three on the eighth.
        ("pairwise_correlations", 7 * 16 + 9),
        ("symbol_factor_exposures", 5 * 10 + 6),
        ("symbol_daily_metrics", 6),
    ],
)
def test_counts_follow_from_the_rules(sound: VerifyReport, check: str, rows: int) -> None:
    measured = next(result.measured for result in sound.results if result.name == check)
    assert (measured["expected"], measured["found"]) == (rows, rows)


def test_the_plans_figures_stand_beside_ours_and_fail_nothing(sound: VerifyReport) -> None:
    figures = {row["table"]: (row["plan"], row["ours"]) for row in sound.plan_figures}
    assert figures["portfolio_snapshots"] == (1_331, 16)
    assert figures["pairwise_correlations"] == (169_996, 121)
    assert len(figures) == 6


def test_the_checks_of_other_parts_come_last_and_a_broken_one_has_failed(
    world_templates: Pair,
) -> None:
    def broken(_: Subject) -> Verdict:
        raise ZeroDivisionError("by\nzero")

    checks = (Check("login", lambda _: Verdict("pass", "3 users")), Check("chat", broken))
    report = verify(*world_templates, None, FIRST, LAST, more_checks=checks)
    assert [result.name for result in report.results[-2:]] == ["login", "chat"]
    (chat,) = report.failures
    assert chat.name == "chat"
    assert chat.detail == "could not be checked: ZeroDivisionError: by"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> StateFolder:
    """Where it is kept that the hot queries of the damaged Core passed."""
    return StateFolder(tmp_path_factory.mktemp("known"))


@pytest.fixture
def damaged(server: EmbeddedServer, world_templates: Pair) -> Iterator[Pair]:
    """The sound system anew, by the same names each time: what `verify` has kept of the one before
    holds for it as far as nothing that it hangs on is another."""
    pair = Pair(server.url("damaged_core"), server.url("damaged_ai"))
    for url, template in zip(pair, world_templates, strict=True):
        create_database(server, template.database, name=url.database)
    yield pair
    drop_databases(server, pair)


@pytest.mark.parametrize("labels", [*TOGETHER, *soaked(*(((label,),) for label in DAMAGES))])
def test_exactly_the_damaged_parts_fail_and_are_named(
    labels: tuple[str, ...], damaged: Pair, known: StateFolder
) -> None:
    damages = [DAMAGES[label] for label in labels]
    for damage in damages:
        _run(getattr(damaged, damage.on), damage.do)
    report = verify(*damaged, None, FIRST, LAST, state=known)
    failed = {result.name for result in report.failures}
    assert failed == {name for damage in damages for name in damage.fails}
    for damage in damages:
        assert any(damage.says in result.detail for result in report.results), damage.says
    if failed:
        with pytest.raises(
            VerificationError, match=", ".join(each.name for each in report.failures)
        ):
            refuse_failures(report)


def test_every_check_that_can_fail_here_is_failed_together_with_others() -> None:
    fails = {name for labels in TOGETHER for label in labels for name in DAMAGES[label].fails}
    assert fails == {check.name for check in DATABASE_CHECKS} - {"market copy parity"}


def test_warnings_are_shown(pair: Pair) -> None:
    _run(pair.ai, "UPDATE pg_extension SET extversion = '0.8.1' WHERE extname = 'vector'")
    check = next(check for check in DATABASE_CHECKS if check.name == "ai schema")
    schema = answer(Subject(*pair, None, FIRST, LAST), check)
    assert schema.outcome == "pass"
    assert "warning: extension vector is 0.8.1" in schema.detail


def test_the_copy_is_compared_with_legacy_where_there_is_one(
    pair: Pair, new_database: NewDatabase, world_templates: Pair
) -> None:
    legacy = new_database(str(world_templates.core.database))
    subject = Subject(*pair, legacy, FIRST, LAST)
    check = next(check for check in DATABASE_CHECKS if check.name == "market copy parity")
    assert answer(subject, check).outcome == "pass"
    _run(
        pair.core,
        "UPDATE market_data_cache SET close = close + 1"
        " WHERE symbol = 'SPY' AND date = '2025-07-09'",
    )
    found = answer(subject, check)
    assert found.outcome == "fail"
    assert "0 missing and 1 different" in found.detail


@pytest.mark.parametrize("broken", ["empty", "without ops", *soaked("without a server", "swapped")])
def test_a_broken_system_is_reported_and_raises_nothing(
    broken: str, pair: Pair, new_database: NewDatabase
) -> None:
    if broken == "empty":
        pair = Pair(new_database(), new_database())
    elif broken == "without ops":
        _run(pair.core, "DROP SCHEMA ops CASCADE")
    elif broken == "without a server":
        pair = Pair(loopback_url(free_port(), "nobody", "secret", "core"), pair.ai)
    else:
        pair = Pair(pair.ai, pair.core)
    report = verify(*pair, None, FIRST, LAST)
    assert len(report.results) == len(DATABASE_CHECKS)
    assert report.failures
    assert all(result.detail for result in report.failures)
    assert not any("secret" in result.detail for result in report.results)
    needs_ops = {
        "backfill ledger",
        "starting capital",
        "equity chain",
        "snapshot identities",
    }
    assert {result.name for result in report.failures} >= needs_ops
    assert (broken == "without ops") == ({each.name for each in report.failures} == needs_ops)


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (LAST, FIRST, "reversed"),
        (date(2025, 7, 4), date(2025, 7, 6), "no NYSE trading day"),
        (date(1900, 1, 1), date(1900, 2, 1), "leaves the NYSE calendar"),
    ],
)
def test_an_impossible_range_is_refused(
    first: date, last: date, message: str, world_templates: Pair
) -> None:
    with pytest.raises(BadInputError, match=message):
        verify(*world_templates, None, first, last)


def test_a_day_without_positions_stores_zeros_and_loses_no_equity(pair: Pair) -> None:
    zeros = ", ".join(
        f"{column} = 0"
        for column in ("total_value", "equity_balance", "long_value", "short_value", "daily_pnl",
                       "gross_exposure", "net_exposure", "num_positions", "num_long_positions",
                       "num_short_positions")
    )  # fmt: skip
    _run(pair.core, f"UPDATE portfolio_snapshots SET {zeros} {SNAPSHOT}")
    _run(
        pair.core,
        "UPDATE portfolio_snapshots SET equity_balance = equity_balance - 100.25,"
        " total_value = total_value - 100.25"
        f" WHERE portfolio_id = {GROWTH} AND snapshot_date > '2025-07-09'",
    )
    subject = Subject(*pair, None, FIRST, LAST)
    named = {"equity chain", "snapshot identities", "starting capital"}
    results = [answer(subject, check) for check in DATABASE_CHECKS if check.name in named]
    assert {result.outcome for result in results} == {"pass"}


def test_a_range_before_the_first_entries_is_sound(pair: Pair) -> None:
    first, last = date(2025, 5, 1), date(2025, 5, 9)
    days = ", ".join(f"('{day}'::date)" for day in trading_days(first, last))
    _run(
        pair.core,
        ZEROS.format(
            portfolios="SELECT id FROM portfolios WHERE deleted_at IS NULL",
            days=f"SELECT * FROM (VALUES {days}) AS v (day)",
        )
        + "INSERT INTO batch_run_tracking (id, run_date, phase_3_status, completed_at)"
        f" SELECT gen_random_uuid(), day, 'success', now() FROM (VALUES {days}) AS v (day)",
    )
    report = verify(*pair, None, first, last)
    assert [(each.name, each.detail) for each in report.failures] == []


@pytest.mark.soak
def test_the_vector_index_is_used_or_rightly_not(pair: Pair) -> None:
    """Of 644 documents reading all is cheaper than beginning a search in the graph."""
    _run(
        pair.ai,
        "INSERT INTO ai_kb_documents (scope, title, content, embedding) SELECT 'global', n::text,"
        " (SELECT string_agg(md5(n::text || m), '') FROM generate_series(1, 45) AS m),"
        " array_fill(n::real, ARRAY[1535]) || ARRAY[random()::real]"
        " FROM generate_series(1, 644) AS n; ANALYZE ai_kb_documents",
    )
    with connect(pair.ai, application_name="tests") as connection:
        plan = explain(connection, statement("verify/hot_vector_search"))
        assert "ai_kb_documents" in plan.whole
        assert pages(connection, "ai_kb_documents") > BIG_TABLE_PAGES
    subject = Subject(*pair, None, FIRST, LAST)
    assert vector_search(subject).outcome == "pass"
    _run(pair.ai, "DROP INDEX ix_ai_kb_documents_embedding_hnsw")
    assert vector_search(subject).detail == "reads ai_kb_documents whole"


def test_hot_queries_can_be_asked_before_there_are_rows(core_url: URL, ai_url: URL) -> None:
    found = hot_queries(Subject(core_url, ai_url, None, FIRST, LAST))
    assert found.outcome == "pass", found.detail


def test_hot_queries_are_planned_with_defaults_whatever_the_server_is_set_to(pair: Pair) -> None:
    name = pair.core.database
    _run(pair.core, f"ALTER DATABASE {name} SET enable_seqscan = off")
    _run(pair.core, CORE_DAMAGES["no index for the prices"].do)
    found = hot_queries(Subject(*pair, None, FIRST, LAST))
    assert "reads market_data_cache whole" in found.detail


def test_hot_queries_see_ten_times_the_rows(sound: VerifyReport) -> None:
    measured = next(each.measured for each in sound.results if each.name == "hot queries")
    assert measured["rows"]["position_factor_exposures"] == 10 * (538 + 10)
    assert measured["rows"]["positions"] == 130
    assert measured["indexes"]["prices of some symbols up to a day"]


def test_hot_queries_are_asked_again_only_when_what_they_hang_on_is_another(
    pair: Pair, tmp_path: Path
) -> None:
    subject = Subject(*pair, None, FIRST, LAST, StateFolder(tmp_path))
    first = hot_queries(subject)
    assert first.outcome == "pass"
    _run(pair.core, f"ALTER DATABASE {pair.core.database} SET default_transaction_read_only = on")
    with pytest.raises(ConfigurationError, match="read-only"):  # nothing can be built
        hot_queries(Subject(*pair, None, FIRST, LAST))
    assert hot_queries(subject) == first
    _run(pair.ai, f"ALTER DATABASE {pair.core.database} RESET default_transaction_read_only")
    _run(pair.core, CORE_DAMAGES["no index for the prices"].do)
    assert "reads market_data_cache whole" in hot_queries(subject).detail
    assert hot_queries(subject).outcome == "fail"


def test_each_pair_is_counted_once_also_without_statistics(pair: Pair) -> None:
    """A join of all pairs, planned for one run, would read all of them for each run."""
    _run(pair.core, MANY_RUNS)
    values = {"days": [date(2030, 1, 1), date(2030, 12, 31)]}
    with connect(pair.core, application_name="tests") as connection:
        query = b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement("verify/correlation_runs")
        (plan,) = connection.execute(query, values).fetchone() or ()
    read = sum(
        node["Actual Rows"] * node["Actual Loops"] for node in _scans_of_pairs(plan[0]["Plan"])
    )
    assert read == 200 * 100


def _scans_of_pairs(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if node.get("Relation Name") == "pairwise_correlations":
        yield node
    for child in node.get("Plans", ()):
        yield from _scans_of_pairs(child)


def test_every_loose_reference_is_declared() -> None:
    tables = Base.metadata.sorted_tables + AiBase.metadata.sorted_tables
    loose = {
        (table.name, column.name)
        for table in tables
        for column in table.columns
        if isinstance(column.type, Uuid) and not column.primary_key and not column.foreign_keys
    }
    declared = {
        (reference.table, reference.column)
        for reference in LOOSE_REFERENCES
        if not reference.within
    }
    # There are no tenants yet: nothing sets the column, and no table holds what it would name.
    assert loose == declared | {("ai_memories", "tenant_id")}


def _content(pair: Pair) -> list[object]:
    counts: list[object] = []
    for url in pair:
        with connect(url, application_name="tests") as connection:
            counts.append(
                connection.execute(
                    "SELECT n.nspname, c.relname, pg_relation_size(c.oid), c.relkind"
                    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
                    " ORDER BY 1, 2"
                ).fetchall()
            )
    return counts


def _run(url: URL, statements: str) -> None:
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(statements.encode())
