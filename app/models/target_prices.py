"""Price targets of a portfolio's symbols."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, Numeric, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class PortfolioTargetPrice(Base):
    """An analyst's price targets for one symbol of a portfolio, with what they imply."""

    __tablename__ = "portfolio_target_prices"
    __table_args__ = (
        UniqueConstraint(
            "portfolio_id", "symbol", "position_type", name="uq_portfolio_symbol_type"
        ),
        Index("ix_target_prices_portfolio_id", "portfolio_id"),
        Index("ix_target_prices_position_id", "position_id"),
        Index("ix_target_prices_symbol", "symbol"),
        Index("ix_target_prices_updated_at", "updated_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id", ondelete="CASCADE"))
    position_id: Mapped[UUID | None] = mapped_column(ForeignKey("positions.id", ondelete="CASCADE"))
    symbol: Mapped[str] = mapped_column(String(20))
    position_type: Mapped[str | None] = mapped_column(String(10))
    target_price_eoy: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    target_price_next_year: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    downside_target_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    current_price: Mapped[Decimal] = mapped_column(Numeric(12, 4))
    current_implied_vol: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    expected_return_eoy: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    expected_return_next_year: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    downside_return: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    target_upside_eoy_value: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    target_upside_next_year_value: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    target_downside_value: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    position_weight: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    contribution_to_portfolio_return: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    contribution_to_portfolio_risk: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    price_updated_at: Mapped[datetime | None]
    analyst_notes: Mapped[str | None] = mapped_column(Text)
    data_source: Mapped[str | None] = mapped_column(String(50))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
