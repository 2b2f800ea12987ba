"""Knowledge base, memories and feedback, as of revision 0001."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects import postgresql

GENERATED_UUID = sa.text("gen_random_uuid()")
NOW = sa.text("now()")
TIMESTAMPTZ = sa.DateTime(timezone=True)


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_ai_kb_documents()
    _create_ai_memories()
    _create_ai_feedback()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("ai_feedback")
    op.drop_table("ai_memories")
    op.drop_table("ai_kb_documents")


def _create_ai_kb_documents() -> None:
    op.create_table(
        "ai_kb_documents",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("scope", sa.String(100), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column(
            "metadata", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("embedding", Vector(1536)),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ai_kb_documents_created", "ai_kb_documents", ["created_at"])
    op.create_index(
        "ix_ai_kb_documents_embedding_hnsw",
        "ai_kb_documents",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
        postgresql_with={"m": 16, "ef_construction": 64},
    )
    op.create_index("ix_ai_kb_documents_scope", "ai_kb_documents", ["scope"])


def _create_ai_memories() -> None:
    op.create_table(
        "ai_memories",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("scope", sa.String(20), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column(
            "tags", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ai_memories_scope", "ai_memories", ["scope"])
    op.create_index("ix_ai_memories_tenant_id", "ai_memories", ["tenant_id"])
    op.create_index("ix_ai_memories_user_id", "ai_memories", ["user_id"])


def _create_ai_feedback() -> None:
    op.create_table(
        "ai_feedback",
        sa.Column("id", sa.Uuid(), server_default=GENERATED_UUID, nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.String(10), nullable=False),
        sa.Column("edited_text", sa.Text()),
        sa.Column("comment", sa.Text()),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ai_feedback_message_id", "ai_feedback", ["message_id"])
    op.create_index("ix_ai_feedback_rating", "ai_feedback", ["rating"])
