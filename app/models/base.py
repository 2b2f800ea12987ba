"""The two declarative bases and what every column declaration shares."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQL expressions, never strings: a string default "now()" would be quoted and freeze to the
# instant at which the table was created.
NOW = func.now()
GENERATED_UUID = text("gen_random_uuid()")


def utc_now() -> datetime:
    """The present, aware: a naive value would be read as the host's local time."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Declarative base of the Core database."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class AiBase(DeclarativeBase):
    """Declarative base of the AI database; PostgreSQL names its constraints."""

    metadata = MetaData()
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012
