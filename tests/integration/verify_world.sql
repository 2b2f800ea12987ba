-- A small book with its analytics, written by hand: every count below follows from this page alone.
-- Sessions of the last 376 days stand in pg_temp.sessions, the trading days in pg_temp.days:
-- 1, 2, 3, 7, 8, 9, 10 and 11 July 2025.

INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
VALUES ('00000000-0000-0000-0000-00000000000a', 'owner@example.com', 'x', 'Owner', true, now(), now());

INSERT INTO portfolios
    (id, user_id, name, account_name, account_type, is_active, currency, equity_balance, created_at,
     updated_at, deleted_at)
SELECT id::uuid, '00000000-0000-0000-0000-00000000000a', name, name, 'taxable', true, 'USD', equity,
    now(), now(), deleted::timestamptz
FROM (VALUES
    ('00000000-0000-0000-0000-0000000000b1', 'Growth', 1000000, NULL),
    ('00000000-0000-0000-0000-0000000000b2', 'Private', 500000, NULL),
    ('00000000-0000-0000-0000-0000000000b3', 'Closed', 70000, '2025-07-07')
) AS p (id, name, equity, deleted);

-- Prices move between 100 and 106; FLAT does not move, NEW is listed since 15 April: 60 prices
-- up to 11 July, 59 returns. Its rows before that are no prices: a Saturday, zero, NaN.
INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at, updated_at)
SELECT gen_random_uuid(), symbol, day,
    CASE symbol WHEN 'FLAT' THEN 50 ELSE 100 + (extract(doy FROM day)::int * 5) % 7 END,
    'test', now(), now()
FROM pg_temp.sessions
CROSS JOIN unnest(ARRAY[
    'AAA', 'BBB', 'CCC', 'DDD', 'EEE', 'NEW', 'FLAT',
    'SPY', 'VUG', 'VTV', 'MTUM', 'QUAL', 'IWM', 'USMV', 'TLT'
]) AS symbol
WHERE symbol <> 'NEW' OR day >= '2025-04-15';
INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at, updated_at)
VALUES (gen_random_uuid(), 'NEW', '2025-04-12', 9, 'test', now(), now()),
    (gen_random_uuid(), 'NEW', '2025-04-11', 0, 'test', now(), now()),
    (gen_random_uuid(), 'NEW', '2025-04-10', 'NaN', 'test', now(), now());

INSERT INTO positions
    (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date, exit_date,
     investment_class, deleted_at, created_at, updated_at)
SELECT id::uuid, ('00000000-0000-0000-0000-0000000000' || portfolio)::uuid, symbol,
    kind::positiontype, quantity, 90, entry::date, exit::date, class, deleted::timestamptz, now(),
    now()
FROM (VALUES
    ('c0000000-0000-0000-0000-000000000001', 'b1', 'AAA', 'LONG', 1000, '2025-06-02', NULL, 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000002', 'b1', 'AAA', 'LONG', 100, '2025-06-02', '2025-07-03', 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000003', 'b1', 'BBB', 'SHORT', -500, '2025-06-02', NULL, 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000004', 'b1', 'CCC', 'LONG', 200, '2025-06-02', NULL, 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000005', 'b1', 'CCC', 'LONG', 300, '2025-07-08', NULL, NULL, NULL),
    ('c0000000-0000-0000-0000-000000000006', 'b1', 'NEW', 'LONG', 400, '2025-06-02', NULL, 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000007', 'b1', 'DDD', 'LONG', 20, '2025-06-02', NULL, 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000008', 'b1', 'FLAT', 'LONG', 1000, '2025-06-02', NULL, 'PUBLIC', NULL),
    ('c0000000-0000-0000-0000-000000000009', 'b1', 'EEE', 'LONG', 5, '2025-06-02', NULL, 'PUBLIC', '2025-07-02 15:00Z'),
    ('c0000000-0000-0000-0000-000000000010', 'b1', 'AAA260117C00100000', 'LC', 3, '2025-06-02', NULL, 'OPTIONS', NULL),
    ('c0000000-0000-0000-0000-000000000011', 'b1', 'LOFT', 'LONG', 1, '2025-06-02', NULL, 'PRIVATE', NULL),
    ('c0000000-0000-0000-0000-000000000012', 'b2', 'HOUSE', 'LONG', 1, '2025-06-02', NULL, 'PRIVATE', NULL),
    ('c0000000-0000-0000-0000-000000000013', 'b3', 'EEE', 'LONG', 1000, '2025-06-02', NULL, 'PUBLIC', NULL)
) AS p (id, portfolio, symbol, kind, quantity, entry, exit, class, deleted);

