"""The AI database: knowledge base, memories and feedback. No key crosses into Core."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import GENERATED_UUID, NOW, AiBase, utc_now


class AiKbDocument(AiBase):
    """A knowledge-base document with its embedding."""

    __tablename__ = "ai_kb_documents"
    __table_args__ = (
        Index("ix_ai_kb_documents_created", "created_at"),
        Index(
            "ix_ai_kb_documents_embedding_hnsw",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_cosine_ops"},
            postgresql_with={"m": 16, "ef_construction": 64},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    scope: Mapped[str] = mapped_column(String(100), index=True)
    title: Mapped[str] = mapped_column(String(500))
    content: Mapped[str] = mapped_column(Text)
    doc_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", JSONB(none_as_null=True), server_default=text("'{}'::jsonb")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW, onupdate=utc_now)
    embedding: Mapped[list[float] | None] = mapped_column(Vector(1536))


class AiMemory(AiBase):
    """Something the agent remembers about a user (a logical reference to Core)."""

    __tablename__ = "ai_memories"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    user_id: Mapped[UUID | None] = mapped_column(index=True)
    tenant_id: Mapped[UUID | None] = mapped_column(index=True)
    scope: Mapped[str] = mapped_column(String(20), index=True)
    content: Mapped[str] = mapped_column(Text)
    tags: Mapped[dict[str, Any]] = mapped_column(
        JSONB(none_as_null=True), server_default=text("'{}'::jsonb")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class AiFeedback(AiBase):
    """A rating of a chat message (a logical reference to Core)."""

    __tablename__ = "ai_feedback"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=GENERATED_UUID)
    message_id: Mapped[UUID] = mapped_column(index=True)
    rating: Mapped[str] = mapped_column(String(10), index=True)
    edited_text: Mapped[str | None] = mapped_column(Text)
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
