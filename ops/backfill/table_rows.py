"""Arrays → the columns of a model's table, each encoded as the model's type demands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects.postgresql import JSONB

from app.models import Base
from ops.backfill.binary_copy import (
    Column,
    Numeric,
    Text,
    booleans,
    constant_text,
    constant_timestamp,
    dates,
    integers,
    time_ordered_uuids,
    timestamps,
    uuids,
)

_STAMPS = ("created_at", "updated_at")


@dataclass(frozen=True)
class TableRows:
    """Rows of one table, ready to copy.

    Attributes:
        day: (n,) the day axis' index of each row, ascending or not.
    """

    table: str
    columns: Mapping[str, Column]
    day: NDArray[np.intp]

    def first_day_that_does_not_fit(self) -> tuple[int, str] | None:
        """The earliest day with a number beyond its column's precision, and that column."""
        found = [
            (int(self.day[~fits].min()), f"{self.table}.{name} does not fit its column")
            for name, column in self.columns.items()
            if isinstance(column, Numeric) and not (fits := column.fits()).all()
        ]
        return min(found, default=None)

    def without_misfits(self) -> "TableRows":
        """The same rows with NULL for each number beyond its column's precision."""
        columns = {
            name: replace(column, values=np.where(column.fits(), column.values, np.nan))
            if isinstance(column, Numeric)
            else column
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns)


def table_rows(table: str, day: NDArray[np.intp], values: Mapping[str, Any]) -> TableRows:
    """Encode `values` (arrays of one length, Text, or one text, number or day for all rows)
    for `table`. New ids, and time stamps that the database does not set itself, are added."""
    model = Base.metadata.tables[table]
    count = len(day)
    columns: dict[str, Column] = {}
    if "id" in model.c and "id" not in values:
        columns["id"] = uuids(time_ordered_uuids(count))
    for name, value in values.items():
        columns[name] = _encode(model.c[name].type, value, count)
    now = datetime.now(UTC)
    for name in _STAMPS:
        if name in model.c and model.c[name].server_default is None:
            columns[name] = constant_timestamp(now, count)
    return TableRows(table, columns, day)


def _encode(kind: sa.types.TypeEngine[Any], value: Any, count: int) -> Column:
    if isinstance(value, Text):
        return replace(value, version=1) if isinstance(kind, JSONB) else value
    if value is None or isinstance(value, str):
        return constant_text(value, count)
    array = np.broadcast_to(value, (count, 16) if isinstance(kind, sa.Uuid) else (count,))
    return _encode_array(kind, array)


def _encode_array(kind: sa.types.TypeEngine[Any], array: NDArray[Any]) -> Column:
    if isinstance(kind, sa.Uuid):
        return uuids(array)
    if isinstance(kind, sa.Numeric):
        assert kind.precision is not None
        assert kind.scale is not None  # every numeric column of the models has both
        return Numeric(array.astype(np.float64), kind.precision, kind.scale)
    if isinstance(kind, sa.Boolean):
        return booleans(array)
    if isinstance(kind, sa.Integer):
        return integers(array)
    if isinstance(kind, sa.DateTime):
        return timestamps(array)
    if isinstance(kind, sa.Date):
        return dates(array)
    raise TypeError(f"no encoding for {kind!r}")


def label_codes(labels: NDArray[np.object_]) -> Text:
    """Texts by code, from an object array of texts and None."""
    texts = [text if isinstance(text, str) else "" for text in labels.tolist()]
    values, codes = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    missing = np.array([not text for text in texts], np.bool_)
    return Text(np.where(missing, -1, codes), values.tolist())