-- Of DDD, 480 were sold on the third day: until then it was worth correlating.
INSERT INTO position_realized_events
    (id, position_id, portfolio_id, trade_date, quantity_closed, realized_pnl, created_at)
VALUES (gen_random_uuid(), 'c0000000-0000-0000-0000-000000000007',
    '00000000-0000-0000-0000-0000000000b1', '2025-07-03', 480, 4800, now());

-- 700 net came in on a Saturday, 5,000 on a Tuesday.
INSERT INTO equity_changes
    (id, portfolio_id, change_type, amount, change_date, created_by_user_id, created_at, updated_at)
VALUES
    (gen_random_uuid(), '00000000-0000-0000-0000-0000000000b1', 'CONTRIBUTION', 1000, '2025-07-05',
     '00000000-0000-0000-0000-00000000000a', now(), now()),
    (gen_random_uuid(), '00000000-0000-0000-0000-0000000000b1', 'WITHDRAWAL', 300, '2025-07-05',
     '00000000-0000-0000-0000-00000000000a', now(), now()),
    (gen_random_uuid(), '00000000-0000-0000-0000-0000000000b1', 'CONTRIBUTION', 5000, '2025-07-08',
     '00000000-0000-0000-0000-00000000000a', now(), now());

INSERT INTO factor_definitions (id, name, factor_type, display_order, is_active, created_at, updated_at)
SELECT gen_random_uuid(), name, 'style', number, true, now(), now()
FROM unnest(ARRAY[
    'Value', 'Growth', 'Momentum', 'Quality', 'Size', 'Low Volatility',
    'Growth-Value Spread', 'Momentum Spread', 'Size Spread', 'Quality Spread'
]) WITH ORDINALITY AS f (name, number);

-- NEW has 30 shared returns and not 60: six factors. 538 rows in all.
INSERT INTO position_factor_exposures
    (position_id, factor_id, calculation_date, exposure_value, quality_flag, created_at)
SELECT ('c0000000-0000-0000-0000-0000000000' || held.number)::uuid, f.id, d.day, 1.25,
    'full_history', now()
FROM (VALUES
    ('01', '2025-07-01', '2025-07-11', 10),
    ('02', '2025-07-01', '2025-07-03', 10),
    ('03', '2025-07-01', '2025-07-11', 10),
    ('04', '2025-07-01', '2025-07-11', 10),
    ('05', '2025-07-08', '2025-07-11', 10),
    ('06', '2025-07-01', '2025-07-11', 6),
    ('07', '2025-07-01', '2025-07-11', 10),
    ('08', '2025-07-01', '2025-07-11', 10),
    ('09', '2025-07-01', '2025-07-02', 10)
) AS held (number, first, last, factors)
JOIN pg_temp.days AS d ON d.day BETWEEN held.first::date AND held.last::date
JOIN factor_definitions AS f ON f.display_order <= held.factors;

-- What an earlier batch left of a portfolio that is closed now counts for nothing.
INSERT INTO position_factor_exposures
    (position_id, factor_id, calculation_date, exposure_value, quality_flag, created_at)
SELECT 'c0000000-0000-0000-0000-000000000013', id, '2025-07-01', 1, 'full_history', now()
FROM factor_definitions;

INSERT INTO position_market_betas
    (portfolio_id, position_id, calc_date, beta, observations, created_at, updated_at)
SELECT '00000000-0000-0000-0000-0000000000b1', 'c0000000-0000-0000-0000-000000000001', day, 1.1, 80,
    now(), now()
FROM pg_temp.days;
INSERT INTO position_interest_rate_betas (portfolio_id, position_id, ir_beta, calculation_date, created_at)
SELECT '00000000-0000-0000-0000-0000000000b1', 'c0000000-0000-0000-0000-000000000001', -0.3, day, now()
FROM pg_temp.days;
INSERT INTO position_volatility
    (position_id, calculation_date, realized_vol_21d, realized_vol_63d, created_at, updated_at)
SELECT 'c0000000-0000-0000-0000-000000000001', day, 0.2, 0.25, now(), now()
FROM pg_temp.days;

-- Growth: 100.25 a day from the second day on. Private: nothing moves.
INSERT INTO portfolio_snapshots
    (id, portfolio_id, snapshot_date, total_value, equity_balance, cash_value, long_value,
     short_value, gross_exposure, net_exposure, daily_pnl, daily_capital_flow, num_positions,
     num_long_positions, num_short_positions, realized_volatility_21d, hhi, is_complete, created_at)
