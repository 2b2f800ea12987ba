-- What users do on the new pair: something is written, changed and deleted of each kind.
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
VALUES (md5('new user')::uuid, 'new@example.com', 'hash', E'New\ttab "q" 🜚', true, now(), now());
INSERT INTO portfolios (id, user_id, name, account_name, account_type, currency, equity_balance,
    created_at, updated_at)
VALUES (md5('new book')::uuid, md5('new user')::uuid, 'Book of new', 'new', 'ira', 'USD', 1000.10,
    now(), now());
INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
    investment_class, created_at, updated_at)
SELECT md5('new position ' || n)::uuid,
    CASE WHEN n % 2 = 0 THEN md5('new book')::uuid ELSE md5('portfolio 1')::uuid END,
    'S0' || n, 'LONG', n * 1.0001, 100, '2025-07-14', 'PUBLIC', now(), now()
FROM generate_series(1, 6) AS n;
UPDATE users SET email = 'Renamed+' || email, updated_at = now()
WHERE id = md5('user 9')::uuid;
UPDATE portfolios SET name = name || ' of late', updated_at = now()
WHERE id = md5('portfolio 41')::uuid;
UPDATE portfolios SET deleted_at = now(), updated_at = now() WHERE id = md5('portfolio 42')::uuid;
UPDATE positions SET quantity = quantity + 1, notes = 'more', updated_at = now()
WHERE id IN (md5('position 41 1')::uuid, md5('position 81 3')::uuid);
UPDATE positions SET exit_date = '2025-07-15', exit_price = 111.11, updated_at = now()
WHERE id = md5('position 2 1')::uuid;
UPDATE positions SET market_value = 77777, last_price = 7777.7, updated_at = now()
WHERE id = md5('position 6 5')::uuid;
INSERT INTO position_realized_events (id, position_id, portfolio_id, trade_date, quantity_closed,
    realized_pnl)
SELECT md5('new event')::uuid, id, portfolio_id, exit_date, quantity, 12.34 FROM positions
WHERE id = md5('position 2 1')::uuid;
INSERT INTO equity_changes (id, portfolio_id, change_type, amount, change_date, created_by_user_id)
VALUES (md5('new flow')::uuid, md5('portfolio 2')::uuid, 'WITHDRAWAL', 0.01, '2025-07-16',
    md5('user 2')::uuid);
DELETE FROM tags_v2 WHERE id = md5('tag 8 1')::uuid;
INSERT INTO tags_v2 (id, user_id, name) VALUES (md5('new tag')::uuid, md5('user 8')::uuid, 'new');
INSERT INTO position_tags (id, position_id, tag_id)
VALUES (md5('newly tagged')::uuid, md5('position 8 1')::uuid, md5('new tag')::uuid);
UPDATE portfolio_target_prices SET target_price_eoy = 999.9999, updated_at = now()
WHERE portfolio_id = md5('portfolio 4')::uuid;
INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at, metadata)
VALUES (md5('new talk')::uuid, md5('user 1')::uuid, 'green', 'rules', now(), now(), '{"a": [1.50]}');
INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)
SELECT md5('new message ' || n)::uuid, md5('new talk')::uuid, 'user', repeat('żółć 🜚 ', n * 100),
    '[{"name": "t", "n": 12345678901234567890.123}]', now()
FROM generate_series(1, 5) AS n;
DELETE FROM agent_conversations WHERE id = md5('talk 150')::uuid;
