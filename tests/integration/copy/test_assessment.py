"""Every table and column of an old database is accounted for, and what stays there has a price."""

from itertools import count

import pytest
from sqlalchemy.engine import URL

from ops.assessment import Account, TableAccount, assess
from ops.assessment.report import account_lines, becomes, refuse_no_go
from ops.carrying.swap_price import SHOWN_EQUITY, Price, swap_price
from ops.connection import within_schema
from ops.embedded.server import EmbeddedServer
from ops.errors import BadInputError, RefusedError
from ops.legacy_schema import LegacySchemaError
from tests.databases import create_database
from tests.groups import soaked
from tests.integration.copy.conftest import PRICES, Run
from tests.integration.copy.owned_world import (
    A_PORTFOLIO,
    A_POSITION,
    B_PORTFOLIO,
    B_POSITION,
    ID,
    OWNED,
    copied,
)
from tests.integration.legacy_shape import make_legacy
from tests.pooling import pooled, pooling

INSIGHTS = (
    "CREATE TABLE ai_insights (id uuid, text text);"
    " INSERT INTO ai_insights SELECT gen_random_uuid(), 'Hold.' FROM generate_series(1, 12)"
)


def table(account: Account, name: str) -> TableAccount:
    [found] = [one for one in account.tables if one.shown == name]
    return found


def test_each_table_and_column_has_its_fate(run: Run, owned_url: URL) -> None:
    run(owned_url, INSIGHTS)
    run(
        owned_url,
        "ALTER TABLE users ADD nickname text; CREATE TABLE empty_one (id int);"
        " CREATE SCHEMA auth; CREATE TABLE auth.users (id int); INSERT INTO auth.users VALUES (1);"
        " CREATE TABLE halves (id int) PARTITION BY RANGE (id);"
        " CREATE TABLE half PARTITION OF halves FOR VALUES FROM (0) TO (10);"
        " INSERT INTO halves VALUES (1), (2); CREATE PUBLICATION everything FOR ALL TABLES;"
        " CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;"
        " CREATE FOREIGN TABLE beyond (id int) SERVER far;"
        " CREATE TRIGGER own BEFORE UPDATE ON users FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger();"
        " CREATE TABLE positions_2020 (broker_note text) INHERITS (positions);"
        f' INSERT INTO positions_2020 SELECT (jsonb_populate_record(p, \'{{"id": "{ID}f0"}}\')).*,'
        " 'dear' FROM positions AS p LIMIT 1;"
        " CREATE TABLE auth.base (id int); CREATE TABLE notes_kept (own text) INHERITS (auth.base);"
        " INSERT INTO notes_kept VALUES (1, 'o'); ALTER TABLE factor_definitions ADD note text;"
        " CREATE MATERIALIZED VIEW summary AS SELECT 1 AS one WITH NO DATA;"
        " CREATE TABLE jobs (id int); INSERT INTO jobs VALUES (1);"
        " ALTER EXTENSION vector ADD TABLE jobs; SELECT lo_from_bytea(0, 'abc');"
        ' ALTER TABLE tags_v2 RENAME TO "Tags_v2"; CREATE VIEW tags_v2 AS SELECT * FROM "Tags_v2"',
    )
    account = assess(owned_url)
    fates = {one.shown: (one.fate, one.rows) for one in account.tables}
    expected = {
        "public.users": ("copied", 2),
        "public.market_data_cache": ("copied", 0),
        "public.pairwise_correlations": ("recomputed", 0),
        "public.factor_definitions": ("seeded", 0),
        "public.batch_jobs": ("left out", 0),
        "public.ai_insights": ("unknown", 12),
        "public.halves": ("unknown", 2),
        "public.empty_one": ("unknown", 0),
        "auth.users": ("unknown", 1),
        "public.beyond": ("left out", None),
        "public.positions": ("copied", 3),
        "public.notes_kept": ("unknown", 1),
        "public.summary": ("derived", None),
        "public.jobs": ("left out", 1),
        "public.tags_v2": ("copied", 2),
        "public.Tags_v2": ("left out", 2),
    }
    assert {name: fates[name] for name in expected} == expected
    assert fates.keys().isdisjoint(("public.half", "public.positions_2020")), "of their parents"
    left_out = {"public.positions": "broker_note", "public.factor_definitions": "note"}
    for name, column in left_out.items():
        assert table(account, name).column_fates[column] == "left out"
    columns = table(account, "public.users").column_fates
    assert (columns["email"], columns["nickname"]) == ("copied", "left out")
    assert table(account, "public.portfolios").column_fates["equity_balance"] == "recomputed"
    assert (account.go, account.schema) == (True, "public")
    assert account.unknown is not None
    assert account.unknown.items() >= {"public.ai_insights": 12, "auth.users": 1}.items()
    assert list(account.surroundings.publications) == ["everything"]
    assert {"triggers on: public.users", "1 large objects, which a move leaves behind"} <= {
        *account_lines(account)
    }


