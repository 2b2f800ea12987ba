-- Whole rows as jsonb, so that optional columns may be missing; of duplicates the newest stays.
SELECT DISTINCT ON (benchmark_code, asof_date, sector)
    benchmark_code, asof_date, sector, weight, market_cap, num_constituents, data_source
FROM (
    SELECT
        benchmark_code::text, asof_date::date, sector::text, weight::numeric,
        (to_jsonb(w) ->> 'market_cap')::numeric AS market_cap,
        (to_jsonb(w) ->> 'num_constituents')::integer AS num_constituents,
        left(coalesce(to_jsonb(w) ->> 'data_source', 'legacy'), 32) AS data_source,
        to_jsonb(w) ->> 'updated_at' AS updated_at
    FROM benchmarks_sector_weights AS w
) AS found
WHERE weight BETWEEN 0 AND 1 AND asof_date IS NOT NULL
    AND length(benchmark_code) BETWEEN 1 AND 32 AND length(sector) BETWEEN 1 AND 64
ORDER BY benchmark_code, asof_date, sector, updated_at DESC NULLS LAST
