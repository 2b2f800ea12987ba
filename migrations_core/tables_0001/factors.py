"""Risk factors and the exposures of portfolios and positions to them."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import GENERATED_UUID, NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_factor_definitions()
    _create_factor_exposures()
    _create_position_factor_exposures()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("position_factor_exposures")
    op.drop_table("factor_exposures")
    op.drop_table("factor_definitions")


def _create_factor_definitions() -> None:
    op.create_table(
        "factor_definitions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("description", sa.String(500)),
        sa.Column("factor_type", sa.String(20), nullable=False),
        sa.Column("calculation_method", sa.String(50)),
        sa.Column("etf_proxy", sa.String(10)),
        sa.Column("display_order", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_factor_definitions"),
        sa.UniqueConstraint("name", name="uq_factor_definitions_name"),
    )


def _create_factor_exposures() -> None:
    op.create_table(
        "factor_exposures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("exposure_value", sa.Numeric(12, 6), nullable=False),
        sa.Column("exposure_dollar", sa.Numeric(16, 2)),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_factor_exposures"),
        sa.UniqueConstraint(
            "portfolio_id",
            "factor_id",
            "calculation_date",
            name="uq_factor_exposures_portfolio_factor_date",
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_factor_exposures_portfolio_id_portfolios"
        ),
        sa.ForeignKeyConstraint(
            ["factor_id"],
            ["factor_definitions.id"],
            name="fk_factor_exposures_factor_id_factor_definitions",
        ),
    )
    op.create_index(
        "ix_factor_exposures_calculation_date", "factor_exposures", ["calculation_date"]
    )
    op.create_index(
        "ix_factor_exposures_portfolio_id_factor_id",
        "factor_exposures",
        ["portfolio_id", "factor_id"],
    )


def _create_position_factor_exposures() -> None:
    op.create_table(
        "position_factor_exposures",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("exposure_value", sa.Numeric(12, 6), nullable=False),
        sa.Column("quality_flag", sa.String(20)),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position_factor_exposures"),
        sa.UniqueConstraint(
            "position_id", "factor_id", "calculation_date", name="uq_position_factor_date"
        ),
        sa.ForeignKeyConstraint(
            ["position_id"],
            ["positions.id"],
            name="fk_position_factor_exposures_position_id_positions",
        ),
        sa.ForeignKeyConstraint(
            ["factor_id"],
            ["factor_definitions.id"],
            name="fk_position_factor_exposures_factor_id_factor_definitions",
        ),
    )
    op.create_index("idx_pfe_calculation_date", "position_factor_exposures", ["calculation_date"])
    op.create_index(
        "idx_pfe_factor_date", "position_factor_exposures", ["factor_id", "calculation_date"]
    )
    op.create_index(
        "idx_pfe_position_date", "position_factor_exposures", ["position_id", "calculation_date"]
    )
