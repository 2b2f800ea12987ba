-- A living installation of other users, made in sets. Everything follows from a row's number: ids are
-- digests of a name and a number, so that two builds of one size are the same database. How many
-- portfolios there are is said by the setting living.portfolios.

INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
SELECT
    md5('user ' || n)::uuid,
    CASE n
        WHEN 1 THEN 'O''Brien9@Example.COM'
        WHEN 2 THEN 'plus+tag@example.com'
        WHEN 3 THEN 'MiXed.Case@Sub.Example.Org'
        WHEN 4 THEN 'demo_hnw@sigmasight.com'
        ELSE 'user' || n || '@example.net'
    END,
    -- Of "demo".
    '$2b$04$fFtBGsnOyUwyVUfZ97xBuOkaECjpgetRdAdpcrNhJfm3HmQqu96TK',
    CASE n % 3 WHEN 0 THEN 'Żółć ' WHEN 1 THEN 'Øyvind ' ELSE '名前 ' END || n,
    n <> 7,
    timestamptz '2024-01-02 09:30:00.123456+00' + n * interval '37 hours',
    timestamptz '2025-05-01 08:00+00' + n * interval '11 minutes'
FROM generate_series(1, 40) AS n;

-- Every tenth has no positions; one is inactive, two were deleted.
INSERT INTO portfolios (id, user_id, name, account_name, account_type, is_active, description,
    currency, equity_balance, created_at, updated_at, deleted_at)
SELECT
    md5('portfolio ' || n)::uuid,
    md5('user ' || (n - 1) % 40 + 1)::uuid,
    'Book ' || n || CASE WHEN n % 7 = 0 THEN ' “äöü” 🜚' ELSE '' END,
    'account ' || n,
    (ARRAY['taxable', 'ira', 'trust'])[n % 3 + 1],
    n <> 11,
    CASE WHEN n % 2 = 0 THEN repeat('what it is for, ', n % 40) END,
    'USD',
    250000 + n * 1234.56,
    timestamptz '2024-02-01 10:00+00' + n * interval '5 hours',
    timestamptz '2025-05-02 08:00+00',
    CASE WHEN n IN (12, 52) THEN timestamptz '2025-04-04 12:00+00' END
FROM generate_series(1, current_setting('living.portfolios')::int) AS n;

-- Six of each portfolio: long, the same short, another long, an option, a private one, one that was
-- closed before, closed within the days that are computed, or deleted. Entered at that day's close.
INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
    exit_price, exit_date, underlying_symbol, strike_price, expiration_date, investment_class,
    investment_subtype, last_price, market_value, notes, created_at, updated_at, deleted_at)
SELECT
    md5('position ' || p || ' ' || k)::uuid,
    md5('portfolio ' || p)::uuid,
    CASE k WHEN 4 THEN 'OPT' || p WHEN 5 THEN 'HOUSE' || p % 9 ELSE c.symbol END,
    (CASE
        WHEN k = 2 THEN 'SHORT'
        WHEN k = 4 THEN (ARRAY['LC', 'LP', 'SC', 'SP'])[p % 4 + 1]
        ELSE 'LONG'
    END)::positiontype,
    CASE
        WHEN k = 2 THEN -(p % 23 + 1) * 3.25
        WHEN k = 4 THEN CASE WHEN p % 4 < 2 THEN 5 ELSE -5 END
        WHEN k = 5 THEN 10
        ELSE (p * k) % 41 + 1.0001
    END,
    CASE k WHEN 4 THEN 2.5 WHEN 5 THEN 1000 + p ELSE c.close END,
    c.date,
    CASE WHEN k = 6 AND p % 3 < 2 THEN round(c.close * 1.1, 4) END,
    CASE WHEN k = 6 THEN (ARRAY[date '2025-05-05', date '2025-07-08', NULL])[p % 3 + 1] END,
    CASE WHEN k = 4 THEN c.symbol END,
    CASE WHEN k = 4 THEN round(c.close) END,
    CASE WHEN k = 4 THEN CASE p % 5 WHEN 0 THEN date '2025-07-11' ELSE date '2025-12-19' END END,
    CASE k WHEN 4 THEN 'OPTIONS' WHEN 5 THEN 'PRIVATE' ELSE 'PUBLIC' END,
    CASE WHEN k = 5 THEN 'REAL_ESTATE' END,
    CASE WHEN k = 5 THEN 1200 + p END,
    CASE WHEN k = 5 THEN 10 * (1200 + p) END,
    CASE WHEN p % 5 = k % 5 THEN E'a note\tof two\nlines \\N' END,
    timestamptz '2025-03-03 15:00+00' + p * interval '1 minute',
    timestamptz '2025-05-03 08:00+00',
    CASE WHEN k = 6 AND p % 3 = 2 THEN timestamptz '2025-05-20 10:00+00' END
