"""Daily portfolio snapshots."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, ForeignKey, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class PortfolioSnapshot(Base):
    """A portfolio at the close of a trading day. `total_value` is read as `net_asset_value`."""

    __tablename__ = "portfolio_snapshots"
    __table_args__ = (
        UniqueConstraint(
            "portfolio_id", "snapshot_date", name="uq_portfolio_snapshots_portfolio_date"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"), index=True)
    snapshot_date: Mapped[date] = mapped_column(index=True)
    net_asset_value: Mapped[Decimal] = mapped_column("total_value", Numeric(16, 2))
    cash_value: Mapped[Decimal] = mapped_column(Numeric(16, 2), default=0)
    long_value: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    short_value: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    gross_exposure: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    net_exposure: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    daily_pnl: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    daily_return: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    cumulative_pnl: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    daily_realized_pnl: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    cumulative_realized_pnl: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    daily_capital_flow: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    cumulative_capital_flow: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    portfolio_delta: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    portfolio_gamma: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    portfolio_theta: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    portfolio_vega: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    num_positions: Mapped[int]
    num_long_positions: Mapped[int]
    num_short_positions: Mapped[int]
    equity_balance: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    realized_volatility_21d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    realized_volatility_63d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    expected_volatility_21d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    volatility_trend: Mapped[str | None] = mapped_column(String(20))
    volatility_percentile: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    beta_calculated_90d: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    beta_calculated_90d_r_squared: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    beta_calculated_90d_observations: Mapped[int | None]
    beta_provider_1y: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    beta_portfolio_regression: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    sector_exposure: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    hhi: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    effective_num_positions: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    top_3_concentration: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    top_10_concentration: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    target_price_return_eoy: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    target_price_return_next_year: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    target_price_downside_return: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    target_price_upside_eoy_dollars: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    target_price_upside_next_year_dollars: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    target_price_downside_dollars: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    target_price_coverage_pct: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    target_price_positions_count: Mapped[int | None]
    target_price_total_positions: Mapped[int | None]
    target_price_last_updated: Mapped[datetime | None]
    is_complete: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
