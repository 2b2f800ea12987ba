"""Positions and what was realised on them."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import NOW, TIMESTAMPTZ

POSITION_TYPE = sa.Enum("LC", "LP", "SC", "SP", "LONG", "SHORT", name="positiontype")


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_positions()
    _create_position_realized_events()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("position_realized_events")
    op.drop_table("positions")
    op.execute("DROP TYPE positiontype")


def _create_positions() -> None:
    op.create_table(
        "positions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("position_type", POSITION_TYPE, nullable=False),
        sa.Column("quantity", sa.Numeric(16, 4), nullable=False),
        sa.Column("entry_price", sa.Numeric(12, 4), nullable=False),
        sa.Column("entry_date", sa.Date(), nullable=False),
        sa.Column("exit_price", sa.Numeric(12, 4)),
        sa.Column("exit_date", sa.Date()),
        sa.Column("underlying_symbol", sa.String(10)),
        sa.Column("strike_price", sa.Numeric(12, 4)),
        sa.Column("expiration_date", sa.Date()),
        sa.Column("investment_class", sa.String(20)),
        sa.Column("investment_subtype", sa.String(30)),
        sa.Column("last_price", sa.Numeric(12, 4)),
        sa.Column("market_value", sa.Numeric(16, 2)),
        sa.Column("unrealized_pnl", sa.Numeric(16, 2)),
        sa.Column("realized_pnl", sa.Numeric(16, 2)),
        sa.Column("notes", sa.String()),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.Column("deleted_at", TIMESTAMPTZ),
        sa.PrimaryKeyConstraint("id", name="pk_positions"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_positions_portfolio_id_portfolios"
        ),
    )
    op.create_index("idx_position_portfolio_active", "positions", ["portfolio_id", "deleted_at"])
    op.create_index(
        "idx_positions_active_complete",
        "positions",
        ["portfolio_id", "deleted_at", "exit_date", "investment_class"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "idx_positions_symbol_active",
        "positions",
        ["deleted_at", "symbol", "exit_date", "expiration_date"],
        postgresql_where=sa.text("deleted_at IS NULL AND symbol IS NOT NULL AND symbol <> ''"),
    )
    op.create_index("ix_positions_deleted_at", "positions", ["deleted_at"])
    op.create_index("ix_positions_exit_date", "positions", ["exit_date"])
    op.create_index(
        "ix_positions_inv_class_subtype", "positions", ["investment_class", "investment_subtype"]
    )
    op.create_index("ix_positions_investment_class", "positions", ["investment_class"])
    op.create_index("ix_positions_portfolio_id", "positions", ["portfolio_id"])
    op.create_index("ix_positions_symbol", "positions", ["symbol"])


def _create_position_realized_events() -> None:
    op.create_table(
        "position_realized_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("trade_date", sa.Date(), nullable=False),
        sa.Column("quantity_closed", sa.Numeric(16, 4), nullable=False),
        sa.Column("realized_pnl", sa.Numeric(16, 2), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position_realized_events"),
        sa.ForeignKeyConstraint(
            ["position_id"],
            ["positions.id"],
            name="fk_position_realized_events_position_id_positions",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_position_realized_events_portfolio_id_portfolios",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_position_realized_events_portfolio_date",
        "position_realized_events",
        ["portfolio_id", "trade_date"],
    )
    op.create_index(
        "ix_position_realized_events_portfolio_id", "position_realized_events", ["portfolio_id"]
    )
    op.create_index(
        "ix_position_realized_events_position_id", "position_realized_events", ["position_id"]
    )