FROM generate_series(1, current_setting('living.portfolios')::int) AS p
CROSS JOIN generate_series(1, 6) AS k
JOIN market_data_cache AS c
    ON c.date = '2025-03-03'
    AND c.symbol = CASE
        WHEN k = 1 AND p % 17 = 0 THEN 'GONE'
        ELSE 'S' || lpad(((p * 7 + (k + 1) / 2 * 5) % 12)::text, 2, '0')
    END
WHERE p % 10 <> 3;

INSERT INTO position_realized_events (id, position_id, portfolio_id, trade_date, quantity_closed,
    realized_pnl, created_at)
SELECT md5('event ' || id)::uuid, id, portfolio_id, exit_date, quantity,
    round(quantity * (exit_price - entry_price), 2), exit_date + interval '20 hours'
FROM positions
WHERE exit_date IS NOT NULL;

INSERT INTO equity_changes (id, portfolio_id, change_type, amount, change_date, notes,
    created_by_user_id, created_at, updated_at, deleted_at)
SELECT
    md5('flow ' || n || day)::uuid, p.id, kind::equity_change_type, n * 10.01, day::date,
    'for ' || p.name, p.user_id, day::timestamptz, day::timestamptz,
    CASE WHEN n % 15 = 0 THEN day::timestamptz + interval '1 day' END
FROM generate_series(3, current_setting('living.portfolios')::int, 3) AS n
JOIN portfolios AS p ON p.id = md5('portfolio ' || n)::uuid
CROSS JOIN (VALUES ('CONTRIBUTION', '2025-06-20'), ('CONTRIBUTION', '2025-07-03'),
    ('WITHDRAWAL', '2025-07-09')) AS flows (kind, day);

INSERT INTO tags_v2 (id, user_id, name, color, description, display_order, usage_count, is_archived,
    archived_at, archived_by, created_at, updated_at)
SELECT
    md5('tag ' || u || ' ' || t)::uuid, md5('user ' || u)::uuid,
    (ARRAY['growth', 'Growth', 'vår “egen”'])[t], '#0a' || lpad(to_hex(u), 2, '0') || 'Ff',
    CASE WHEN t = 2 THEN '' END, t, u % 4, t = 3,
    CASE WHEN t = 3 THEN timestamptz '2025-03-03 03:03:03.000003+00' END,
    CASE WHEN t = 3 THEN md5('user ' || u)::uuid END,
    '2025-02-02', '2025-02-03'
FROM generate_series(1, 40) AS u, generate_series(1, 3) AS t;

INSERT INTO position_tags (id, position_id, tag_id, assigned_at, assigned_by)
SELECT md5('tagged ' || q.id || t)::uuid, q.id, md5('tag ' || (p - 1) % 40 + 1 || ' ' || t)::uuid,
    timestamptz '2025-04-01 00:00+00' + p * interval '1 second',
    CASE WHEN p % 2 = 0 THEN md5('user ' || (p - 1) % 40 + 1)::uuid END
FROM generate_series(1, current_setting('living.portfolios')::int) AS p,
    generate_series(1, 3, 2) AS k, generate_series(1, 2) AS t,
    positions AS q
WHERE q.id = md5('position ' || p || ' ' || k)::uuid AND (p + k + t) % 3 > 0;

INSERT INTO portfolio_target_prices (id, portfolio_id, position_id, symbol, position_type,
    target_price_eoy, downside_target_price, current_price, expected_return_eoy, analyst_notes,
    data_source, created_by, created_at, updated_at)
SELECT
    md5('target ' || q.id)::uuid, q.portfolio_id, CASE WHEN p % 8 = 0 THEN q.id END, q.symbol,
    q.position_type::text, q.entry_price * 1.25, q.entry_price / 3, q.entry_price, 0.2501,
    repeat('because ', p), 'own', md5('user ' || (p - 1) % 40 + 1)::uuid, '2025-06-01', '2025-06-02'
FROM generate_series(4, current_setting('living.portfolios')::int, 4) AS p, positions AS q
WHERE q.id IN (md5('position ' || p || ' 1')::uuid, md5('position ' || p || ' 2')::uuid);

INSERT INTO position_greeks (id, position_id, calculation_date, delta, gamma, theta, vega, rho,
    delta_dollars, gamma_dollars, created_at, updated_at)
SELECT md5('greeks ' || id)::uuid, id, '2025-07-15', 0.512345, 0.001, -1.2345, 0.5, NULL,
    quantity * 51.23, 0.01, '2025-07-15 22:00+00', '2025-07-15 22:00+00'
FROM positions
WHERE investment_class = 'OPTIONS';

