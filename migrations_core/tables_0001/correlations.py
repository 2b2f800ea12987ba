"""Correlation runs, their pairs and their clusters."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import GENERATED_UUID, NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_correlation_calculations()
    _create_correlation_clusters()
    _create_correlation_cluster_positions()
    _create_pairwise_correlations()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("pairwise_correlations")
    op.drop_table("correlation_cluster_positions")
    op.drop_table("correlation_clusters")
    op.drop_table("correlation_calculations")


def _create_correlation_calculations() -> None:
    op.create_table(
        "correlation_calculations",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=False),
        sa.Column("calculation_date", TIMESTAMPTZ, nullable=False),
        sa.Column("overall_correlation", sa.Numeric(8, 6), nullable=False),
        sa.Column("correlation_concentration_score", sa.Numeric(8, 6), nullable=False),
        sa.Column("effective_positions", sa.Numeric(8, 2), nullable=False),
        sa.Column("data_quality", sa.String(20), nullable=False),
        sa.Column("min_position_value", sa.Numeric(18, 4)),
        sa.Column("min_portfolio_weight", sa.Numeric(8, 6)),
        sa.Column("filter_mode", sa.String(20), server_default="both"),
        sa.Column("correlation_threshold", sa.Numeric(8, 6), server_default=sa.text("0.7")),
        sa.Column("positions_included", sa.Integer(), nullable=False),
        sa.Column("positions_excluded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_correlation_calculations"),
        sa.UniqueConstraint(
            "portfolio_id",
            "duration_days",
            "calculation_date",
            name="uq_correlation_calculations_portfolio_id",
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            ["portfolios.id"],
            name="fk_correlation_calculations_portfolio_id_portfolios",
        ),
    )
    op.create_index(
        "idx_correlation_calculations_portfolio_date",
        "correlation_calculations",
        ["portfolio_id", "calculation_date"],
    )


def _create_correlation_clusters() -> None:
    op.create_table(
        "correlation_clusters",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("correlation_calculation_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_number", sa.Integer(), nullable=False),
        sa.Column("nickname", sa.String(100), nullable=False),
        sa.Column("avg_correlation", sa.Numeric(8, 6), nullable=False),
        sa.Column("total_value", sa.Numeric(18, 4), nullable=False),
        sa.Column("portfolio_percentage", sa.Numeric(8, 6), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_correlation_clusters"),
        sa.ForeignKeyConstraint(
            ["correlation_calculation_id"],
            ["correlation_calculations.id"],
            name="fk_correlation_clusters_correlation_calculation_id_corr_40a6",
        ),
    )
    op.create_index(
        "idx_correlation_clusters_calculation",
        "correlation_clusters",
        ["correlation_calculation_id"],
    )


def _create_correlation_cluster_positions() -> None:
    op.create_table(
        "correlation_cluster_positions",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("value", sa.Numeric(18, 4), nullable=False),
        sa.Column("portfolio_percentage", sa.Numeric(8, 6), nullable=False),
        sa.Column("correlation_to_cluster", sa.Numeric(8, 6), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_correlation_cluster_positions"),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["correlation_clusters.id"],
            name="fk_correlation_cluster_positions_cluster_id_correlation_1482",
        ),
        sa.ForeignKeyConstraint(
            ["position_id"],
            ["positions.id"],
            name="fk_correlation_cluster_positions_position_id_positions",
        ),
    )
    op.create_index(
        "idx_cluster_positions_cluster", "correlation_cluster_positions", ["cluster_id"]
    )
    op.create_index(
        "idx_cluster_positions_position", "correlation_cluster_positions", ["position_id"]
    )


def _create_pairwise_correlations() -> None:
    op.create_table(
        "pairwise_correlations",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("correlation_calculation_id", sa.Uuid(), nullable=False),
        sa.Column("symbol_1", sa.String(20), nullable=False),
        sa.Column("symbol_2", sa.String(20), nullable=False),
        sa.Column("correlation_value", sa.Numeric(8, 6), nullable=False),
        sa.Column("data_points", sa.Integer(), nullable=False),
        sa.Column("statistical_significance", sa.Numeric(8, 6)),
        sa.PrimaryKeyConstraint("id", name="pk_pairwise_correlations"),
        sa.ForeignKeyConstraint(
            ["correlation_calculation_id"],
            ["correlation_calculations.id"],
            name="fk_pairwise_correlations_correlation_calculation_id_cor_fe6e",
        ),
    )
    op.create_index(
        "idx_pairwise_correlations_calculation",
        "pairwise_correlations",
        ["correlation_calculation_id"],
    )
    op.create_index(
        "idx_pairwise_correlations_calculation_symbols",
        "pairwise_correlations",
        ["correlation_calculation_id", "symbol_1", "symbol_2"],
    )
