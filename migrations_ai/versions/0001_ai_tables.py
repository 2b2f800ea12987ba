"""The 3 AI tables, the vector extension they need, and the index that searches embeddings."""

from alembic import op

from migrations_ai import tables_0001

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

# A parallel HNSW build of an older pgvector overflows a buffer (CVE-2026-3172).
SINGLE_PROCESS_BUILD_BEFORE_0_8_4 = """
SELECT set_config('max_parallel_maintenance_workers', '0', true)
FROM pg_extension
WHERE extname = 'vector' AND string_to_array(extversion, '.')::int[] < '{0,8,4}'
"""


def upgrade() -> None:
    # Where provisioning has made it, an owner without superuser rights passes here.
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.execute(SINGLE_PROCESS_BUILD_BEFORE_0_8_4)
    tables_0001.create()


def downgrade() -> None:
    """Drop the tables; the extension stays, since provisioning may have made it."""
    tables_0001.drop()