INSERT INTO stress_test_scenarios (id, scenario_id, name, description, category, severity,
    shock_config, active, created_at, updated_at)
SELECT md5('scenario ' || n)::uuid, 'own_' || n, 'Our ' || n || '. crash', NULL, 'market', 'mild',
    jsonb_build_object('shocked_factors', jsonb_build_object('Market', round(n / -10.0, 1))), n < 3,
    '2025-01-01', '2025-01-01'
FROM generate_series(1, 3) AS n;

INSERT INTO benchmarks_sector_weights (id, benchmark_code, asof_date, sector, weight, created_at,
    updated_at)
SELECT md5('weight ' || n)::uuid, 'HOUSE', '2025-06-30', 'Sector ' || n, n / 10.0, now(), now()
FROM generate_series(1, 4) AS n;

INSERT INTO agent_conversations (id, user_id, mode, provider, provider_thread_id, created_at,
    updated_at, metadata)
SELECT
    md5('talk ' || n)::uuid, md5('user ' || (n - 1) % 40 + 1)::uuid,
    (ARRAY['green', 'blue', 'indigo'])[n % 3 + 1], 'openai', CASE WHEN n % 2 = 0 THEN 'thr_' || n END,
    timestamptz '2025-06-01 00:00+00' + n * interval '1 hour', timestamptz '2025-07-01 00:00+00',
    jsonb_build_object('route', '/home', 'deep', jsonb_build_array(n * 1.50, jsonb_build_object(
        'portfolio_id', md5('portfolio ' || n)::uuid, 'text', E'"quoted" \t é')))
FROM generate_series(1, 200) AS n;

INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, latency_ms, total_tokens,
    provider_message_id, created_at, error)
SELECT
    md5('message ' || n)::uuid, md5('talk ' || (n - 1) / 10 + 1)::uuid,
    CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END,
    CASE
        WHEN n % 100 = 0 THEN repeat('a very long answer, ' || n || '; ', 2000)
        WHEN n % 37 = 0 THEN NULL
        WHEN n % 11 = 0 THEN E'żółć 🜚 \u2028 line\nnext\ttab \\N \\. "quoted" ''single'''
        ELSE 'What of ' || n || '?'
    END,
    CASE WHEN n % 6 = 0 THEN jsonb_build_array(jsonb_build_object('name', 'get_portfolio_complete',
        'arguments', jsonb_build_object('portfolio_id', md5('portfolio 1')::uuid, 'n', n / 7.0)))
        ELSE '[]' END,
    CASE WHEN n % 2 = 0 THEN n * 3 END, n, CASE WHEN n % 2 = 0 THEN 'resp_' || n END,
    timestamptz '2025-06-01 00:00+00' + n * interval '61 seconds',
    CASE WHEN n % 250 = 0 THEN '{"code": "timeout", "tries": 3}'::jsonb END
FROM generate_series(1, 2000) AS n;

INSERT INTO ai_memories (id, user_id, tenant_id, scope, content, tags, created_at)
SELECT md5('memory ' || n)::uuid, md5('user ' || (n - 1) % 40 + 1)::uuid, NULL,
    (ARRAY['user', 'portfolio'])[n % 2 + 1], 'likes № ' || n,
    jsonb_build_object('conversation_id', md5('talk ' || n)::uuid), '2025-06-15'
FROM generate_series(1, 80) AS n;

INSERT INTO ai_feedback (id, message_id, rating, edited_text, comment, created_at)
SELECT md5('feedback ' || n)::uuid, md5('message ' || n * 2)::uuid,
    CASE n % 3 WHEN 0 THEN 'down' ELSE 'up' END, CASE WHEN n % 5 = 0 THEN repeat('better ', n) END,
    CASE WHEN n % 4 = 0 THEN '' END, '2025-06-16'
FROM generate_series(1, 60) AS n;

-- Three that each backend seeds by itself; one that only quotes such a mark.
INSERT INTO ai_kb_documents (id, scope, title, content, metadata, created_at, updated_at, embedding)
SELECT
    md5('document ' || n)::uuid, CASE n % 3 WHEN 0 THEN 'global' ELSE 'page:home' END,
    'House view ' || n, repeat('Rates fall. ', n * 20),
    CASE
        WHEN n > 27 THEN '{"seed": "builtin"}'::jsonb
        WHEN n = 27 THEN '{"origin": {"seed": "builtin"}}'
        ELSE jsonb_build_object('type', 'faq', 'n', n, 'embedding_model', 'theirs')
    END,
    '2025-05-05', '2025-05-06',
    CASE WHEN n % 5 > 0 THEN (
        SELECT array_agg(sin(n * i)::real ORDER BY i)::vector FROM generate_series(1, 1536) AS i
    ) END
FROM generate_series(1, 30) AS n;
