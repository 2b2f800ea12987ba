"""Financial statements, one table per kind."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Numeric, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class _Statement:
    """A statement of a company for a period: what stands before its lines, and behind them."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4, sort_order=-1)
    symbol: Mapped[str] = mapped_column(String(10), index=True, sort_order=-1)
    period_date: Mapped[date] = mapped_column(index=True, sort_order=-1)
    fiscal_year: Mapped[int | None] = mapped_column(sort_order=-1)
    fiscal_quarter: Mapped[int | None] = mapped_column(sort_order=-1)
    frequency: Mapped[str] = mapped_column(String(1), sort_order=-1)
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class IncomeStatement(_Statement, Base):
    """An income statement of a company for a period."""

    __tablename__ = "income_statements"
    __table_args__ = (
        UniqueConstraint("symbol", "period_date", "frequency", name="uq_income_symbol_period_freq"),
    )

    total_revenue: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    cost_of_revenue: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    gross_profit: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    gross_margin: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    research_and_development: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    selling_general_and_administrative: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    operating_income: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    operating_margin: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    ebit: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    ebitda: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    net_income: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    net_margin: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    diluted_eps: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    basic_eps: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    basic_average_shares: Mapped[int | None] = mapped_column(BigInteger)
    diluted_average_shares: Mapped[int | None] = mapped_column(BigInteger)
    tax_provision: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    interest_expense: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    depreciation_and_amortization: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))


class BalanceSheet(_Statement, Base):
    """A balance sheet of a company at the end of a period."""

    __tablename__ = "balance_sheets"
    __table_args__ = (
        UniqueConstraint(
            "symbol", "period_date", "frequency", name="uq_balance_symbol_period_freq"
        ),
    )

    total_assets: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    current_assets: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    cash_and_cash_equivalents: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    short_term_investments: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    accounts_receivable: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    inventory: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    property_plant_equipment: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    intangible_assets: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    total_liabilities: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    current_liabilities: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    accounts_payable: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    short_term_debt: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    long_term_debt: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    total_debt: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    total_stockholders_equity: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    retained_earnings: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    common_stock: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    working_capital: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    net_debt: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    current_ratio: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    debt_to_equity: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    book_value_per_share: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))


class CashFlow(_Statement, Base):
    """A cash-flow statement of a company for a period."""

    __tablename__ = "cash_flows"
    __table_args__ = (
        UniqueConstraint(
            "symbol", "period_date", "frequency", name="uq_cashflow_symbol_period_freq"
        ),
    )

    operating_cash_flow: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    depreciation_and_amortization: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    stock_based_compensation: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    change_in_working_capital: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    investing_cash_flow: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    capital_expenditures: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    acquisitions: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    purchases_of_investments: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    financing_cash_flow: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    dividends_paid: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    stock_repurchases: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    debt_issuance_repayment: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    net_change_in_cash: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    beginning_cash_position: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    free_cash_flow: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    fcf_margin: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
