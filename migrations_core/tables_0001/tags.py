"""Tags and the positions that carry them."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_tags_v2()
    _create_position_tags()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("position_tags")
    op.drop_table("tags_v2")


def _create_tags_v2() -> None:
    op.create_table(
        "tags_v2",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("color", sa.String(7), server_default="#4A90E2"),
        sa.Column("description", sa.Text()),
        sa.Column("display_order", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("usage_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_archived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("archived_at", TIMESTAMPTZ),
        sa.Column("archived_by", sa.Uuid()),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags_v2"),
        sa.UniqueConstraint("user_id", "name", "is_archived", name="unique_active_tag_name_v2"),
        sa.CheckConstraint("color ~ '^#[0-9A-Fa-f]{6}$'", name=op.f("ck_tags_v2_valid_hex_color")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_tags_v2_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["archived_by"], ["users.id"], name="fk_tags_v2_archived_by_users"),
    )
    op.create_index("idx_tags_v2_display_order", "tags_v2", ["user_id", "display_order"])
    op.create_index(
        "idx_tags_v2_user_active",
        "tags_v2",
        ["user_id"],
        postgresql_where=sa.text("is_archived = false"),
    )


def _create_position_tags() -> None:
    op.create_table(
        "position_tags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.Column("assigned_by", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_position_tags"),
        sa.UniqueConstraint("position_id", "tag_id", name="unique_position_tag"),
        sa.ForeignKeyConstraint(
            ["position_id"],
            ["positions.id"],
            name="fk_position_tags_position_id_positions",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags_v2.id"], name="fk_position_tags_tag_id_tags_v2", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["assigned_by"], ["users.id"], name="fk_position_tags_assigned_by_users"
        ),
    )
    op.create_index("ix_position_tags_assigned_at", "position_tags", ["assigned_at"])
    op.create_index("ix_position_tags_position_id", "position_tags", ["position_id"])
    op.create_index("ix_position_tags_tag_id", "position_tags", ["tag_id"])
