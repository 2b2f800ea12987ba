"""Price targets of a portfolio's symbols."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    op.create_table(
        "portfolio_target_prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid()),
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("position_type", sa.String(10)),
        sa.Column("target_price_eoy", sa.Numeric(12, 4)),
        sa.Column("target_price_next_year", sa.Numeric(12, 4)),
        sa.Column("downside_target_price", sa.Numeric(12, 4)),
        sa.Column("current_price", sa.Numeric(12, 4), nullable=False),
        sa.Column("current_implied_vol", sa.Numeric(8, 4)),
        sa.Column("expected_return_eoy", sa.Numeric(8, 4)),
        sa.Column("expected_return_next_year", sa.Numeric(8, 4)),
        sa.Column("downside_return", sa.Numeric(8, 4)),
        sa.Column("target_upside_eoy_value", sa.Numeric(16, 2)),
        sa.Column("target_upside_next_year_value", sa.Numeric(16, 2)),
        sa.Column("target_downside_value", sa.Numeric(16, 2)),
        sa.Column("position_weight", sa.Numeric(8, 4)),
        sa.Column("contribution_to_portfolio_return", sa.Numeric(8, 4)),
        sa.Column("contribution_to_portfolio_risk", sa.Numeric(8, 4)),
        sa.Column("price_updated_at", TIMESTAMPTZ),
        sa.Column("analyst_notes", sa.Text()),
        sa.Column("data_source", sa.String(50)),
        sa.Column("created_by", sa.Uuid()),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_portfolio_target_prices"),
        sa.UniqueConstraint(
            "portfolio_id", "symbol", "position_type", name="uq_portfolio_symbol_type"
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_portfolio_target_prices_portfolio_id_portfolios",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["position_id"],
            ["positions.id"],
            name="fk_portfolio_target_prices_position_id_positions",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_portfolio_target_prices_created_by_users"
        ),
    )
    op.create_index("ix_target_prices_portfolio_id", "portfolio_target_prices", ["portfolio_id"])
    op.create_index("ix_target_prices_position_id", "portfolio_target_prices", ["position_id"])
    op.create_index("ix_target_prices_symbol", "portfolio_target_prices", ["symbol"])
    op.create_index("ix_target_prices_updated_at", "portfolio_target_prices", ["updated_at"])


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("portfolio_target_prices")
