-- Users with portfolios, positions and chats, as many as the session's settings ask for.
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
SELECT md5('user' || n)::uuid, 'user' || n || '@example.com', 'hash', 'User ' || n, true, now(), now()
FROM generate_series(1, 200) AS n;

INSERT INTO portfolios (id, user_id, name, account_name, account_type, is_active, currency,
    equity_balance, created_at, updated_at)
SELECT md5('portfolio' || n)::uuid, md5('user' || 1 + n % 200)::uuid, 'Portfolio ' || n,
    'account ' || n, 'taxable', true, 'USD', 1000000, now(), now()
FROM generate_series(1, 400) AS n;

INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
    last_price, market_value, notes, created_at, updated_at)
SELECT gen_random_uuid(), md5('portfolio' || 1 + n % 400)::uuid, 'SYM' || n % 500, 'LONG',
    1 + n % 90, 100 + n % 50, date '2024-01-01' + n % 300, 120, 120 * (1 + n % 90), 'A note',
    now(), now()
FROM generate_series(1, current_setting('bench.positions')::int) AS n;

INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at, metadata)
SELECT md5('talk' || n)::uuid, md5('user' || 1 + n % 200)::uuid, 'green', 'openai', now(), now(),
    '{"route": "/home"}'
FROM generate_series(1, 4000) AS n;

INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, total_tokens,
    created_at)
SELECT gen_random_uuid(), md5('talk' || 1 + n % 4000)::uuid,
    CASE WHEN n % 2 = 0 THEN 'user' ELSE 'assistant' END,
    repeat(md5(n::text) || ' how am I doing? ', 1 + n % 8), '[]', n % 900,
    timestamptz '2025-01-01' + n * interval '10 seconds'
FROM generate_series(1, current_setting('bench.messages')::int) AS n
