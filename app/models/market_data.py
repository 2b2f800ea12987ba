"""Prices, fund holdings and benchmark weights."""

import datetime as dt
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import GENERATED_UUID, NOW, Base, utc_now


class MarketDataCache(Base):
    """Daily prices of a symbol, one row per symbol and day."""

    __tablename__ = "market_data_cache"
    __table_args__ = (
        UniqueConstraint("symbol", "date", name="uq_market_data_cache_symbol_date"),
        Index("idx_market_data_valid_prices", "symbol", "date", postgresql_where=text("close > 0")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    symbol: Mapped[str] = mapped_column(String(20), index=True)
    date: Mapped[dt.date] = mapped_column(index=True)
    open: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    high: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    low: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    close: Mapped[Decimal] = mapped_column(Numeric(12, 4))
    volume: Mapped[int | None]
    sector: Mapped[str | None] = mapped_column(String(100))
    industry: Mapped[str | None] = mapped_column(String(100))
    exchange: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(10))
    market_cap: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    data_source: Mapped[str] = mapped_column(String(50), default="polygon")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class FundHolding(Base):
    """What a fund holds, by its own report of a date."""

    __tablename__ = "fund_holdings"
    __table_args__ = (
        UniqueConstraint(
            "fund_symbol",
            "holding_symbol",
            "last_updated",
            name="uq_fund_holdings_fund_holding_date",
        ),
        Index("ix_fund_holdings_fund_date", "fund_symbol", "last_updated"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    fund_symbol: Mapped[str] = mapped_column(String(20), index=True)
    holding_symbol: Mapped[str] = mapped_column(String(20), index=True)
    holding_name: Mapped[str | None] = mapped_column(String(200))
    weight: Mapped[Decimal] = mapped_column(Numeric(8, 6))
    shares: Mapped[int | None]
    market_value: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    data_source: Mapped[str] = mapped_column(String(50), index=True)
    last_updated: Mapped[date] = mapped_column(index=True)
    data_quality: Mapped[str] = mapped_column(String(20), default="good")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class BenchmarkSectorWeight(Base):
    """Weight of a sector in a benchmark index on a date."""

    __tablename__ = "benchmarks_sector_weights"
    __table_args__ = (
        UniqueConstraint("benchmark_code", "asof_date", "sector", name="uq_benchmark_sector_date"),
        Index("idx_benchmark_lookup", "benchmark_code", "asof_date"),
        Index("idx_benchmark_sector", "benchmark_code", "sector", "asof_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, server_default=GENERATED_UUID)
    benchmark_code: Mapped[str] = mapped_column(String(32))
    asof_date: Mapped[date]
    sector: Mapped[str] = mapped_column(String(64))
    weight: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    market_cap: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    num_constituents: Mapped[int | None]
    data_source: Mapped[str] = mapped_column(String(32), server_default="FMP")
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=NOW, onupdate=utc_now
    )
