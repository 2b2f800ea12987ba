"""Ways to break one thing of a sound system, and the checks that must say so."""

from typing import NamedTuple

GROWTH = "'00000000-0000-0000-0000-0000000000b1'"
AAA = "'c0000000-0000-0000-0000-000000000001'"
# What the batch leaves of days without positions.
ZEROS = """
INSERT INTO portfolio_snapshots
    (id, portfolio_id, snapshot_date, total_value, equity_balance, cash_value, long_value,
     short_value, gross_exposure, net_exposure, daily_pnl, num_positions, num_long_positions,
     num_short_positions, is_complete, created_at)
SELECT gen_random_uuid(), p.id, d.day, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, true, now()
FROM ({portfolios}) AS p CROSS JOIN ({days}) AS d;
INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status)
SELECT p.id, d.day, 'done' FROM ({portfolios}) AS p CROSS JOIN ({days}) AS d;
"""
SNAPSHOT = f"WHERE portfolio_id = {GROWTH} AND snapshot_date = '2025-07-09'"


class Damage(NamedTuple):
    """SQL that breaks one thing, the checks that must fail, and words of the first's detail."""

    do: str
    fails: set[str]
    says: str
    on: str = "core"


CORE_DAMAGES = {
    "a table too many": Damage("CREATE TABLE scratch (id int)", {"core schema"}, "39 tables of 38"),
    "a table too few": Damage(
        "ALTER TABLE fund_holdings SET SCHEMA ops", {"core schema"}, "37 tables of 38"
    ),
    "an index is gone": Damage(
        "DROP INDEX idx_positions_active_complete",
        {"core schema"},
        "CREATE INDEX idx_positions_active_complete",
    ),
    "the revision is unknown": Damage(
        "UPDATE alembic_version SET version_num = 'fffe'", {"core schema"}, "fffe"
    ),
    "a foreign key is gone": Damage(
        "ALTER TABLE positions DROP CONSTRAINT fk_positions_portfolio_id_portfolios",
        {"core schema", "foreign keys"},
        "missing: positions.fk_positions_portfolio_id_portfolios",
    ),
    "foreign keys are switched off": Damage(
        "ALTER TABLE portfolio_snapshots DISABLE TRIGGER ALL",
        {"core schema", "foreign keys"},
        "not enforced: portfolio_snapshots.",
    ),
    "a conversation of nobody": Damage(
        "UPDATE agent_conversations SET user_id = gen_random_uuid()",
        {"loose references"},
        "agent_conversations.user_id → users: 1 of 1",
    ),
    "a message that was rated is gone": Damage(
        "DELETE FROM agent_messages", {"loose references"}, "agent_messages: 1 of 1"
    ),
    "an ETF is missing": Damage(
        "DELETE FROM market_data_cache WHERE symbol = 'TLT'", {"market data"}, "TLT"
    ),
    "a held symbol stopped in the range, as a delisted one does": Damage(
        "DELETE FROM market_data_cache WHERE symbol = 'CCC' AND date > '2025-07-02'",
        set(),
        "44 of 50 symbol-days priced (88.00%)",
    ),
    "a held symbol has no price in the range": Damage(
        "UPDATE market_data_cache SET close = 0 WHERE symbol = 'DDD' AND date >= '2025-07-01'",
        set(),
        "symbols without any price: DDD",
    ),
    "a day failed": Damage(
        "UPDATE ops.backfill_ledger SET status = 'failed', reason = 'too hot'"
        f" WHERE portfolio_id = {GROWTH} AND calculation_date = '2025-07-09'",
        {"backfill ledger"},
        "1 failed, 0 missing, first Growth 2025-07-09: too hot",
    ),
    "a day was never done": Damage(
        "DELETE FROM ops.backfill_ledger WHERE calculation_date = '2025-07-02'",
        {"backfill ledger"},
        "0 failed, 2 missing, first Growth 2025-07-02: not recorded",
    ),
    "a day is not tracked": Damage(
        "DELETE FROM batch_run_tracking WHERE run_date = '2025-07-02'",
        {"batch_run_tracking"},
        "found 7; 1 missing",
    ),
    "a holiday is tracked": Damage(
        "INSERT INTO batch_run_tracking (id, run_date, phase_3_status, completed_at)"
        " VALUES (gen_random_uuid(), '2025-07-04', 'success', now())",
        {"batch_run_tracking"},
        "1 unexpected",
    ),
    "a tracked day did not succeed": Damage(
        "UPDATE batch_run_tracking SET phase_3_status = 'failed' WHERE run_date = '2025-07-02'",
        {"batch_run_tracking"},
        "1 unsuccessful",
    ),
    "a snapshot is missing": Damage(
        "DELETE FROM portfolio_snapshots WHERE snapshot_date = '2025-07-07'"
        " AND portfolio_id <> " + GROWTH,
        {"portfolio_snapshots"},
        "expected 16, found 15; 1 missing",
    ),
    "a snapshot of a holiday in place of another": Damage(
        "UPDATE portfolio_snapshots SET snapshot_date = '2025-07-04'"
        " WHERE snapshot_date = '2025-07-07' AND portfolio_id <> " + GROWTH,
        {"portfolio_snapshots"},
        "expected 16, found 16; 1 missing; 1 unexpected",
    ),
    "an exposure is missing": Damage(
        "DELETE FROM position_factor_exposures WHERE id ="
        f" (SELECT id FROM position_factor_exposures WHERE position_id = {AAA} LIMIT 1)",
        {"position_factor_exposures"},
        "expected 538, found 537; 1 differing position days",
    ),
    "an exposure of a position before its entry": Damage(
        "INSERT INTO position_factor_exposures (position_id, factor_id, calculation_date,"
        " exposure_value) SELECT 'c0000000-0000-0000-0000-000000000005', id, '2025-07-07', 1"
        " FROM factor_definitions LIMIT 1",
        {"position_factor_exposures"},
        "found 539",
    ),
    "an exposure of a private asset in place of a stock's": Damage(
        "UPDATE position_factor_exposures"
        " SET position_id = 'c0000000-0000-0000-0000-000000000011'"
        f" WHERE position_id = {AAA} AND calculation_date = '2025-07-09'",
        {"position_factor_exposures"},
        "expected 538, found 538; 2 differing position days",
    ),
    "a position entered the day before": Damage(
        "UPDATE positions SET entry_date = '2025-07-07'"
        " WHERE id = 'c0000000-0000-0000-0000-000000000005'",
        {"position_factor_exposures", "correlation_calculations", "pairwise_correlations"},
        "expected 548, found 538",
    ),
    "a correlation run is missing": Damage(
        "DELETE FROM pairwise_correlations USING correlation_calculations AS c"
        " WHERE correlation_calculation_id = c.id AND c.calculation_date = '2025-07-07';"
        "DELETE FROM correlation_calculations WHERE calculation_date = '2025-07-07'",
        {"correlation_calculations", "pairwise_correlations"},
        "expected 8, found 7",
    ),
    "a correlation run of another size": Damage(
        "UPDATE correlation_calculations SET positions_included = 3"
        " WHERE calculation_date = '2025-07-09'",
        {"correlation_calculations"},
        "found 8; 1 differing portfolio days",
    ),
    "a symbol left out of the pairs": Damage(
        "DELETE FROM pairwise_correlations WHERE 'DDD' IN (symbol_1, symbol_2)",
        {"pairwise_correlations"},
        "expected 121, found 100; 3 differing portfolio days",
    ),
    "a larger book that a position is too small for": Damage(
        "UPDATE portfolio_snapshots SET long_value = long_value * 4,"
        " gross_exposure = long_value * 4 + 50000, net_exposure = long_value * 4 - 50000"
        f" WHERE portfolio_id = {GROWTH}",
        {"correlation_calculations", "pairwise_correlations"},
        "expected 8, found 121",
    ),
    "a symbol's factor is missing": Damage(
        "DELETE FROM symbol_factor_exposures WHERE id ="
        " (SELECT id FROM symbol_factor_exposures WHERE symbol = 'BBB' LIMIT 1)",
        {"symbol_factor_exposures"},
        "expected 56, found 55; 1 differing symbols",
    ),
    "a symbol's figures are of an older day": Damage(
        "UPDATE symbol_daily_metrics SET metrics_date = '2025-07-10' WHERE symbol = 'BBB'",
        {"symbol_daily_metrics"},
        "expected 6, found 5",
    ),
    "no starting capital": Damage(
        "DELETE FROM ops.starting_capital WHERE portfolio_id = " + GROWTH,
        {"starting capital"},
        "1 without recorded capital",
    ),
    "another starting capital": Damage(
        "UPDATE ops.starting_capital SET equity = equity + 0.02 WHERE portfolio_id = " + GROWTH,
        {"starting capital"},
        "1 start elsewhere, first Growth 2025-07-01: 1000000.00 instead of 1000000.02",
    ),
    "one cent between the capital and the first equity": Damage(
        "UPDATE ops.starting_capital SET equity = equity + 0.01 WHERE portfolio_id = " + GROWTH,
        set(),
        "2 portfolios; 0 without recorded capital, 0 start elsewhere",
    ),
    "a portfolio without positions": Damage(
        "INSERT INTO portfolios (id, user_id, name, account_name, account_type, is_active,"
        " currency, equity_balance, created_at, updated_at)"
        " SELECT '00000000-0000-0000-0000-0000000000b4', user_id, 'Empty', 'Empty', 'taxable',"
        f" true, 'USD', 77, now(), now() FROM portfolios WHERE id = {GROWTH};"
        + ZEROS.format(
            portfolios="SELECT '00000000-0000-0000-0000-0000000000b4'::uuid AS id",
            days="SELECT run_date AS day FROM batch_run_tracking",
        ),
        set(),
        "expected 24, found 24",
    ),
    "two cents too much": Damage(
        f"UPDATE portfolio_snapshots SET daily_pnl = daily_pnl - 0.02 {SNAPSHOT}",
        {"equity chain"},
        "1 broken, first Growth 2025-07-09",
    ),
    "a contribution after the fact": Damage(
        "UPDATE equity_changes SET amount = amount + 1 WHERE change_date = '2025-07-08'",
        {"equity chain"},
        "1 broken, first Growth 2025-07-08",
    ),
    "no equity": Damage(
        f"UPDATE portfolio_snapshots SET equity_balance = NULL {SNAPSHOT}",
        {"equity chain", "snapshot identities"},
        "1 broken",
    ),
    "another gross exposure": Damage(
        f"UPDATE portfolio_snapshots SET gross_exposure = gross_exposure + 0.02 {SNAPSHOT}",
        {"snapshot identities"},
        "1 with another gross",
    ),
    "another net exposure": Damage(
        f"UPDATE portfolio_snapshots SET net_exposure = net_exposure - 0.02 {SNAPSHOT}",
        {"snapshot identities"},
        "1 with another net",
    ),
    "more long and short positions than there are": Damage(
        f"UPDATE portfolio_snapshots SET num_long_positions = 9 {SNAPSHOT}",
        {"snapshot identities"},
        "1 with another num_positions",
    ),
    "NaN in a beta": Damage(
        "UPDATE position_market_betas SET alpha = 'NaN' WHERE calc_date = '2025-07-09'",
        {"finite values"},
        "position_market_betas.alpha 1",
    ),
    "a beta beyond the cap": Damage(
        f"UPDATE position_factor_exposures SET exposure_value = -5.1 WHERE position_id = {AAA}"
        " AND calculation_date = '2025-07-09'",
        {"betas"},
        "10 in position_factor_exposures",
    ),
    "a symbol's beta beyond the cap": Damage(
        "UPDATE symbol_factor_exposures SET beta_value = 6 WHERE symbol = 'BBB'",
        {"betas"},
        "10 in symbol_factor_exposures",
    ),
    "a correlation above one": Damage(
        "UPDATE pairwise_correlations SET correlation_value = 1.5"
        " WHERE 'DDD' IN (symbol_1, symbol_2) AND 'AAA' IN (symbol_1, symbol_2)"
        " AND symbol_1 <> symbol_2",
        {"correlations"},
        "6 outside [-1, 1]",
    ),
    "a symbol unlike itself": Damage(
        "UPDATE pairwise_correlations SET correlation_value = 0.9"
        " WHERE symbol_1 = 'CCC' AND symbol_2 = 'CCC'",
        {"correlations"},
        "4 not 1 with itself",
    ),
    "a one-sided correlation": Damage(
        "UPDATE pairwise_correlations SET correlation_value = 0.4"
        " WHERE symbol_1 = 'DDD' AND symbol_2 = 'AAA'",
        {"correlations"},
        "6 unlike their mirror image",
    ),
    "a negative volatility": Damage(
        "UPDATE position_volatility SET realized_vol_63d = -0.1"
        " WHERE calculation_date = '2025-07-09'",
        {"volatility and concentration"},
        "1 positions with a negative volatility",
    ),
    "an impossible concentration": Damage(
        f"UPDATE portfolio_snapshots SET hhi = 10000.5 {SNAPSHOT}",
        {"volatility and concentration"},
        "1 snapshots with an impossible concentration",
    ),
    "no index for the prices": Damage(
        "ALTER TABLE market_data_cache DROP CONSTRAINT uq_market_data_cache_symbol_date;"
        "DROP INDEX ix_market_data_cache_symbol; DROP INDEX idx_market_data_valid_prices;"
        "DROP INDEX ix_market_data_cache_date",
        {"hot queries", "core schema"},
        "prices of some symbols up to a day: reads market_data_cache whole",
    ),
    "no index for a small table": Damage(
        "DROP INDEX ix_positions_portfolio_id; DROP INDEX idx_position_portfolio_active;"
        "DROP INDEX idx_positions_active_complete; DROP INDEX idx_positions_symbol_active;"
        "DROP INDEX ix_positions_deleted_at; DROP INDEX ix_positions_exit_date",
        {"hot queries", "core schema"},
        "active positions of a portfolio: no index can answer it",
    ),
}
AI_DAMAGES = {
    "a table too many in AI": Damage(
        "CREATE TABLE users (id uuid)", {"ai schema"}, "5 tables of 4", "ai"
    ),
    "an old extension is only a warning": Damage(
        "UPDATE pg_extension SET extversion = '0.8.1' WHERE extname = 'vector'", set(), "", "ai"
    ),
    "a rating of nothing": Damage(
        "UPDATE ai_feedback SET message_id = gen_random_uuid()",
        {"loose references"},
        "ai_feedback.message_id → agent_messages: 1 of 1",
        "ai",
    ),
    "a memory of nobody": Damage(
        "INSERT INTO ai_memories (user_id, scope, content) VALUES (gen_random_uuid(), 'x', 'x')",
        {"loose references"},
        "ai_memories.user_id → users: 1 of 2",
        "ai",
    ),
    "a memory of a portfolio that is gone": Damage(
        "UPDATE ai_memories SET tags = jsonb_build_object('portfolio_id', gen_random_uuid())"
        " WHERE user_id IS NOT NULL",
        {"loose references"},
        "ai_memories.tags.portfolio_id → portfolios: 1 of 1",
        "ai",
    ),
    "a rule taught by a rating that is gone": Damage(
        "UPDATE ai_memories SET tags = jsonb_build_object('feedback_id', gen_random_uuid())",
        {"loose references"},
        "ai_memories.tags.feedback_id → ai_feedback: 2 of 2",
        "ai",
    ),
    "a document of what is no portfolio": Damage(
        "UPDATE ai_kb_documents SET scope = 'portfolio:none' WHERE title = 'T1'",
        {"loose references"},
        "ai_kb_documents.scope portfolio:… → portfolios: 1 of 1",
        "ai",
    ),
    "an example of a message that is gone": Damage(
        "UPDATE ai_kb_documents SET metadata = jsonb_build_object("
        "'user_id', '00000000-0000-0000-0000-00000000000a', 'message_id', gen_random_uuid())"
        " WHERE title = 'T1'",
        {"loose references"},
        "ai_kb_documents.metadata.message_id → agent_messages: 1 of 1",
        "ai",
    ),
    "the vectors are not indexed": Damage(
        "DROP INDEX ix_ai_kb_documents_embedding_hnsw",
        {"vector search", "ai schema"},
        "no index can answer it",
        "ai",
    ),
    "the vectors are indexed for another distance": Damage(
        "DROP INDEX ix_ai_kb_documents_embedding_hnsw; CREATE INDEX"
        " ix_ai_kb_documents_embedding_hnsw ON ai_kb_documents USING hnsw"
        " (embedding vector_l2_ops) WITH (m = 16, ef_construction = 64)",
        {"vector search", "ai schema"},
        "no index can answer it",
        "ai",
    ),
}
DAMAGES = CORE_DAMAGES | AI_DAMAGES

# Damages that one system can have at the same time: each check is failed by some and passes others.
TOGETHER = (
    (
        "a table too many",
        "a conversation of nobody",
        "an ETF is missing",
        "a day failed",
        "a snapshot is missing",
        "an exposure is missing",
        "a correlation run of another size",
        "a symbol's factor is missing",
        "no starting capital",
        "NaN in a beta",
        "a negative volatility",
    ),
    (
        "a foreign key is gone",
        "a held symbol stopped in the range, as a delisted one does",
        "a day is not tracked",
        "a symbol left out of the pairs",
        "a symbol's figures are of an older day",
        "two cents too much",
        "another gross exposure",
        "a beta beyond the cap",
        "a symbol unlike itself",
        "no index for the prices",
        "the vectors are not indexed",
    ),
    (
        "a position entered the day before",
        "a correlation run is missing",
        "no equity",
        "a rating of nothing",
        "a table too many in AI",
    ),
)
