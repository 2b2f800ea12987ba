"""Portfolios and their capital flows."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import NOW, TIMESTAMPTZ

EQUITY_CHANGE_TYPE = sa.Enum("CONTRIBUTION", "WITHDRAWAL", name="equity_change_type")


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_portfolios()
    _create_equity_changes()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("equity_changes")
    op.drop_table("portfolios")
    op.execute("DROP TYPE equity_change_type")


def _create_portfolios() -> None:
    op.create_table(
        "portfolios",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("account_name", sa.String(100), nullable=False),
        sa.Column("account_type", sa.String(20), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("description", sa.String(1000)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("equity_balance", sa.Numeric(16, 2)),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.Column("deleted_at", TIMESTAMPTZ),
        sa.PrimaryKeyConstraint("id", name="pk_portfolios"),
        sa.UniqueConstraint("user_id", "account_name", name="uq_portfolio_user_account_name"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_portfolios_user_id_users"),
    )
    op.create_index("ix_portfolios_deleted_at", "portfolios", ["deleted_at"])
    op.create_index("ix_portfolios_user_id", "portfolios", ["user_id"])


def _create_equity_changes() -> None:
    op.create_table(
        "equity_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("change_type", EQUITY_CHANGE_TYPE, nullable=False),
        sa.Column("amount", sa.Numeric(16, 2), nullable=False),
        sa.Column("change_date", sa.Date(), nullable=False),
        sa.Column("notes", sa.String(500)),
        sa.Column("created_by_user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("deleted_at", TIMESTAMPTZ),
        sa.PrimaryKeyConstraint("id", name="pk_equity_changes"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_equity_changes_portfolio_id_portfolios"
        ),
        sa.ForeignKeyConstraint(
            ["created_by_user_id"], ["users.id"], name="fk_equity_changes_created_by_user_id_users"
        ),
    )
    op.create_index(
        "ix_equity_changes_created_by_user_id", "equity_changes", ["created_by_user_id"]
    )
    op.create_index("ix_equity_changes_deleted_at", "equity_changes", ["deleted_at"])
    op.create_index(
        "ix_equity_changes_portfolio_date", "equity_changes", ["portfolio_id", "change_date"]
    )
    op.create_index("ix_equity_changes_portfolio_id", "equity_changes", ["portfolio_id"])
