"""Portfolios and their capital flows."""

import enum
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Enum, ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOW, Base, utc_now


class EquityChangeType(enum.Enum):
    """Direction of a capital flow into or out of a portfolio."""

    CONTRIBUTION = "CONTRIBUTION"
    WITHDRAWAL = "WITHDRAWAL"


class Portfolio(Base):
    """An account of a user; the batch rolls `equity_balance` forward from the starting capital."""

    __tablename__ = "portfolios"
    __table_args__ = (
        UniqueConstraint("user_id", "account_name", name="uq_portfolio_user_account_name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    account_name: Mapped[str] = mapped_column(String(100))
    account_type: Mapped[str] = mapped_column(String(20), default="taxable")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    description: Mapped[str | None] = mapped_column(String(1000))
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    equity_balance: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)


class EquityChange(Base):
    """Capital paid into or withdrawn from a portfolio on a day."""

    __tablename__ = "equity_changes"
    __table_args__ = (Index("ix_equity_changes_portfolio_date", "portfolio_id", "change_date"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"), index=True)
    change_type: Mapped[EquityChangeType] = mapped_column(
        Enum(EquityChangeType, name="equity_change_type")
    )
    amount: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    change_date: Mapped[date]
    notes: Mapped[str | None] = mapped_column(String(500))
    created_by_user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=NOW, onupdate=utc_now
    )
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)
