"""Prices, fund holdings and benchmark weights."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import GENERATED_UUID, NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_market_data_cache()
    _create_fund_holdings()
    _create_benchmarks_sector_weights()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("benchmarks_sector_weights")
    op.drop_table("fund_holdings")
    op.drop_table("market_data_cache")


def _create_market_data_cache() -> None:
    op.create_table(
        "market_data_cache",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("open", sa.Numeric(12, 4)),
        sa.Column("high", sa.Numeric(12, 4)),
        sa.Column("low", sa.Numeric(12, 4)),
        sa.Column("close", sa.Numeric(12, 4), nullable=False),
        sa.Column("volume", sa.Integer()),
        sa.Column("sector", sa.String(100)),
        sa.Column("industry", sa.String(100)),
        sa.Column("exchange", sa.String(20)),
        sa.Column("country", sa.String(10)),
        sa.Column("market_cap", sa.Numeric(18, 2)),
        sa.Column("data_source", sa.String(50), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_market_data_cache"),
        sa.UniqueConstraint("symbol", "date", name="uq_market_data_cache_symbol_date"),
    )
    op.create_index(
        "idx_market_data_valid_prices",
        "market_data_cache",
        ["symbol", "date"],
        postgresql_where=sa.text("close > 0"),
    )
    op.create_index("ix_market_data_cache_date", "market_data_cache", ["date"])
    op.create_index("ix_market_data_cache_symbol", "market_data_cache", ["symbol"])


def _create_fund_holdings() -> None:
    op.create_table(
        "fund_holdings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fund_symbol", sa.String(20), nullable=False),
        sa.Column("holding_symbol", sa.String(20), nullable=False),
        sa.Column("holding_name", sa.String(200)),
        sa.Column("weight", sa.Numeric(8, 6), nullable=False),
        sa.Column("shares", sa.Integer()),
        sa.Column("market_value", sa.Numeric(16, 2)),
        sa.Column("data_source", sa.String(50), nullable=False),
        sa.Column("last_updated", sa.Date(), nullable=False),
        sa.Column("data_quality", sa.String(20), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fund_holdings"),
        sa.UniqueConstraint(
            "fund_symbol",
            "holding_symbol",
            "last_updated",
            name="uq_fund_holdings_fund_holding_date",
        ),
    )
    op.create_index("ix_fund_holdings_data_source", "fund_holdings", ["data_source"])
    op.create_index("ix_fund_holdings_fund_date", "fund_holdings", ["fund_symbol", "last_updated"])
    op.create_index("ix_fund_holdings_fund_symbol", "fund_holdings", ["fund_symbol"])
    op.create_index("ix_fund_holdings_holding_symbol", "fund_holdings", ["holding_symbol"])
    op.create_index("ix_fund_holdings_last_updated", "fund_holdings", ["last_updated"])


def _create_benchmarks_sector_weights() -> None:
    op.create_table(
        "benchmarks_sector_weights",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("benchmark_code", sa.String(32), nullable=False),
        sa.Column("asof_date", sa.Date(), nullable=False),
        sa.Column("sector", sa.String(64), nullable=False),
        sa.Column("weight", sa.Numeric(12, 6), nullable=False),
        sa.Column("market_cap", sa.Numeric(20, 2)),
        sa.Column("num_constituents", sa.Integer()),
        sa.Column("data_source", sa.String(32), server_default="FMP", nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_benchmarks_sector_weights"),
        sa.UniqueConstraint(
            "benchmark_code", "asof_date", "sector", name="uq_benchmark_sector_date"
        ),
    )
    op.create_index(
        "idx_benchmark_lookup", "benchmarks_sector_weights", ["benchmark_code", "asof_date"]
    )
    op.create_index(
        "idx_benchmark_sector",
        "benchmarks_sector_weights",
        ["benchmark_code", "sector", "asof_date"],
    )
