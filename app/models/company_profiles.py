"""Company profiles."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class CompanyProfile(Base):
    """What is known about a company: identity, valuation, estimates and calendar."""

    __tablename__ = "company_profiles"

    symbol: Mapped[str] = mapped_column(String(20), primary_key=True)
    company_name: Mapped[str | None] = mapped_column(String(200))
    sector: Mapped[str | None] = mapped_column(String(100))
    industry: Mapped[str | None] = mapped_column(String(100))
    exchange: Mapped[str | None] = mapped_column(String(50))
    country: Mapped[str | None] = mapped_column(String(50))
    market_cap: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    description: Mapped[str | None] = mapped_column(String(1000))
    is_etf: Mapped[bool | None] = mapped_column(default=False)
    is_fund: Mapped[bool | None] = mapped_column(default=False)
    ceo: Mapped[str | None] = mapped_column(String(100))
    employees: Mapped[int | None]
    website: Mapped[str | None] = mapped_column(String(200))

    # Valuation
    pe_ratio: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    forward_pe: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    dividend_yield: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    beta: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    week_52_high: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    week_52_low: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))

    # Analyst
    target_mean_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    target_high_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    target_low_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    number_of_analyst_opinions: Mapped[int | None]
    recommendation_mean: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    recommendation_key: Mapped[str | None] = mapped_column(String(20))
    forward_eps: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    earnings_growth: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    revenue_growth: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    earnings_quarterly_growth: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))

    # Profitability
    profit_margins: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    operating_margins: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    gross_margins: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    return_on_assets: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    return_on_equity: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    total_revenue: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))

    # Current-year estimates
    current_year_revenue_avg: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    current_year_revenue_low: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    current_year_revenue_high: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    current_year_revenue_growth: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    current_year_earnings_avg: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_year_earnings_low: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_year_earnings_high: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_year_end_date: Mapped[date | None]

    # Next-year estimates
    next_year_revenue_avg: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    next_year_revenue_low: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    next_year_revenue_high: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    next_year_revenue_growth: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    next_year_earnings_avg: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_year_earnings_low: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_year_earnings_high: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_year_end_date: Mapped[date | None]

    # Current-quarter estimates
    current_quarter_target_period_date: Mapped[date | None]
    current_quarter_revenue_avg: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    current_quarter_revenue_low: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    current_quarter_revenue_high: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    current_quarter_eps_avg: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_quarter_eps_low: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_quarter_eps_high: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_quarter_analyst_count: Mapped[int | None]

    # Next-quarter estimates
    next_quarter_target_period_date: Mapped[date | None]
    next_quarter_revenue_avg: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    next_quarter_revenue_low: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    next_quarter_revenue_high: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    next_quarter_eps_avg: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_quarter_eps_low: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_quarter_eps_high: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_quarter_analyst_count: Mapped[int | None]

    # Calendar and bookkeeping
    fiscal_year_end: Mapped[str | None] = mapped_column(String(5))
    fiscal_quarter_offset: Mapped[int | None] = mapped_column(default=0)
    next_earnings_date: Mapped[date | None]
    next_earnings_expected_eps: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    next_earnings_expected_revenue: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    fundamentals_last_fetched: Mapped[datetime | None]
    data_source: Mapped[str] = mapped_column(String(50), default="yahooquery")
    last_updated: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
