"""Correlation runs, their pairs and their clusters."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import GENERATED_UUID, NOW, Base


class CorrelationCalculation(Base):
    """One correlation run over a portfolio's positions, with what it included and left out."""

    __tablename__ = "correlation_calculations"
    __table_args__ = (
        UniqueConstraint("portfolio_id", "duration_days", "calculation_date"),
        Index("idx_correlation_calculations_portfolio_date", "portfolio_id", "calculation_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"))
    duration_days: Mapped[int]
    calculation_date: Mapped[datetime]
    overall_correlation: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    correlation_concentration_score: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    effective_positions: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    data_quality: Mapped[str] = mapped_column(String(20))
    min_position_value: Mapped[Decimal | None] = mapped_column(Numeric(18, 4))
    min_portfolio_weight: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    filter_mode: Mapped[str | None] = mapped_column(
        String(20), default="both", server_default="both"
    )
    correlation_threshold: Mapped[Decimal | None] = mapped_column(
        Numeric(8, 6), default=Decimal("0.7"), server_default=text("0.7")
    )
    positions_included: Mapped[int]
    positions_excluded: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[datetime | None] = mapped_column(server_default=NOW)


class CorrelationCluster(Base):
    """A group of positions of one correlation run that move together."""

    __tablename__ = "correlation_clusters"
    __table_args__ = (Index("idx_correlation_clusters_calculation", "correlation_calculation_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    correlation_calculation_id: Mapped[UUID] = mapped_column(
        ForeignKey("correlation_calculations.id")
    )
    cluster_number: Mapped[int]
    nickname: Mapped[str] = mapped_column(String(100))
    avg_correlation: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    total_value: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    portfolio_percentage: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    created_at: Mapped[datetime | None] = mapped_column(server_default=NOW)


class CorrelationClusterPosition(Base):
    """Membership of a position in a correlation cluster."""

    __tablename__ = "correlation_cluster_positions"
    __table_args__ = (
        Index("idx_cluster_positions_cluster", "cluster_id"),
        Index("idx_cluster_positions_position", "position_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("correlation_clusters.id"))
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id"))
    symbol: Mapped[str] = mapped_column(String(20))
    value: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    portfolio_percentage: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    correlation_to_cluster: Mapped[Decimal] = mapped_column(Numeric(8, 6))


class PairwiseCorrelation(Base):
    """Correlation of an ordered pair of symbols within one correlation run."""

    __tablename__ = "pairwise_correlations"
    __table_args__ = (
        Index("idx_pairwise_correlations_calculation", "correlation_calculation_id"),
        Index(
            "idx_pairwise_correlations_calculation_symbols",
            "correlation_calculation_id",
            "symbol_1",
            "symbol_2",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    correlation_calculation_id: Mapped[UUID] = mapped_column(
        ForeignKey("correlation_calculations.id")
    )
    symbol_1: Mapped[str] = mapped_column(String(20))
    symbol_2: Mapped[str] = mapped_column(String(20))
    correlation_value: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    data_points: Mapped[int]
    statistical_significance: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
