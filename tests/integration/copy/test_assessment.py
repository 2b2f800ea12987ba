"""Every table and column of an old database is accounted for, and what stays there has a price."""

import pytest
from sqlalchemy.engine import URL

from ops.assessment import Account, TableAccount, assess
from ops.assessment.report import account_lines
from ops.carrying.swap_price import swap_price
from ops.embedded.server import EmbeddedServer
from ops.legacy_schema import LegacySchemaError
from tests.groups import soaked
from tests.integration.copy.conftest import Run
from tests.integration.copy.owned_world import ID, copied

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
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
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
    }
    assert {name: fates[name] for name in expected} == expected
    assert "public.half" not in fates, "its rows count in its parent"
    columns = table(account, "public.users").column_fates
    assert (columns["email"], columns["nickname"]) == ("copied", "left out")
    assert table(account, "public.portfolios").column_fates["equity_balance"] == "recomputed"
    assert (account.go, account.schema) == (True, "public")
    assert account.unknown.items() >= {"public.ai_insights": 12, "auth.users": 1}.items()
    assert list(account.surroundings.publications) == ["everything"]
    assert "triggers on: public.users" in account_lines(account)


def test_what_nobody_knows_has_a_price(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(owned_url, INSIGHTS)
    run(owned_url, "ALTER TABLE users ADD nickname text")
    assert copied(owned_url, core_url, ai_url)["users"].ignored_columns == ("nickname",)
    price = swap_price(owned_url, core_url, ai_url)
    assert (price.total, price.lasting(("users", "chat", "ai"))) == (12, 12)
    assert price.advice() == (
        "the new pair lacks rows of legacy: 12 of public.ai_insights (nothing of ours knows "
        "public.ai_insights); swap with --accept-loss 12"
    )
    assert swap_price(owned_url, core_url, ai_url, {"public.ai_insights": 3}).total == 3
    run(owned_url, "TRUNCATE ai_insights")
    assert swap_price(owned_url, core_url, ai_url).total == 0


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
    finally:
        run(owned_url, "DROP OWNED BY reader_of_most")
        run(server.url(), "DROP ROLE reader_of_most")


@pytest.mark.parametrize(
    ("metadata", "copied_documents"),
    [
        ('{"seed": "builtin"}', 1),
        ('{"origin": {"seed": "builtin"}}', 2),
        *soaked(
            ('{"a": 1, "seed" : "builtin", "b": [2]}', 1),
            ('{"note": "\\"seed\\": \\"builtin\\""}', 2),
            ('{"seed": "mine"}', 2),
        ),
    ],
)
def test_a_document_is_left_out_by_its_own_mark_and_counted(
    metadata: str, copied_documents: int, run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(owned_url, "UPDATE ai_kb_documents SET metadata = %s WHERE id = %s", [metadata, f"{ID}e1"])
    documents = copied(owned_url, core_url, ai_url)["ai_kb_documents"]
    assert (documents.accepted, documents.left_out) == (copied_documents, 2 - copied_documents)


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
    assert (account.go, account.schema, account.unknown) == (False, None, {"public.users": 1})
    assert "has no schema with portfolios, positions and users" in account.refusals[0]
