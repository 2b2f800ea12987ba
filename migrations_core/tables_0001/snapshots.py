"""Daily portfolio snapshots."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    op.create_table(
        "portfolio_snapshots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("snapshot_date", sa.Date(), nullable=False),
        sa.Column("total_value", sa.Numeric(16, 2), nullable=False),
        sa.Column("cash_value", sa.Numeric(16, 2), nullable=False),
        sa.Column("long_value", sa.Numeric(16, 2), nullable=False),
        sa.Column("short_value", sa.Numeric(16, 2), nullable=False),
        sa.Column("gross_exposure", sa.Numeric(16, 2), nullable=False),
        sa.Column("net_exposure", sa.Numeric(16, 2), nullable=False),
        sa.Column("daily_pnl", sa.Numeric(16, 2)),
        sa.Column("daily_return", sa.Numeric(8, 6)),
        sa.Column("cumulative_pnl", sa.Numeric(16, 2)),
        sa.Column("daily_realized_pnl", sa.Numeric(16, 2)),
        sa.Column("cumulative_realized_pnl", sa.Numeric(16, 2)),
        sa.Column("daily_capital_flow", sa.Numeric(16, 2)),
        sa.Column("cumulative_capital_flow", sa.Numeric(16, 2)),
        sa.Column("portfolio_delta", sa.Numeric(12, 2)),
        sa.Column("portfolio_gamma", sa.Numeric(12, 2)),
        sa.Column("portfolio_theta", sa.Numeric(12, 2)),
        sa.Column("portfolio_vega", sa.Numeric(12, 2)),
        sa.Column("num_positions", sa.Integer(), nullable=False),
        sa.Column("num_long_positions", sa.Integer(), nullable=False),
        sa.Column("num_short_positions", sa.Integer(), nullable=False),
        sa.Column("equity_balance", sa.Numeric(16, 2)),
        sa.Column("realized_volatility_21d", sa.Numeric(10, 4)),
        sa.Column("realized_volatility_63d", sa.Numeric(10, 4)),
        sa.Column("expected_volatility_21d", sa.Numeric(10, 4)),
        sa.Column("volatility_trend", sa.String(20)),
        sa.Column("volatility_percentile", sa.Numeric(10, 4)),
        sa.Column("beta_calculated_90d", sa.Numeric(10, 4)),
        sa.Column("beta_calculated_90d_r_squared", sa.Numeric(10, 4)),
        sa.Column("beta_calculated_90d_observations", sa.Integer()),
        sa.Column("beta_provider_1y", sa.Numeric(10, 4)),
        sa.Column("beta_portfolio_regression", sa.Numeric(10, 4)),
        sa.Column("sector_exposure", sa.JSON()),
        sa.Column("hhi", sa.Numeric(10, 4)),
        sa.Column("effective_num_positions", sa.Numeric(10, 2)),
        sa.Column("top_3_concentration", sa.Numeric(10, 4)),
        sa.Column("top_10_concentration", sa.Numeric(10, 4)),
        sa.Column("target_price_return_eoy", sa.Numeric(8, 4)),
        sa.Column("target_price_return_next_year", sa.Numeric(8, 4)),
        sa.Column("target_price_downside_return", sa.Numeric(8, 4)),
        sa.Column("target_price_upside_eoy_dollars", sa.Numeric(16, 2)),
        sa.Column("target_price_upside_next_year_dollars", sa.Numeric(16, 2)),
        sa.Column("target_price_downside_dollars", sa.Numeric(16, 2)),
        sa.Column("target_price_coverage_pct", sa.Numeric(8, 4)),
        sa.Column("target_price_positions_count", sa.Integer()),
        sa.Column("target_price_total_positions", sa.Integer()),
        sa.Column("target_price_last_updated", TIMESTAMPTZ),
        sa.Column("is_complete", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_portfolio_snapshots"),
        sa.UniqueConstraint(
            "portfolio_id", "snapshot_date", name="uq_portfolio_snapshots_portfolio_date"
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_portfolio_snapshots_portfolio_id_portfolios",
        ),
    )
    op.create_index("ix_portfolio_snapshots_portfolio_id", "portfolio_snapshots", ["portfolio_id"])
    op.create_index(
        "ix_portfolio_snapshots_snapshot_date", "portfolio_snapshots", ["snapshot_date"]
    )


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("portfolio_snapshots")
