-- Volatilities below zero, and concentrations that cannot be.
SELECT
    (SELECT count(*) FROM position_volatility),
    (
        SELECT count(*)
        FROM position_volatility
        WHERE least(
            realized_vol_21d, realized_vol_63d, vol_daily, vol_weekly, vol_monthly, expected_vol_21d
        ) < 0
    ),
    (SELECT count(*) FROM portfolio_snapshots),
    (
        SELECT count(*)
        FROM portfolio_snapshots
        WHERE least(realized_volatility_21d, realized_volatility_63d, expected_volatility_21d) < 0
    ),
    (
        SELECT count(*)
        FROM portfolio_snapshots
        WHERE hhi <= 0 OR hhi > 10000
    )
