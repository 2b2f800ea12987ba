-- How the search for the nearest documents goes about, until the transaction ends.
-- A distance costs what hundreds of comparisons cost, since its vector is read from beside the table;
-- the planner would take the two for equal and read whole scopes of many thousand documents.
-- Before pgvector 0.8 a scan cannot go on when the filter leaves too few of what it found.
SELECT
    set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('jit', 'off', true),
    set_config('cpu_operator_cost', '0.25', true),
    set_config('hnsw.ef_search', cast(:ef_search AS text), true),
    CASE WHEN iterative THEN set_config('hnsw.iterative_scan', 'strict_order', true) END,
    CASE WHEN iterative THEN set_config('hnsw.max_scan_tuples', '20000', true) END,
    CASE WHEN iterative THEN set_config('hnsw.scan_mem_multiplier', '8', true) END
FROM (
    SELECT cast(string_to_array(extversion, '.') AS integer[]) >= '{0,8}' AS iterative
    FROM pg_extension
    WHERE extname = 'vector'
) AS extension
