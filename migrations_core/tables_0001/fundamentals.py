"""Financial statements, one table per kind."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_income_statements()
    _create_balance_sheets()
    _create_cash_flows()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("cash_flows")
    op.drop_table("balance_sheets")
    op.drop_table("income_statements")


def _create_income_statements() -> None:
    op.create_table(
        "income_statements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(10), nullable=False),
        sa.Column("period_date", sa.Date(), nullable=False),
        sa.Column("fiscal_year", sa.Integer()),
        sa.Column("fiscal_quarter", sa.Integer()),
        sa.Column("frequency", sa.String(1), nullable=False),
        sa.Column("total_revenue", sa.Numeric(20, 2)),
        sa.Column("cost_of_revenue", sa.Numeric(20, 2)),
        sa.Column("gross_profit", sa.Numeric(20, 2)),
        sa.Column("gross_margin", sa.Numeric(8, 6)),
        sa.Column("research_and_development", sa.Numeric(20, 2)),
        sa.Column("selling_general_and_administrative", sa.Numeric(20, 2)),
        sa.Column("operating_income", sa.Numeric(20, 2)),
        sa.Column("operating_margin", sa.Numeric(8, 6)),
        sa.Column("ebit", sa.Numeric(20, 2)),
        sa.Column("ebitda", sa.Numeric(20, 2)),
        sa.Column("net_income", sa.Numeric(20, 2)),
        sa.Column("net_margin", sa.Numeric(8, 6)),
        sa.Column("diluted_eps", sa.Numeric(12, 4)),
        sa.Column("basic_eps", sa.Numeric(12, 4)),
        sa.Column("basic_average_shares", sa.BigInteger()),
        sa.Column("diluted_average_shares", sa.BigInteger()),
        sa.Column("tax_provision", sa.Numeric(20, 2)),
        sa.Column("interest_expense", sa.Numeric(20, 2)),
        sa.Column("depreciation_and_amortization", sa.Numeric(20, 2)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_income_statements"),
        sa.UniqueConstraint(
            "symbol", "period_date", "frequency", name="uq_income_symbol_period_freq"
        ),
    )
    op.create_index("ix_income_statements_period_date", "income_statements", ["period_date"])
    op.create_index("ix_income_statements_symbol", "income_statements", ["symbol"])


def _create_balance_sheets() -> None:
    op.create_table(
        "balance_sheets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(10), nullable=False),
        sa.Column("period_date", sa.Date(), nullable=False),
        sa.Column("fiscal_year", sa.Integer()),
        sa.Column("fiscal_quarter", sa.Integer()),
        sa.Column("frequency", sa.String(1), nullable=False),
        sa.Column("total_assets", sa.Numeric(20, 2)),
        sa.Column("current_assets", sa.Numeric(20, 2)),
        sa.Column("cash_and_cash_equivalents", sa.Numeric(20, 2)),
        sa.Column("short_term_investments", sa.Numeric(20, 2)),
        sa.Column("accounts_receivable", sa.Numeric(20, 2)),
        sa.Column("inventory", sa.Numeric(20, 2)),
        sa.Column("property_plant_equipment", sa.Numeric(20, 2)),
        sa.Column("intangible_assets", sa.Numeric(20, 2)),
        sa.Column("total_liabilities", sa.Numeric(20, 2)),
        sa.Column("current_liabilities", sa.Numeric(20, 2)),
        sa.Column("accounts_payable", sa.Numeric(20, 2)),
        sa.Column("short_term_debt", sa.Numeric(20, 2)),
        sa.Column("long_term_debt", sa.Numeric(20, 2)),
        sa.Column("total_debt", sa.Numeric(20, 2)),
        sa.Column("total_stockholders_equity", sa.Numeric(20, 2)),
        sa.Column("retained_earnings", sa.Numeric(20, 2)),
        sa.Column("common_stock", sa.Numeric(20, 2)),
        sa.Column("working_capital", sa.Numeric(20, 2)),
        sa.Column("net_debt", sa.Numeric(20, 2)),
        sa.Column("current_ratio", sa.Numeric(8, 4)),
        sa.Column("debt_to_equity", sa.Numeric(8, 4)),
        sa.Column("book_value_per_share", sa.Numeric(12, 4)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_balance_sheets"),
        sa.UniqueConstraint(
            "symbol", "period_date", "frequency", name="uq_balance_symbol_period_freq"
        ),
    )
    op.create_index("ix_balance_sheets_period_date", "balance_sheets", ["period_date"])
    op.create_index("ix_balance_sheets_symbol", "balance_sheets", ["symbol"])


def _create_cash_flows() -> None:
    op.create_table(
        "cash_flows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(10), nullable=False),
        sa.Column("period_date", sa.Date(), nullable=False),
        sa.Column("fiscal_year", sa.Integer()),
        sa.Column("fiscal_quarter", sa.Integer()),
        sa.Column("frequency", sa.String(1), nullable=False),
        sa.Column("operating_cash_flow", sa.Numeric(20, 2)),
        sa.Column("depreciation_and_amortization", sa.Numeric(20, 2)),
        sa.Column("stock_based_compensation", sa.Numeric(20, 2)),
        sa.Column("change_in_working_capital", sa.Numeric(20, 2)),
        sa.Column("investing_cash_flow", sa.Numeric(20, 2)),
        sa.Column("capital_expenditures", sa.Numeric(20, 2)),
        sa.Column("acquisitions", sa.Numeric(20, 2)),
        sa.Column("purchases_of_investments", sa.Numeric(20, 2)),
        sa.Column("financing_cash_flow", sa.Numeric(20, 2)),
        sa.Column("dividends_paid", sa.Numeric(20, 2)),
        sa.Column("stock_repurchases", sa.Numeric(20, 2)),
        sa.Column("debt_issuance_repayment", sa.Numeric(20, 2)),
        sa.Column("net_change_in_cash", sa.Numeric(20, 2)),
        sa.Column("beginning_cash_position", sa.Numeric(20, 2)),
        sa.Column("free_cash_flow", sa.Numeric(20, 2)),
        sa.Column("fcf_margin", sa.Numeric(8, 6)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cash_flows"),
        sa.UniqueConstraint(
            "symbol", "period_date", "frequency", name="uq_cashflow_symbol_period_freq"
        ),
    )
    op.create_index("ix_cash_flows_period_date", "cash_flows", ["period_date"])
    op.create_index("ix_cash_flows_symbol", "cash_flows", ["symbol"])
