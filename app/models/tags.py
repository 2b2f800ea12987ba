"""Tags and the positions that carry them."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOW, Base, utc_now


class TagV2(Base):
    """A user's own label for positions."""

    __tablename__ = "tags_v2"
    __table_args__ = (
        UniqueConstraint("user_id", "name", "is_archived", name="unique_active_tag_name_v2"),
        CheckConstraint("color ~ '^#[0-9A-Fa-f]{6}$'", name="valid_hex_color"),
        Index("idx_tags_v2_display_order", "user_id", "display_order"),
        Index("idx_tags_v2_user_active", "user_id", postgresql_where=text("is_archived = false")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str | None] = mapped_column(
        String(7), default="#4A90E2", server_default="#4A90E2"
    )
    description: Mapped[str | None] = mapped_column(Text)
    display_order: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    usage_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    is_archived: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    archived_at: Mapped[datetime | None]
    archived_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW, onupdate=utc_now)


class PositionTag(Base):
    """A tag put on a position."""

    __tablename__ = "position_tags"
    __table_args__ = (
        UniqueConstraint("position_id", "tag_id", name="unique_position_tag"),
        Index("ix_position_tags_position_id", "position_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    position_id: Mapped[UUID] = mapped_column(ForeignKey("positions.id", ondelete="CASCADE"))
    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags_v2.id", ondelete="CASCADE"), index=True)
    assigned_at: Mapped[datetime] = mapped_column(server_default=NOW, index=True)
    assigned_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
