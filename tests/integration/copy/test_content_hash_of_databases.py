"""Content hashes: equal for equal content whatever the ids, different for any other content."""

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from tests.database_content import database_hash
from tests.databases import NewDatabase
from tests.integration.copy.conftest import Run

# One of everything that refers to something, with ids that differ from database to database.
CONTENT = """
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
SELECT gen_random_uuid(), e, md5(random()::text), 'Name of ' || e, true, clock_timestamp(), now()
FROM unnest(ARRAY['a@example.com', 'b@example.com']) AS e ORDER BY random();
INSERT INTO portfolios (id, user_id, name, account_name, account_type, is_active, currency,
    equity_balance, created_at, updated_at)
SELECT gen_random_uuid(), id, 'Book', n, 'taxable', true, 'USD', 1000, now(), now()
FROM users, unnest(ARRAY['x', 'y']) AS n ORDER BY random();
INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
    notes, created_at, updated_at)
SELECT gen_random_uuid(), id, s, 'LONG', 10, 5, '2025-06-30', NULL, now(), now()
FROM portfolios, unnest(ARRAY['AAPL', 'BRK.B']) AS s ORDER BY random();
INSERT INTO factor_definitions (id, name, factor_type, display_order, is_active, created_at,
    updated_at)
SELECT gen_random_uuid(), 'Factor ' || i, 'style', i, true, now(), now()
FROM generate_series(1, 3) AS i ORDER BY random();
INSERT INTO position_factor_exposures (id, position_id, factor_id, calculation_date,
    exposure_value, created_at)
SELECT gen_random_uuid(), p.id, f.id, date '2025-07-01' + d, f.display_order + d, now()
FROM positions AS p, factor_definitions AS f, generate_series(0, 9) AS d ORDER BY random();
INSERT INTO correlation_calculations (id, portfolio_id, duration_days, calculation_date,
    overall_correlation, correlation_concentration_score, effective_positions, data_quality,
    positions_included, positions_excluded)
SELECT gen_random_uuid(), id, 90, '2025-07-01 00:00:00+00', 0.5, 0.5, 2, 'good', 2, 0
FROM portfolios ORDER BY random();
INSERT INTO pairwise_correlations (id, correlation_calculation_id, symbol_1, symbol_2,
    correlation_value, data_points)
SELECT gen_random_uuid(), id, 'AAPL', 'BRK.B', 0.25, 90 FROM correlation_calculations;
INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value, cash_value,
    long_value, short_value, gross_exposure, net_exposure, num_positions, num_long_positions,
    num_short_positions, sector_exposure, is_complete, created_at)
SELECT gen_random_uuid(), id, '2025-07-01', 100, 0, 100, 0, 100, 100, 2, 2, 0,
    '{"Technology": 0.5, "Energy": 0.5}', true, now()
FROM portfolios ORDER BY random();
INSERT INTO batch_run_tracking (id, run_date, phase_1_status, phase_1_duration_seconds,
    completed_at)
VALUES (gen_random_uuid(), '2025-07-01', 'success', (random() * 100)::int, clock_timestamp());
"""


@pytest.fixture
def filled_url(run: Run, core_url: URL) -> URL:
    run(core_url, CONTENT)
    return core_url


def test_equal_content_under_other_ids_and_in_another_order_has_equal_hashes(
    run: Run, filled_url: URL, new_database: NewDatabase, core_template: str
) -> None:
    other_url = new_database(core_template)
    run(other_url, CONTENT)
    ids = "SELECT id FROM positions ORDER BY id"
    assert run(other_url, ids) != run(filled_url, ids)
    hashes = database_hash(filled_url)
    assert hashes == database_hash(other_url)
    assert hashes["position_factor_exposures"].rows == 240
    assert set(hashes) == set(Base.metadata.tables)


