-- A copy lasts as long as its rows do: whatever limits the role brings, of those this server knows.
-- Nor is anything compiled: to compile a look at many tables takes longer than to look at them.
SELECT set_config(name, '0', false)
FROM pg_settings
WHERE name IN (
    'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
    'idle_session_timeout', 'lock_timeout', 'jit'
)
