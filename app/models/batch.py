"""Records of batch runs."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOW, Base, utc_now


class BatchJob(Base):
    """A job run, as the old scheduler recorded it."""

    __tablename__ = "batch_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    job_name: Mapped[str] = mapped_column(String(100))
    job_type: Mapped[str] = mapped_column(String(50), index=True)
    status: Mapped[str] = mapped_column(String(20), default="pending", index=True)
    started_at: Mapped[datetime | None] = mapped_column(index=True)
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[int | None]
    records_processed: Mapped[int | None]
    error_message: Mapped[str | None] = mapped_column(String(1000))
    job_metadata: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class BatchJobSchedule(Base):
    """When the old scheduler ran a job."""

    __tablename__ = "batch_job_schedules"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    job_name: Mapped[str] = mapped_column(String(100), unique=True)
    job_type: Mapped[str] = mapped_column(String(50))
    cron_expression: Mapped[str] = mapped_column(String(100))
    is_active: Mapped[bool] = mapped_column(default=True, index=True)
    description: Mapped[str | None] = mapped_column(String(500))
    timeout_seconds: Mapped[int] = mapped_column(default=300)
    retry_count: Mapped[int] = mapped_column(default=3)
    retry_delay_seconds: Mapped[int] = mapped_column(default=60)
    last_run_at: Mapped[datetime | None]
    next_run_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class BatchRunTracking(Base):
    """How the daily batch went, one row per day."""

    __tablename__ = "batch_run_tracking"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    run_date: Mapped[date] = mapped_column(unique=True, index=True)
    phase_1_status: Mapped[str | None] = mapped_column(String(20))
    phase_2_status: Mapped[str | None] = mapped_column(String(20))
    phase_3_status: Mapped[str | None] = mapped_column(String(20))
    phase_1_duration_seconds: Mapped[int | None]
    phase_2_duration_seconds: Mapped[int | None]
    phase_3_duration_seconds: Mapped[int | None]
    portfolios_processed: Mapped[int | None]
    symbols_fetched: Mapped[int | None]
    data_coverage_pct: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    error_message: Mapped[str | None] = mapped_column(Text)
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
