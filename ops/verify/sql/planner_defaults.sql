-- For this transaction, plan as a server does that nobody has tuned.
SELECT set_config(name, boot_val, true)
FROM pg_settings
WHERE category LIKE 'Query Tuning%' AND context = 'user' AND setting <> boot_val
