-- The newest sector weights of a benchmark that are not after a day.
SELECT sector, weight::float8 AS weight, asof_date
FROM benchmarks_sector_weights
WHERE benchmark_code = :benchmark
    AND asof_date = (
        SELECT max(asof_date)
        FROM benchmarks_sector_weights
        WHERE benchmark_code = :benchmark AND asof_date <= :day
    )
ORDER BY sector
