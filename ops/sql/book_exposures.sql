SELECT f.name, e.calculation_date,
    (sum(e.exposure_dollar) / sum(s.equity_balance))::float8
FROM factor_exposures AS e
JOIN factor_definitions AS f ON f.id = e.factor_id
JOIN portfolio_snapshots AS s
    ON s.portfolio_id = e.portfolio_id AND s.snapshot_date = e.calculation_date
WHERE e.calculation_date BETWEEN %s AND %s AND s.equity_balance > 0
GROUP BY f.name, e.calculation_date
