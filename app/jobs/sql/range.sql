-- The days that a portfolio needs: from the day after its newest snapshot, or, where it has none,
-- from its first entry, but not before the book's own first day, to the newest close of the
-- market's ETF. Where nothing is missing both are that day.
WITH market AS (
    SELECT min(date) AS first, max(date) AS last
    FROM market_data_cache
    WHERE symbol = :market_etf AND close > 0 AND close < 'Infinity'
)
SELECT
    least(
        coalesce(
            (
                SELECT max(snapshot_date) + 1
                FROM portfolio_snapshots
                WHERE portfolio_id = :portfolio
            ),
            greatest(
                (SELECT min(entry_date) FROM positions WHERE portfolio_id = :portfolio),
                (SELECT min(calculation_date) FROM factor_exposures),
                market.first
            )
        ),
        market.last
    ) AS first,
    market.last
FROM market
