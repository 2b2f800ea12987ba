"""Positions and what was realised on them."""

import enum
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Enum, ForeignKey, Index, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOW, Base, utc_now


class PositionType(enum.Enum):
    """What a position is: a stock held long or short, or a call or put bought or written."""

    LC = "LC"
    LP = "LP"
    SC = "SC"
    SP = "SP"
    LONG = "LONG"
    SHORT = "SHORT"


class Position(Base):
    """A holding; shorts and written options carry a negative quantity."""

    __tablename__ = "positions"
    __table_args__ = (
        Index("idx_position_portfolio_active", "portfolio_id", "deleted_at"),
        Index(
            "idx_positions_active_complete",
            "portfolio_id",
            "deleted_at",
            "exit_date",
            "investment_class",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "idx_positions_symbol_active",
            "deleted_at",
            "symbol",
            "exit_date",
            "expiration_date",
            postgresql_where=text("deleted_at IS NULL AND symbol IS NOT NULL AND symbol <> ''"),
        ),
        Index("ix_positions_inv_class_subtype", "investment_class", "investment_subtype"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id"), index=True)
    symbol: Mapped[str] = mapped_column(String(20), index=True)
    position_type: Mapped[PositionType] = mapped_column(Enum(PositionType, name="positiontype"))
    quantity: Mapped[Decimal] = mapped_column(Numeric(16, 4))
    entry_price: Mapped[Decimal] = mapped_column(Numeric(12, 4))
    entry_date: Mapped[date]
    exit_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    exit_date: Mapped[date | None] = mapped_column(index=True)
    underlying_symbol: Mapped[str | None] = mapped_column(String(10))
    strike_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    expiration_date: Mapped[date | None]
    investment_class: Mapped[str | None] = mapped_column(String(20), index=True)
    investment_subtype: Mapped[str | None] = mapped_column(String(30))
    last_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    market_value: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    unrealized_pnl: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    realized_pnl: Mapped[Decimal | None] = mapped_column(Numeric(16, 2))
    notes: Mapped[str | None] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)


class PositionRealizedEvent(Base):
    """A part of a position closed on a day, with the profit it realised."""

    __tablename__ = "position_realized_events"
    __table_args__ = (
        Index("ix_position_realized_events_portfolio_date", "portfolio_id", "trade_date"),
        Index("ix_position_realized_events_portfolio_id", "portfolio_id"),
        Index("ix_position_realized_events_position_id", "position_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id", ondelete="CASCADE"))
    portfolio_id: Mapped[UUID] = mapped_column(ForeignKey("portfolios.id", ondelete="CASCADE"))
    trade_date: Mapped[date]
    quantity_closed: Mapped[Decimal] = mapped_column(Numeric(16, 4))
    realized_pnl: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=NOW)
