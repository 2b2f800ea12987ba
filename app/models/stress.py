"""Stress scenarios and their results."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class StressTestScenario(Base):
    """A named set of factor shocks."""

    __tablename__ = "stress_test_scenarios"
    __table_args__ = (
        Index("idx_stress_scenarios_active", "active"),
        Index("idx_stress_scenarios_category", "category"),
        Index("idx_stress_scenarios_severity", "severity"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    scenario_id: Mapped[str] = mapped_column(String(50), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(1000))
    category: Mapped[str] = mapped_column(String(50))
    severity: Mapped[str] = mapped_column(String(20))
    shock_config: Mapped[dict[str, Any]] = mapped_column(JSONB(none_as_null=True))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class StressTestResult(Base):
    """What a scenario would do to a portfolio on a day."""

    __tablename__ = "stress_test_results"
    __table_args__ = (
        Index("idx_stress_results_calculation_date", "calculation_date"),
        Index("idx_stress_results_portfolio_date", "portfolio_id", "calculation_date"),
        Index("idx_stress_results_scenario", "scenario_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"))
    scenario_id: Mapped[UUID] = mapped_column(ForeignKey("stress_test_scenarios.id"))
    calculation_date: Mapped[date]
    direct_pnl: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    correlated_pnl: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    correlation_effect: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    factor_impacts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    calculation_metadata: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
