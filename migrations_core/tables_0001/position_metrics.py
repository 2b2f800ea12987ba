"""Per-position risk figures: greeks, betas and volatility."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import GENERATED_UUID, NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_position_greeks()
    _create_position_market_betas()
    _create_position_interest_rate_betas()
    _create_position_volatility()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("position_volatility")
    op.drop_table("position_interest_rate_betas")
    op.drop_table("position_market_betas")
    op.drop_table("position_greeks")


def _create_position_greeks() -> None:
    op.create_table(
        "position_greeks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("delta", sa.Numeric(12, 6)),
        sa.Column("gamma", sa.Numeric(12, 6)),
        sa.Column("theta", sa.Numeric(12, 4)),
        sa.Column("vega", sa.Numeric(12, 4)),
        sa.Column("rho", sa.Numeric(12, 4)),
        sa.Column("delta_dollars", sa.Numeric(16, 2)),
        sa.Column("gamma_dollars", sa.Numeric(16, 2)),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position_greeks"),
        sa.UniqueConstraint("position_id", name="uq_position_greeks_position_id"),
        sa.ForeignKeyConstraint(
            ["position_id"], ["positions.id"], name="fk_position_greeks_position_id_positions"
        ),
    )
    op.create_index("ix_position_greeks_calculation_date", "position_greeks", ["calculation_date"])


def _create_position_market_betas() -> None:
    op.create_table(
        "position_market_betas",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("calc_date", sa.Date(), nullable=False),
        sa.Column("beta", sa.Numeric(12, 6), nullable=False),
        sa.Column("alpha", sa.Numeric(12, 6)),
        sa.Column("r_squared", sa.Numeric(12, 6)),
        sa.Column("std_error", sa.Numeric(12, 6)),
        sa.Column("p_value", sa.Numeric(12, 6)),
        sa.Column("observations", sa.Integer(), nullable=False),
        sa.Column("window_days", sa.Integer(), server_default=sa.text("90"), nullable=False),
        sa.Column("method", sa.String(32), server_default="OLS_SIMPLE", nullable=False),
        sa.Column("market_index", sa.String(16), server_default="SPY", nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position_market_betas"),
        sa.UniqueConstraint(
            "portfolio_id",
            "position_id",
            "calc_date",
            "method",
            "window_days",
            name="uq_position_beta_calc",
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_position_market_betas_portfolio_id_portfolios",
        ),
        sa.ForeignKeyConstraint(
            ["position_id"], ["positions.id"], name="fk_position_market_betas_position_id_positions"
        ),
    )
    op.create_index("idx_pos_beta_created", "position_market_betas", ["created_at"])
    op.create_index("idx_pos_beta_lookup", "position_market_betas", ["portfolio_id", "calc_date"])
    op.create_index("idx_pos_beta_position", "position_market_betas", ["position_id", "calc_date"])


def _create_position_interest_rate_betas() -> None:
    op.create_table(
        "position_interest_rate_betas",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("ir_beta", sa.Numeric(8, 6), nullable=False),
        sa.Column("r_squared", sa.Numeric(6, 4)),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position_interest_rate_betas"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_position_interest_rate_betas_portfolio_id_portfolios",
        ),
        sa.ForeignKeyConstraint(
            ["position_id"],
            ["positions.id"],
            name="fk_position_interest_rate_betas_position_id_positions",
        ),
    )
    op.create_index(
        "idx_ir_betas_portfolio_date",
        "position_interest_rate_betas",
        ["portfolio_id", "calculation_date"],
    )
    op.create_index(
        "idx_ir_betas_position_date",
        "position_interest_rate_betas",
        ["position_id", "calculation_date"],
    )


def _create_position_volatility() -> None:
    op.create_table(
        "position_volatility",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("realized_vol_21d", sa.Numeric(10, 4)),
        sa.Column("realized_vol_63d", sa.Numeric(10, 4)),
        sa.Column("vol_daily", sa.Numeric(10, 4)),
        sa.Column("vol_weekly", sa.Numeric(10, 4)),
        sa.Column("vol_monthly", sa.Numeric(10, 4)),
        sa.Column("expected_vol_21d", sa.Numeric(10, 4)),
        sa.Column("vol_trend", sa.String(20)),
        sa.Column("vol_trend_strength", sa.Numeric(10, 4)),
        sa.Column("vol_percentile", sa.Numeric(10, 4)),
        sa.Column("observations", sa.Integer()),
        sa.Column("model_r_squared", sa.Numeric(10, 4)),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position_volatility"),
        sa.UniqueConstraint("position_id", "calculation_date", name="uq_position_volatility_date"),
        sa.ForeignKeyConstraint(
            ["position_id"], ["positions.id"], name="fk_position_volatility_position_id_positions"
        ),
    )
    op.create_index(
        "ix_position_volatility_calculation_date", "position_volatility", ["calculation_date"]
    )
    op.create_index("ix_position_volatility_position_id", "position_volatility", ["position_id"])
