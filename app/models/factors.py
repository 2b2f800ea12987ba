"""Risk factors and the exposures of portfolios and positions to them."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, Numeric, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import GENERATED_UUID, NOW, Base, utc_now


class FactorDefinition(Base):
    """A risk factor and the traded proxy that stands for it."""

    __tablename__ = "factor_definitions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(String(500))
    factor_type: Mapped[str] = mapped_column(String(20))
    calculation_method: Mapped[str | None] = mapped_column(String(50))
    etf_proxy: Mapped[str | None] = mapped_column(String(10))
    display_order: Mapped[int] = mapped_column(default=0)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class FactorExposure(Base):
    """A portfolio's exposure to a factor on a day, as beta and in dollars."""

    __tablename__ = "factor_exposures"
    __table_args__ = (
        UniqueConstraint(
            "portfolio_id",
            "factor_id",
            "calculation_date",
            name="uq_factor_exposures_portfolio_factor_date",
        ),
        Index("ix_factor_exposures_portfolio_id_factor_id", "portfolio_id", "factor_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"))
    factor_id: Mapped[UUID] = mapped_column(ForeignKey("factor_definitions.id"))
    calculation_date: Mapped[date] = mapped_column(index=True)
    exposure_value: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    exposure_dollar: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class PositionFactorExposure(Base):
    """A position's beta to a factor on a day: the largest analytic table."""

    __tablename__ = "position_factor_exposures"
    __table_args__ = (
        UniqueConstraint(
            "position_id", "factor_id", "calculation_date", name="uq_position_factor_date"
        ),
        Index("idx_pfe_calculation_date", "calculation_date"),
        Index("idx_pfe_factor_date", "factor_id", "calculation_date"),
        Index("idx_pfe_position_date", "position_id", "calculation_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=GENERATED_UUID)
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id"))
    factor_id: Mapped[UUID] = mapped_column(ForeignKey("factor_definitions.id"))
    calculation_date: Mapped[date]
    exposure_value: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    quality_flag: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
