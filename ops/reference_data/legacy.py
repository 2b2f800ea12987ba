"""Reference data as an old database has it: whole rows as JSON, so that columns may be missing or
of other types, each judged by the columns that Core declares."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import JSON, Cast, Numeric, String, Text, cast, literal
from sqlalchemy.schema import Column

from app.models import Base

Row = dict[str, Any]
# Natural key of each table that seeding fills.
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "factor_definitions": ("name",),
        "stress_test_scenarios": ("scenario_id",),
        "benchmarks_sector_weights": ("benchmark_code", "asof_date", "sector"),
    }
)
# What a table of the old database may lack, or leave empty.
_OTHERWISE: Mapping[str, Any] = MappingProxyType(
    {"display_order": 0, "is_active": True, "active": True, "data_source": "legacy"}
)
_KINDS: Mapping[type, str] = MappingProxyType(
    {str: "text", bool: "yes or no", int: "whole number", Decimal: "number", date: "date"}
)
_OURS = frozenset({"id", "created_at", "updated_at"})


@dataclass(frozen=True)
class LegacyReference:
    """Attributes:
    rows: by table what can be taken over; of rows with one natural key the newest.
    rejected: why other rows cannot, a line each, with their keys.
    """

    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()


def read_reference(legacy: psycopg.Connection) -> LegacyReference:
    """Read the tables that the old database has of these."""
    rows: dict[str, Sequence[Row]] = {}
    rejected: list[str] = []
    for table in KEYS:
        found: dict[tuple[Any, ...], Row] = {}
        for text in _texts(legacy, table):
            try:
                row = _row(table, text)
            except ValueError as error:
                rejected.append(f"{table} {_named(table, text)}: {error}")
            else:
                found[tuple(row[column] for column in KEYS[table])] = row
        rows[table] = list(found.values())
    return LegacyReference(rows, tuple(rejected))


def _texts(legacy: psycopg.Connection, table: str) -> Iterator[str]:
    """A table's rows as JSON texts, the newest last; none where there is no such table."""
    known = legacy.execute("SELECT to_regclass(%s)::oid", [table]).fetchone()
    if known is None or known[0] is None:
        return
    # Objects as texts, so that none of their numbers is rounded on its way.
    query = sql.SQL(
        "SELECT (SELECT jsonb_object_agg(key, CASE jsonb_typeof(value) WHEN 'object'"
        " THEN to_jsonb(value::text) ELSE value END) FROM jsonb_each(to_jsonb(whole_row)))::text"
        " FROM {} AS whole_row ORDER BY to_jsonb(whole_row) ->> 'updated_at' NULLS FIRST, 1"
    ).format(sql.Identifier(table))
    for (text,) in legacy.execute(query):
        yield text


def _row(table: str, text: str) -> Row:
    """A row as Core's columns take it.

    Raises:
        ValueError: a column does not fit; the message names it.
    """
    # Nor are other numbers.
    found = json.loads(text, parse_float=str, parse_int=str)
    columns = [each for each in Base.metadata.tables[table].columns if each.name not in _OURS]
    row = {each.name: _value(each, found.get(each.name)) for each in columns}
    if "weight" in row and not 0 <= row["weight"] <= 1:
        raise ValueError("weight is not between 0 and 1")
    return row


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        value = _OTHERWISE.get(column.name)
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column.name} is missing")
        return None
    if isinstance(column.type, JSON):
        return _object(column, value)
    kind = column.type.python_type
    try:
        # A truth value would pass for a number.
        fitting = TypeAdapter(kind).validate_python(value, strict=isinstance(value, bool))
    except ValidationError:
        raise ValueError(f"{column.name} is no {_KINDS[kind]}") from None
    _refuse_beyond(column, fitting)
    return fitting


def _object(column: Column[Any], text: Any) -> Cast[Any]:
    """A JSON object as a value that the server parses, which keeps each digit."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{column.name} is no JSON object")
    return cast(literal(text, Text), column.type)


def _refuse_beyond(column: Column[Any], value: Any) -> None:
    kind = column.type
    if isinstance(kind, String) and len(value) > (kind.length or len(value)):
        raise ValueError(f"{column.name} is longer than {kind.length} characters")
    if value == "" and not column.nullable:
        raise ValueError(f"{column.name} is empty")
    if isinstance(kind, Numeric) and not _fits(Decimal(value), kind):
        raise ValueError(f"{column.name} does not fit {kind}")


def _fits(value: Decimal, kind: Numeric[Any]) -> bool:
    try:
        whole = value.quantize(Decimal(1).scaleb(-(kind.scale or 0)))
    except InvalidOperation:
        return False
    return abs(whole) < Decimal(10) ** ((kind.precision or 0) - (kind.scale or 0))


def _named(table: str, text: str) -> str:
    """The natural key of a row that does not fit."""
    row = json.loads(text)
    return "/".join(str(row.get(column))[:64] for column in KEYS[table])
