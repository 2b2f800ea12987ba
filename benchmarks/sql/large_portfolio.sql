-- A portfolio of 2,000 positions, each in a symbol of its own that has prices and a profile, tagged.
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
VALUES ('00000000-0000-4000-8000-000000000001', 'large@example.com', '-', 'Large', true, now(), now());

INSERT INTO portfolios (
    id, user_id, name, account_name, account_type, currency, equity_balance, created_at, updated_at)
VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001',
    'Large', 'Large', 'taxable', 'USD', 100000000, now(), now());

CREATE TEMP TABLE lots AS
SELECT row_number() OVER (ORDER BY n, symbol) AS number, symbol AS source, symbol || '~' || n AS symbol
FROM (SELECT DISTINCT symbol FROM positions WHERE investment_class = 'PUBLIC') AS held
CROSS JOIN generate_series(1, 100) AS n
ORDER BY number
LIMIT 2000;

INSERT INTO market_data_cache (
    id, symbol, date, open, high, low, close, volume, data_source, created_at, updated_at)
SELECT gen_random_uuid(), l.symbol, m.date, m.open, m.high, m.low,
    m.close * (1 + 0.01 * sin(l.number * extract(doy FROM m.date))), m.volume, m.data_source,
    now(), now()
FROM lots AS l
JOIN market_data_cache AS m ON m.symbol = l.source;

INSERT INTO company_profiles (
    symbol, company_name, sector, industry, beta, data_source, last_updated, created_at, updated_at)
SELECT l.symbol, c.company_name, c.sector, c.industry, c.beta, c.data_source, now(), now(), now()
FROM lots AS l
JOIN company_profiles AS c ON c.symbol = l.source;

INSERT INTO positions (
    id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date, investment_class,
    created_at, updated_at)
SELECT md5(symbol)::uuid, '00000000-0000-4000-8000-000000000002', symbol,
    CASE WHEN number % 7 = 0 THEN 'SHORT' ELSE 'LONG' END::positiontype,
    CASE WHEN number % 7 = 0 THEN -100 ELSE 300 END, 100, '2025-06-30', 'PUBLIC', now(), now()
FROM lots;

INSERT INTO tags_v2 (id, user_id, name, color)
VALUES ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000001',
    'Lot', '#4A90E2');

INSERT INTO position_tags (id, position_id, tag_id)
SELECT gen_random_uuid(), md5(symbol)::uuid, '00000000-0000-4000-8000-000000000003' FROM lots;