CHANGES = (
    ("UPDATE users SET full_name = 'Other' WHERE email LIKE 'a%'", {"users"}),
    ("UPDATE positions SET notes = '' WHERE symbol = 'AAPL'", {"positions"}),
    (
        "UPDATE position_factor_exposures SET exposure_value = exposure_value + 0.000001"
        " WHERE id = (SELECT max(id::text)::uuid FROM position_factor_exposures)",
        {"position_factor_exposures"},
    ),
    (
        "DELETE FROM position_factor_exposures"
        " WHERE id = (SELECT max(id::text)::uuid FROM position_factor_exposures)",
        {"position_factor_exposures"},
    ),
    (
        "UPDATE pairwise_correlations SET symbol_1 = symbol_2, symbol_2 = symbol_1",
        {"pairwise_correlations"},
    ),
    (
        "INSERT INTO pairwise_correlations (correlation_calculation_id, symbol_1, symbol_2,"
        " correlation_value, data_points) SELECT correlation_calculation_id, symbol_1,"
        " symbol_2, correlation_value, data_points FROM pairwise_correlations",
        {"pairwise_correlations"},
    ),
    (
        "UPDATE portfolio_snapshots SET sector_exposure = '{\"Energy\": 0.5}'",
        {"portfolio_snapshots"},
    ),
    (
        "UPDATE pairwise_correlations SET correlation_calculation_id ="
        " (SELECT max(id::text)::uuid FROM correlation_calculations)",
        {"pairwise_correlations"},
    ),
    (
        "UPDATE factor_definitions SET name = 'Renamed' WHERE name = 'Factor 1'",
        {"factor_definitions", "position_factor_exposures"},
    ),
    (
        "INSERT INTO agent_conversations (id, user_id, mode, provider, metadata, created_at,"
        " updated_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'green', 'x', '{}', now(),"
        " now())",
        {"agent_conversations"},
    ),
)


def test_any_other_content_has_another_hash(run: Run, filled_url: URL) -> None:
    before = database_hash(filled_url)
    for change, tables in CHANGES:
        run(filled_url, change)
        after = database_hash(filled_url)
        assert {table for table in after if after[table] != before[table]} == tables, change
        before = after


NO_CONTENT = (
    "UPDATE positions SET updated_at = '2020-01-01', created_at = '2020-01-01'",
    "UPDATE users SET hashed_password = 'another salt'",
    "UPDATE batch_run_tracking SET completed_at = NULL, phase_1_duration_seconds = 0",
    'UPDATE portfolio_snapshots SET sector_exposure = \'{ "Energy" : 0.5, "Technology" : 0.5 }\'',
    "ALTER DATABASE {} SET timezone = 'America/New_York'",
    "ALTER DATABASE {} SET datestyle = 'SQL, DMY'",
)


def test_what_is_no_content_does_not_change_the_hash(run: Run, filled_url: URL) -> None:
    before = database_hash(filled_url)
    for change in NO_CONTENT:
        run(filled_url, change.replace("DATABASE {}", f"DATABASE {filled_url.database}"))
        assert database_hash(filled_url) == before, change


def test_the_ai_tables_are_covered_with_their_vectors(run: Run, ai_url: URL) -> None:
    vector = "('[' || repeat('0.5,', 1535) || '{}]')::vector"
    document = (
        "INSERT INTO ai_kb_documents (scope, title, content, embedding) VALUES"
        " ('global', 'Beta', 'What beta is', {})"
    )
    run(ai_url, document.format(vector.format("0.25")))
    before = database_hash(ai_url)
    assert set(before) == set(AiBase.metadata.tables)
    run(ai_url, "UPDATE ai_kb_documents SET id = gen_random_uuid(), created_at = now()")
    assert database_hash(ai_url) == before
    run(ai_url, "UPDATE ai_kb_documents SET embedding = " + vector.format("0.26"))
    assert database_hash(ai_url)["ai_kb_documents"] != before["ai_kb_documents"]


def test_the_column_order_of_the_table_does_not_matter(
    run: Run, filled_url: URL, scratch_database: URL
) -> None:
    engine = create_engine(scratch_database)
    Base.metadata.tables["users"].create(engine)
    engine.dispose()
    run(
        scratch_database,
        "ALTER TABLE users DROP email; ALTER TABLE users ADD email varchar(255);"
        "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
        " updated_at) SELECT gen_random_uuid(), e, 'x', 'Name of ' || e, true, now(), now()"
        " FROM unnest(ARRAY['a@example.com', 'b@example.com']) AS e",
    )
    assert database_hash(scratch_database, ["users"]) == database_hash(filled_url, ["users"])
