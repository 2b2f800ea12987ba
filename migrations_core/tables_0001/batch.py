"""Records of batch runs."""

import sqlalchemy as sa
from alembic import op

from migrations_core.tables_0001.columns import NOW, TIMESTAMPTZ


def create() -> None:
    """Create the tables of this module, parents first."""
    _create_batch_jobs()
    _create_batch_job_schedules()
    _create_batch_run_tracking()


def drop() -> None:
    """Drop what `create` makes."""
    op.drop_table("batch_run_tracking")
    op.drop_table("batch_job_schedules")
    op.drop_table("batch_jobs")


def _create_batch_jobs() -> None:
    op.create_table(
        "batch_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("job_type", sa.String(50), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("started_at", TIMESTAMPTZ),
        sa.Column("completed_at", TIMESTAMPTZ),
        sa.Column("duration_seconds", sa.Integer()),
        sa.Column("records_processed", sa.Integer()),
        sa.Column("error_message", sa.String(1000)),
        sa.Column("job_metadata", sa.JSON()),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch_jobs"),
    )
    op.create_index("ix_batch_jobs_job_type", "batch_jobs", ["job_type"])
    op.create_index("ix_batch_jobs_started_at", "batch_jobs", ["started_at"])
    op.create_index("ix_batch_jobs_status", "batch_jobs", ["status"])


def _create_batch_job_schedules() -> None:
    op.create_table(
        "batch_job_schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("job_type", sa.String(50), nullable=False),
        sa.Column("cron_expression", sa.String(100), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(500)),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("retry_delay_seconds", sa.Integer(), nullable=False),
        sa.Column("last_run_at", TIMESTAMPTZ),
        sa.Column("next_run_at", TIMESTAMPTZ),
        sa.Column("created_at", TIMESTAMPTZ, nullable=False),
        sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch_job_schedules"),
        sa.UniqueConstraint("job_name", name="uq_batch_job_schedules_job_name"),
    )
    op.create_index("ix_batch_job_schedules_is_active", "batch_job_schedules", ["is_active"])
    op.create_index("ix_batch_job_schedules_next_run_at", "batch_job_schedules", ["next_run_at"])


def _create_batch_run_tracking() -> None:
    op.create_table(
        "batch_run_tracking",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_date", sa.Date(), nullable=False),
        sa.Column("phase_1_status", sa.String(20)),
        sa.Column("phase_2_status", sa.String(20)),
        sa.Column("phase_3_status", sa.String(20)),
        sa.Column("phase_1_duration_seconds", sa.Integer()),
        sa.Column("phase_2_duration_seconds", sa.Integer()),
        sa.Column("phase_3_duration_seconds", sa.Integer()),
        sa.Column("portfolios_processed", sa.Integer()),
        sa.Column("symbols_fetched", sa.Integer()),
        sa.Column("data_coverage_pct", sa.Numeric(5, 2)),
        sa.Column("error_message", sa.Text()),
        sa.Column("completed_at", TIMESTAMPTZ),
        sa.Column("created_at", TIMESTAMPTZ, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch_run_tracking"),
    )
    op.create_index(
        "ix_batch_run_tracking_run_date", "batch_run_tracking", ["run_date"], unique=True
    )
