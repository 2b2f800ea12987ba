"""Analytics per symbol, from which positions take theirs by fan-out."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import GENERATED_UUID, NOW, Base, utc_now


class SymbolUniverse(Base):
    """A symbol that the analytics know."""

    __tablename__ = "symbol_universe"
    __table_args__ = (
        Index("idx_symbol_universe_active", "is_active"),
        Index("idx_symbol_universe_asset_type", "asset_type"),
        Index("idx_symbol_universe_sector", "sector"),
    )

    symbol: Mapped[str] = mapped_column(String(20), primary_key=True)
    asset_type: Mapped[str | None] = mapped_column(String(20))
    sector: Mapped[str | None] = mapped_column(String(100))
    industry: Mapped[str | None] = mapped_column(String(100))
    first_seen_date: Mapped[date | None]
    last_seen_date: Mapped[date | None]
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=NOW, onupdate=utc_now
    )


class SymbolFactorExposure(Base):
    """A symbol's beta to a factor; shared by every position that holds the symbol."""

    __tablename__ = "symbol_factor_exposures"
    __table_args__ = (
        UniqueConstraint("symbol", "factor_id", "calculation_date", name="uq_symbol_factor_date"),
        Index("idx_symbol_factor_calc_date", "calculation_date"),
        Index("idx_symbol_factor_lookup", "symbol", "calculation_date"),
        Index("idx_symbol_factor_method", "calculation_method", "calculation_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=GENERATED_UUID)
    symbol: Mapped[str] = mapped_column(
        String(20), ForeignKey("symbol_universe.symbol", ondelete="CASCADE")
    )
    factor_id: Mapped[UUID] = mapped_column(ForeignKey("factor_definitions.id"))
    calculation_date: Mapped[date]
    beta_value: Mapped[Decimal] = mapped_column(Numeric(10, 6))
    r_squared: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    observations: Mapped[int | None]
    quality_flag: Mapped[str | None] = mapped_column(String(20))
    calculation_method: Mapped[str] = mapped_column(String(50))
    regularization_alpha: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    regression_window_days: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)


class SymbolDailyMetrics(Base):
    """The latest figures of a symbol: one row per symbol, overwritten by each run."""

    __tablename__ = "symbol_daily_metrics"
    __table_args__ = (
        Index("idx_metrics_date", "metrics_date"),
        Index("idx_metrics_factor_momentum", "factor_momentum"),
        Index("idx_metrics_factor_value", "factor_value"),
        Index("idx_metrics_market_cap", "market_cap"),
        Index("idx_metrics_pe", "pe_ratio"),
        Index("idx_metrics_return_ytd", "return_ytd"),
        Index("idx_metrics_sector", "sector"),
        Index("idx_metrics_sector_cap", "sector", "market_cap"),
    )

    symbol: Mapped[str] = mapped_column(
        String(20), ForeignKey("symbol_universe.symbol", ondelete="CASCADE"), primary_key=True
    )
    metrics_date: Mapped[date]
    current_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    return_1d: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    return_mtd: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    return_ytd: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    return_1m: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    return_3m: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    return_1y: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    market_cap: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    enterprise_value: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    pe_ratio: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    ps_ratio: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    pb_ratio: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    sector: Mapped[str | None] = mapped_column(String(100))
    industry: Mapped[str | None] = mapped_column(String(100))
    company_name: Mapped[str | None] = mapped_column(String(255))
    factor_value: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_growth: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_momentum: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_quality: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_size: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_low_vol: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_growth_value_spread: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_momentum_spread: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_size_spread: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    factor_quality_spread: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    data_quality_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=NOW, onupdate=utc_now
    )
