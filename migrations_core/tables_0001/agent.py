"""Chat conversations and messages: user data, so they live in Core."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations_core.tables_0001.columns import TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_agent_conversations()
    _create_agent_messages()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("agent_messages")
    op.drop_table("agent_conversations")


def _create_agent_conversations() -> None:
    op.create_table(
        "agent_conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.String(50), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("provider_thread_id", sa.String(255)),
        sa.Column("provider_run_id", sa.String(255)),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agent_conversations"),
    )
    op.create_index("idx_agent_conversations_created_at", "agent_conversations", ["created_at"])
    op.create_index(
        "idx_agent_conversations_provider_thread_id", "agent_conversations", ["provider_thread_id"]
    )
    op.create_index("idx_agent_conversations_user_id", "agent_conversations", ["user_id"])


def _create_agent_messages() -> None:
    op.create_table(
        "agent_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("tool_calls", postgresql.JSONB(), nullable=False),
        sa.Column("first_token_ms", sa.Integer()),
        sa.Column("latency_ms", sa.Integer()),
        sa.Column("prompt_tokens", sa.Integer()),
        sa.Column("completion_tokens", sa.Integer()),
        sa.Column("total_tokens", sa.Integer()),
        sa.Column("provider_message_id", sa.String(255)),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("error", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("id", name="pk_agent_messages"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["agent_conversations.id"],
            name="fk_agent_messages_conversation_id_agent_conversations",
            ondelete="CASCADE",
        ),
    )
    op.create_index("idx_agent_messages_conversation_id", "agent_messages", ["conversation_id"])
    op.create_index("idx_agent_messages_created_at", "agent_messages", ["created_at"])