def test_how_long_reading_takes_is_told_by_the_first_rows(
    run: Run, owned_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(owned_url, PRICES)
    run(
        owned_url,
        'ALTER TABLE tags_v2 RENAME TO "Tags_v2";'
        " CREATE VIEW tags_v2 AS"
        ' SELECT *, 1 / (length(name) - length(name)) AS never FROM "Tags_v2"',
    )
    monkeypatch.setattr("ops.assessment.pace._SAMPLE", 100)
    monkeypatch.setattr("ops.assessment.pace.monotonic", count().__next__)
    account = assess(owned_url)
    others = [one for one in account.tables if one.is_brought and one.rows]
    assert account.read_seconds == 1000 / 100 + len(others) - 1
    assert account.surroundings.direct
    assert (
        f"a copy takes {account.read_seconds:.1f} s at least, which is how long reading takes"
        in {*account_lines(account)}
    )


def test_an_encoding_that_lacks_characters_is_named(server: EmbeddedServer) -> None:
    narrow = create_database(server, encoding="LATIN1")
    make_legacy(narrow)
    said = "a rollback could not bring back texts with what LATIN1 lacks"
    assert said in {*account_lines(assess(narrow))}


@pooled
def test_a_pooler_in_between_is_named(owned_url: URL) -> None:
    with pooling(owned_url, "session") as address:
        lines = set(account_lines(assess(address)))
    assert "a pooler is in between, whose limits on connections and on waiting hold too" in lines


def test_what_nobody_knows_has_a_price(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(owned_url, INSIGHTS)
    run(owned_url, "ALTER TABLE users ADD nickname text")
    assert copied(owned_url, core_url, ai_url)["users"].ignored_columns == ("nickname",)
    price = swap_price(owned_url, core_url, ai_url)
    assert (price.total, price.lasting(("users", "chat", "ai")).total) == (12, 12)
    assert price.advice() == (
        "the new pair lacks rows of legacy: 12 of public.ai_insights (nothing of ours knows "
        "public.ai_insights: keep what is needed, then --accept-unknown public.ai_insights); "
        "swap with --accept-loss 12"
    )
    assert price.without({"public.ai_insights"}).total == 0
    for wrong in ("ai_insights", "public.users"):
        with pytest.raises(BadInputError, match=f"{wrong}: .* there are: public.ai_insights"):
            price.without({wrong})
    counted = Price(unknown={"public.ai_insights": 3})
    assert swap_price(owned_url, core_url, ai_url, counted).total == 3
    run(
        owned_url,
        "TRUNCATE ai_insights; CREATE MATERIALIZED VIEW one AS SELECT 1 WITH NO DATA;"
        'ALTER TABLE tags_v2 RENAME TO "Tags_v2"; CREATE VIEW tags_v2 AS SELECT * FROM "Tags_v2"',
    )
    assert swap_price(owned_url, core_url, ai_url).total == 0


# Of portfolio A, whose days from 1 to 3 July were computed; 5 July was a Saturday.
HISTORY = f"""
INSERT INTO position_volatility (id, position_id, calculation_date, realized_vol_21d, observations,
    created_at, updated_at)
SELECT gen_random_uuid(), p::uuid, d, 0.2, 21, now(), now()
FROM unnest(ARRAY['{A_POSITION}', '{B_POSITION}']) AS p,
    generate_series('2025-06-21'::date, '2025-07-05', '1 day') AS d;
INSERT INTO correlation_calculations (id, portfolio_id, duration_days, calculation_date,
    overall_correlation, correlation_concentration_score, effective_positions, data_quality,
    positions_included)
SELECT gen_random_uuid(), '{A_PORTFOLIO}', 90, d, 0, 0, 1, 'good', 1
FROM unnest(ARRAY['2025-06-30', '2025-07-01']::date[]) AS d;
INSERT INTO correlation_clusters (id, correlation_calculation_id, cluster_number, nickname,
    avg_correlation, total_value, portfolio_percentage, created_at)
SELECT gen_random_uuid(), id, 1, 'tech', 0.5, 1, 1, now() FROM correlation_calculations LIMIT 1;
INSERT INTO pairwise_correlations (id, correlation_calculation_id, symbol_1, symbol_2,
    correlation_value, data_points)
SELECT gen_random_uuid(), id, 'AAPL', 'MSFT', 0.5, 60 FROM correlation_calculations;
INSERT INTO portfolio_snapshots SELECT (jsonb_populate_record(s, jsonb_build_object('id',
    gen_random_uuid(), 'snapshot_date', d))).* FROM portfolio_snapshots AS s,
    unnest(ARRAY['2025-07-01', '2025-07-03', '2025-07-05']) AS d
WHERE s.snapshot_date = '2025-06-30'
"""
COMPUTED = f"""
DELETE FROM portfolio_snapshots WHERE snapshot_date = '2025-07-05';
UPDATE portfolio_snapshots SET id = gen_random_uuid() WHERE snapshot_date >= '2025-07-01';
INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status)
SELECT '{A_PORTFOLIO}', d::date, 'done'
FROM unnest(ARRAY['2025-07-01', '2025-07-02', '2025-07-03']) AS d
"""


def test_days_that_no_batch_computes_again_are_named_and_have_a_price(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(owned_url, HISTORY)
    found = table(assess(owned_url), "public.position_volatility")
    assert (found.rows, becomes(found)) == (30, "recomputed: 20 rows of other days are left out")
    copied(owned_url, core_url, ai_url)
    run(core_url, COMPUTED)
    price = swap_price(owned_url, core_url, ai_url)
    assert price.uncomputed == {
        "position_volatility of days not computed": 10 + 2 + 15,
        "correlation_calculations of days not computed": 1,
        "pairwise_correlations of days not computed": 1,
        "correlation_clusters of days not computed": 1,
        "portfolio_snapshots of days not computed": 1,
    }
    assert (price.total, price.lasting(OWNED).total) == (31, 31)
    assert "1 of portfolio_snapshots of days not computed, 27 of position_vol" in price.advice()


def test_each_portfolio_shows_what_it_showed_on_its_own_newest_day(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    """B was last seen two days before A; its snapshot of that day is gone here, or another."""
    run(owned_url, HISTORY)
    of_b = f"UPDATE portfolio_snapshots SET portfolio_id = '{B_PORTFOLIO}' WHERE snapshot_date = "
    run(owned_url, f"{of_b}'2025-07-01'")
    copied(owned_url, core_url, ai_url)
    both = COMPUTED.replace(f"'{A_PORTFOLIO}'", "p.id").replace("AS d\n", "AS d, portfolios AS p\n")
    run(core_url, both)
    assert swap_price(owned_url, core_url, ai_url).equities == ()
    for change, here in (
        ("UPDATE portfolio_snapshots SET equity_balance = 5", "5.00"),
        ("DELETE FROM portfolio_snapshots", "none"),
    ):
        run(core_url, f"{change} WHERE portfolio_id = '{B_PORTFOLIO}'")
        price = swap_price(owned_url, core_url, ai_url)
        assert price.equities == (f"Two on 2025-07-01: 1000.50, here {here}",)
        assert price.by_table[SHOWN_EQUITY] == 1


@pytest.mark.parametrize(
    "hidden",
    [
        *soaked("CREATE TABLE secrets (id int); INSERT INTO secrets VALUES (1)"),
        "CREATE TABLE secrets (id int); GRANT SELECT ON secrets TO reader_of_most;"
        " ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; INSERT INTO secrets VALUES (1)",
    ],
    ids=["no privilege", "policies"],
)
def test_what_cannot_be_read_is_no_price_of_zero(
    hidden: str, run: Run, server: EmbeddedServer, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(server.url(), "CREATE ROLE reader_of_most LOGIN PASSWORD 'p'")
    try:
        run(owned_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_of_most")
        run(owned_url, hidden)
        reader = owned_url.set(username="reader_of_most", password="p")
        account = assess(reader)
        assert (table(account, "public.secrets").fate, account.go) == ("unreadable", True)
        copied(reader, core_url, ai_url)
        with pytest.raises(LegacySchemaError, match=r"may not read public\.secrets.*GRANT SELECT"):
            swap_price(reader, core_url, ai_url)
        run(owned_url, "REVOKE SELECT ON fund_holdings FROM reader_of_most")
        account = assess(reader)
        fates = [table(account, f"public.{name}").fate for name in ("users", "fund_holdings")]
        assert (fates, account.unknown) == (["undecided", "unreadable"], None)
    finally:
        run(owned_url, "DROP OWNED BY reader_of_most")
        run(server.url(), "DROP ROLE reader_of_most")


MARKED = ('{"seed": "builtin"}', '{"a": 1, "seed" : "builtin", "b": [2]}')
UNMARKED = (
    '{"origin": {"seed": "builtin"}}',
    '{"note": "\\"seed\\": \\"builtin\\""}',
    '{"seed": "mine"}',
)


def test_a_document_is_left_out_by_its_own_mark_and_counted(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(owned_url, "DELETE FROM ai_kb_documents")
    for number, metadata in enumerate((*MARKED, *UNMARKED)):
        run(
            owned_url,
            "INSERT INTO ai_kb_documents (scope, title, content, metadata)"
            " VALUES ('global', %s, 'Text.', %s)",
            [f"Document {number}", metadata],
        )
    documents = copied(owned_url, core_url, ai_url)["ai_kb_documents"]
    assert (documents.accepted, documents.left_out) == (len(UNMARKED), len(MARKED))
    titles = run(ai_url, "SELECT title FROM ai_kb_documents ORDER BY title")
    assert titles == [("Document 2",), ("Document 3",), ("Document 4",)]


def test_rows_that_policies_may_hide_from_their_owner_are_no_go(
    run: Run, server: EmbeddedServer, owned_url: URL
) -> None:
    run(owned_url, "ALTER TABLE tags_v2 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    run(server.url(), "CREATE ROLE bound_by_policies LOGIN PASSWORD 'p'")
    try:
        run(owned_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO bound_by_policies")
        account = assess(owned_url.set(username="bound_by_policies", password="p"))
    finally:
        run(owned_url, "DROP OWNED BY bound_by_policies")
        run(server.url(), "DROP ROLE bound_by_policies")
    assert not account.go
    [refusal] = account.refusals
    assert "rows of public.tags_v2 from role 'bound_by_policies'; give the address" in refusal


def test_a_server_that_no_swap_can_lock_is_no_go(
    owned_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.assessment.account.OLDEST_SWAPPED", 99)
    [refusal] = assess(owned_url).refusals
    assert "no swap can lock it (that needs 99); upgrade the old server" in refusal


def test_a_database_without_the_installation_is_no_go(run: Run, scratch_database: URL) -> None:
    run(scratch_database, "CREATE TABLE users (id int); INSERT INTO users VALUES (1)")
    account = assess(scratch_database)
    assert (account.go, account.schema, account.unknown) == (False, None, None)
    assert "has no schema with portfolios, positions and users" in account.refusals[0]


def test_where_the_installation_is_not_found_nothing_is_said_of_its_tables(
    run: Run, owned_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(owned_url, INSIGHTS)
    monkeypatch.setattr("ops.assessment.account.OLDEST_SWAPPED", 99)
    account = assess(within_schema(owned_url, "nowhere"))
    assert {one.fate for one in account.tables if one.extension is None} == {"undecided"}
    assert (table(account, "public.ai_insights").rows, account.unknown) == (12, None)
    said = "\n".join(account_lines(account))
    assert "is undecided until that is mended" in said
    assert "nothing of ours knows" not in said
    assert "a copy takes" not in said
    with pytest.raises(RefusedError, match=r"no-go: .*nowhere.*\. And: .*upgrade the old server"):
        refuse_no_go(account)
