"""Stress scenarios and their results."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations_core.tables_0001.columns import TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_stress_test_scenarios()
    _create_stress_test_results()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("stress_test_results")
    op.drop_table("stress_test_scenarios")


def _create_stress_test_scenarios() -> None:
    op.create_table(
        "stress_test_scenarios",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scenario_id", sa.String(50), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.String(1000)),
        sa.Column("category", sa.String(50), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("shock_config", postgresql.JSONB(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stress_test_scenarios"),
        sa.UniqueConstraint("scenario_id", name="uq_stress_test_scenarios_scenario_id"),
    )
    op.create_index("idx_stress_scenarios_active", "stress_test_scenarios", ["active"])
    op.create_index("idx_stress_scenarios_category", "stress_test_scenarios", ["category"])
    op.create_index("idx_stress_scenarios_severity", "stress_test_scenarios", ["severity"])


def _create_stress_test_results() -> None:
    op.create_table(
        "stress_test_results",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("scenario_id", sa.Uuid(), nullable=False),
        sa.Column("calculation_date", sa.Date(), nullable=False),
        sa.Column("direct_pnl", sa.Numeric(16, 2), nullable=False),
        sa.Column("correlated_pnl", sa.Numeric(16, 2), nullable=False),
        sa.Column("correlation_effect", sa.Numeric(16, 2), nullable=False),
        sa.Column("factor_impacts", postgresql.JSONB()),
        sa.Column("calculation_metadata", postgresql.JSONB()),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stress_test_results"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_stress_test_results_portfolio_id_portfolios",
        ),
        sa.ForeignKeyConstraint(
            ["scenario_id"],
            ["stress_test_scenarios.id"],
            name="fk_stress_test_results_scenario_id_stress_test_scenarios",
        ),
    )
    op.create_index(
        "idx_stress_results_calculation_date", "stress_test_results", ["calculation_date"]
    )
    op.create_index(
        "idx_stress_results_portfolio_date",
        "stress_test_results",
        ["portfolio_id", "calculation_date"],
    )
    op.create_index("idx_stress_results_scenario", "stress_test_results", ["scenario_id"])
