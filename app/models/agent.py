"""Chat conversations and messages: user data, so they live in Core."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class AgentConversation(Base):
    """A chat of a user. `user_id` is a logical reference: no foreign key."""

    __tablename__ = "agent_conversations"
    __table_args__ = (
        Index("idx_agent_conversations_created_at", "created_at"),
        Index("idx_agent_conversations_provider_thread_id", "provider_thread_id"),
        Index("idx_agent_conversations_user_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID]
    mode: Mapped[str] = mapped_column(String(50), default="green")
    provider: Mapped[str] = mapped_column(String(32), default="openai")
    provider_thread_id: Mapped[str | None] = mapped_column(String(255))
    provider_run_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    conversation_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", JSONB(none_as_null=True), default=dict
    )


class AgentMessage(Base):
    """A message of a chat, with its cost and timings."""

    __tablename__ = "agent_messages"
    __table_args__ = (
        Index("idx_agent_messages_conversation_id", "conversation_id"),
        Index("idx_agent_messages_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("agent_conversations.id", ondelete="CASCADE")
    )
    role: Mapped[str] = mapped_column(String(50))
    content: Mapped[str | None] = mapped_column(Text)
    tool_calls: Mapped[list[dict[str, Any]]] = mapped_column(JSONB(none_as_null=True), default=list)
    first_token_ms: Mapped[int | None]
    latency_ms: Mapped[int | None]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    total_tokens: Mapped[int | None]
    provider_message_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