SELECT gen_random_uuid(), '00000000-0000-0000-0000-0000000000b1', day, equity, equity, 0, 2250000,
    -50000, 2300000, 2200000, CASE number WHEN 1 THEN 0 ELSE 100.25 END,
    CASE day WHEN '2025-07-08' THEN 5000 WHEN '2025-07-07' THEN 700 ELSE 0 END, 9, 8, 1, 0.2, 2500,
    true, now()
FROM (
    SELECT day, number, 1000000 + 100.25 * (number - 1)
        + CASE WHEN day >= '2025-07-07' THEN 700 ELSE 0 END
        + CASE WHEN day >= '2025-07-08' THEN 5000 ELSE 0 END AS equity
    FROM (SELECT day, row_number() OVER (ORDER BY day) AS number FROM pg_temp.days) AS numbered
) AS rolled;
INSERT INTO portfolio_snapshots
    (id, portfolio_id, snapshot_date, total_value, equity_balance, cash_value, long_value,
     short_value, gross_exposure, net_exposure, daily_pnl, daily_capital_flow, num_positions,
     num_long_positions, num_short_positions, is_complete, created_at)
SELECT gen_random_uuid(), '00000000-0000-0000-0000-0000000000b2', day, 500000, 500000, 0, 500000, 0,
    500000, 500000, 0, 0, 1, 1, 0, true, now()
FROM pg_temp.days;

-- The filter passes at 10,000 and 1 % of 2,300,000: AAA, BBB and NEW always, DDD until most of it is
-- sold, CCC from its second lot on; FLAT does not move. 8 runs, 3 * 16 + 9 + 4 * 16 = 121 pairs.
CREATE TEMP TABLE correlated AS
SELECT day, ARRAY['AAA', 'BBB', 'NEW'] || CASE
    WHEN day <= '2025-07-03' THEN ARRAY['DDD'] WHEN day >= '2025-07-08' THEN ARRAY['CCC']
    ELSE ARRAY[]::text[] END AS symbols
FROM pg_temp.days;
INSERT INTO correlation_calculations
    (portfolio_id, duration_days, calculation_date, overall_correlation,
     correlation_concentration_score, effective_positions, data_quality, positions_included)
SELECT '00000000-0000-0000-0000-0000000000b1', 90, day, 0.5, 0, 2, 'sufficient',
    cardinality(symbols)
FROM pg_temp.correlated;
INSERT INTO pairwise_correlations
    (correlation_calculation_id, symbol_1, symbol_2, correlation_value, data_points,
     statistical_significance)
SELECT c.id, one, two, CASE WHEN one = two THEN 1 ELSE 0.5 END, 60, 0.99
FROM pg_temp.correlated
JOIN correlation_calculations AS c ON c.calculation_date::date = correlated.day
CROSS JOIN unnest(symbols) AS one
CROSS JOIN unnest(symbols) AS two;

-- Held on the last day: five symbols with ten factors, NEW with six.
INSERT INTO symbol_universe (symbol, asset_type, is_active, created_at, updated_at)
SELECT symbol, 'equity', symbol <> 'EEE', now(), now()
FROM unnest(ARRAY['AAA', 'BBB', 'CCC', 'DDD', 'EEE', 'FLAT', 'NEW']) AS symbol;
INSERT INTO symbol_factor_exposures
    (symbol, factor_id, calculation_date, beta_value, calculation_method, created_at)
SELECT u.symbol, f.id, '2025-07-11', 0.75, 'ridge_regression', now()
FROM symbol_universe AS u
JOIN factor_definitions AS f ON f.display_order <= CASE u.symbol WHEN 'NEW' THEN 6 ELSE 10 END
WHERE u.is_active;
INSERT INTO symbol_daily_metrics (symbol, metrics_date, current_price, updated_at)
SELECT symbol, '2025-07-11', 100, now() FROM symbol_universe WHERE is_active;

INSERT INTO batch_run_tracking
    (id, run_date, phase_1_status, phase_2_status, phase_3_status, completed_at)
SELECT gen_random_uuid(), day, 'success', 'success', 'success', now() FROM pg_temp.days;
INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status)
SELECT id, day, 'done' FROM portfolios CROSS JOIN pg_temp.days WHERE deleted_at IS NULL;
INSERT INTO ops.starting_capital (portfolio_id, equity)
SELECT id, equity_balance FROM portfolios WHERE deleted_at IS NULL;

INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at, metadata)
VALUES ('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-00000000000a', 'green',
    'openai', now(), now(), '{}');
INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at)
VALUES ('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000d1', 'user', '[]',
    now());
