"""Analytics per symbol, from which positions take theirs by fan-out."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import GENERATED_UUID, NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_symbol_universe()
    _create_symbol_factor_exposures()
    _create_symbol_daily_metrics()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("symbol_daily_metrics")
    op.drop_table("symbol_factor_exposures")
    op.drop_table("symbol_universe")


def _create_symbol_universe() -> None:
    op.create_table(
        "symbol_universe",
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("asset_type", sa.String(20)),
        sa.Column("sector", sa.String(100)),
        sa.Column("industry", sa.String(100)),
        sa.Column("first_seen_date", sa.Date()),
        sa.Column("last_seen_date", sa.Date()),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("symbol", name="pk_symbol_universe"),
    )
    op.create_index("idx_symbol_universe_active", "symbol_universe", ["is_active"])
    op.create_index("idx_symbol_universe_asset_type", "symbol_universe", ["asset_type"])
    op.create_index("idx_symbol_universe_sector", "symbol_universe", ["sector"])


def _create_symbol_factor_exposures() -> None:
    op.create_table(
        "symbol_factor_exposures",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("beta_value", sa.Numeric(10, 6), nullable=False),
        sa.Column("r_squared", sa.Numeric(6, 4)),
        sa.Column("observations", sa.Integer()),
        sa.Column("quality_flag", sa.String(20)),
        sa.Column("calculation_method", sa.String(50), nullable=False),
        sa.Column("regularization_alpha", sa.Numeric(6, 4)),
        sa.Column("regression_window_days", sa.Integer()),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_symbol_factor_exposures"),
        sa.UniqueConstraint(
            "symbol", "factor_id", "calculation_date", name="uq_symbol_factor_date"
        ),
        sa.ForeignKeyConstraint(
            ["symbol"],
            ["symbol_universe.symbol"],
            name="fk_symbol_factor_exposures_symbol_symbol_universe",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["factor_id"],
            ["factor_definitions.id"],
            name="fk_symbol_factor_exposures_factor_id_factor_definitions",
        ),
    )
    op.create_index("idx_symbol_factor_calc_date", "symbol_factor_exposures", ["calculation_date"])
    op.create_index(
        "idx_symbol_factor_lookup", "symbol_factor_exposures", ["symbol", "calculation_date"]
    )
    op.create_index(
        "idx_symbol_factor_method",
        "symbol_factor_exposures",
        ["calculation_method", "calculation_date"],
    )


def _create_symbol_daily_metrics() -> None:
    op.create_table(
        "symbol_daily_metrics",
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("metrics_date", sa.Date(), nullable=False),
        sa.Column("current_price", sa.Numeric(12, 4)),
        sa.Column("return_1d", sa.Numeric(10, 6)),
        sa.Column("return_mtd", sa.Numeric(10, 6)),
        sa.Column("return_ytd", sa.Numeric(10, 6)),
        sa.Column("return_1m", sa.Numeric(10, 6)),
        sa.Column("return_3m", sa.Numeric(10, 6)),
        sa.Column("return_1y", sa.Numeric(10, 6)),
        sa.Column("market_cap", sa.Numeric(18, 2)),
        sa.Column("enterprise_value", sa.Numeric(18, 2)),
        sa.Column("pe_ratio", sa.Numeric(10, 4)),
        sa.Column("ps_ratio", sa.Numeric(10, 4)),
        sa.Column("pb_ratio", sa.Numeric(10, 4)),
        sa.Column("sector", sa.String(100)),
        sa.Column("industry", sa.String(100)),
        sa.Column("company_name", sa.String(255)),
        sa.Column("factor_value", sa.Numeric(10, 6)),
        sa.Column("factor_growth", sa.Numeric(10, 6)),
        sa.Column("factor_momentum", sa.Numeric(10, 6)),
        sa.Column("factor_quality", sa.Numeric(10, 6)),
        sa.Column("factor_size", sa.Numeric(10, 6)),
        sa.Column("factor_low_vol", sa.Numeric(10, 6)),
        sa.Column("factor_growth_value_spread", sa.Numeric(10, 6)),
        sa.Column("factor_momentum_spread", sa.Numeric(10, 6)),
        sa.Column("factor_size_spread", sa.Numeric(10, 6)),
        sa.Column("factor_quality_spread", sa.Numeric(10, 6)),
        sa.Column("data_quality_score", sa.Numeric(5, 2)),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("symbol", name="pk_symbol_daily_metrics"),
        sa.ForeignKeyConstraint(
            ["symbol"],
            ["symbol_universe.symbol"],
            name="fk_symbol_daily_metrics_symbol_symbol_universe",
            ondelete="CASCADE",
        ),
    )
    op.create_index("idx_metrics_date", "symbol_daily_metrics", ["metrics_date"])
    op.create_index("idx_metrics_factor_momentum", "symbol_daily_metrics", ["factor_momentum"])
    op.create_index("idx_metrics_factor_value", "symbol_daily_metrics", ["factor_value"])
    op.create_index("idx_metrics_market_cap", "symbol_daily_metrics", ["market_cap"])
    op.create_index("idx_metrics_pe", "symbol_daily_metrics", ["pe_ratio"])
    op.create_index("idx_metrics_return_ytd", "symbol_daily_metrics", ["return_ytd"])
    op.create_index("idx_metrics_sector", "symbol_daily_metrics", ["sector"])
    op.create_index("idx_metrics_sector_cap", "symbol_daily_metrics", ["sector", "market_cap"])
