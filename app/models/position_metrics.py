"""Per-position risk figures: greeks, betas and volatility."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import GENERATED_UUID, NOW, Base, utc_now


class PositionGreeks(Base):
    """The latest option sensitivities of a position: one row per position, no history."""

    __tablename__ = "position_greeks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id"), unique=True)
    calculation_date: Mapped[date] = mapped_column(index=True)
    delta: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    gamma: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    theta: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    vega: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    rho: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    delta_dollars: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    gamma_dollars: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class PositionMarketBeta(Base):
    """A position's regression on the market return over a window ending on `calc_date`."""

    __tablename__ = "position_market_betas"
    __table_args__ = (
        UniqueConstraint(
            "portfolio_id",
            "position_id",
            "calc_date",
            "method",
            "window_days",
            name="uq_position_beta_calc",
        ),
        Index("idx_pos_beta_created", "created_at"),
        Index("idx_pos_beta_lookup", "portfolio_id", "calc_date"),
        Index("idx_pos_beta_position", "position_id", "calc_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=GENERATED_UUID)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"))
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id"))
    calc_date: Mapped[date]
    beta: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    alpha: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    r_squared: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    std_error: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    p_value: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    observations: Mapped[int]
    window_days: Mapped[int] = mapped_column(server_default=text("90"))
    method: Mapped[str] = mapped_column(String(32), server_default="OLS_SIMPLE")
    market_index: Mapped[str] = mapped_column(String(16), server_default="SPY")
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=NOW, onupdate=utc_now
    )


class PositionInterestRateBeta(Base):
    """A position's sensitivity to interest rates on a day."""

    __tablename__ = "position_interest_rate_betas"
    __table_args__ = (
        Index("idx_ir_betas_portfolio_date", "portfolio_id", "calculation_date"),
        Index("idx_ir_betas_position_date", "position_id", "calculation_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=GENERATED_UUID)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"))
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id"))
    ir_beta: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    r_squared: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    calculation_date: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)


class PositionVolatility(Base):
    """Realised and forecast volatility of a position on a day."""

    __tablename__ = "position_volatility"
    __table_args__ = (
        UniqueConstraint("position_id", "calculation_date", name="uq_position_volatility_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=GENERATED_UUID)
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id"), index=True)
    calculation_date: Mapped[date] = mapped_column(index=True)
    realized_vol_21d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    realized_vol_63d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    vol_daily: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    vol_weekly: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    vol_monthly: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    expected_vol_21d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    vol_trend: Mapped[str | None] = mapped_column(String(20))
    vol_trend_strength: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    vol_percentile: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    observations: Mapped[int | None]
    model_r_squared: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=NOW, onupdate=utc_now
    )
