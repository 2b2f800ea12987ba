"""Columns of arrays → the bytes of `COPY … FROM STDIN (FORMAT binary)`, without a Python loop
over rows.

Every column knows how to lay its values out as a byte matrix, one row per value, and how many
bytes of each row count (-1: NULL). All matrices stand side by side; what does not count is cut
out by one mask. PostgreSQL drops leading and trailing zero digits of a numeric on receipt, so a
numeric needs no variable width of its own.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.calculations.rounding import round_half_away

Bytes = NDArray[np.uint8]
Lengths = NDArray[np.int32]

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
CHUNK_ROWS = 8192
_DIGIT_BASE = 10_000
_MOST_UNITS = 9e15  # times up to 1000 for whole groups of digits, this is what 64 bits hold
_MICROSECONDS_TO_2000 = 946_684_800_000_000
_DAYS_TO_2000 = 10_957


class Column(Protocol):
    """One column of rows to copy."""

    def __len__(self) -> int: ...

    def encode(self, rows: slice) -> tuple[Bytes, Lengths]:
        """Bytes (n, width) and how many of each row count (-1: NULL)."""
        ...


def copy_stream(columns: Sequence[Column]) -> Iterator[bytes]:
    """Yield the whole stream for rows made of `columns`, in bounded pieces."""
    yield SIGNATURE
    for start in range(0, len(columns[0]), CHUNK_ROWS):
        yield _encode_rows(columns, slice(start, start + CHUNK_ROWS))
    yield TRAILER


def _encode_rows(columns: Sequence[Column], rows: slice) -> bytes:
    encoded = [column.encode(rows) for column in columns]
    count = len(encoded[0][1])
    width = 2 + sum(4 + payload.shape[1] for payload, _ in encoded)
    matrix = np.zeros((count, width), np.uint8)
    keep = np.ones((count, width), np.bool_)
    matrix[:, :2] = _big_endian(np.array([len(columns)]), ">i2")
    offset = 2
    for payload, lengths in encoded:
        matrix[:, offset : offset + 4] = _big_endian(lengths, ">i4")
        offset += 4
        size = payload.shape[1]
        matrix[:, offset : offset + size] = payload
        if (lengths != size).any():
            keep[:, offset : offset + size] = np.arange(size) < lengths[:, None]
        offset += size
    return matrix[keep].tobytes() if not keep.all() else matrix.tobytes()


def _big_endian(values: NDArray[np.integer], kind: str) -> Bytes:
    flat = np.ascontiguousarray(values, dtype=kind)
    return flat.view(np.uint8).reshape(len(flat), flat.dtype.itemsize)


@dataclass(frozen=True)
class Fixed:
    """Values whose bytes are given: `payload` is (n, width), `missing` (n,) says which are NULL."""

    payload: Bytes
    missing: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.payload)

    def encode(self, rows: slice) -> tuple[Bytes, Lengths]:
        part = self.payload[rows]
        lengths = np.full(len(part), part.shape[1], np.int32)
        if self.missing is not None:
            lengths[self.missing[rows]] = -1
        return part, lengths


@dataclass(frozen=True)
class Numeric:
    """Floats for a numeric(precision, scale) column, rounded half away from zero; NaN is NULL.

    Raises on encoding:
        OverflowError: a value does not fit the precision.
    """

    values: NDArray[np.float64]
    precision: int
    scale: int

    def __len__(self) -> int:
        return len(self.values)

    def fits(self) -> NDArray[np.bool_]:
        """Which values fit the precision (n,); NaN fits, as NULL."""
        return self._fitting(self._units(slice(None)))

    def encode(self, rows: slice) -> tuple[Bytes, Lengths]:
        part = self._units(rows)
        missing = np.isnan(part)
        if not self._fitting(part).all():
            raise OverflowError(f"a value does not fit numeric({self.precision},{self.scale})")
        units = np.where(missing, 0, part).astype(np.int64)
        payload = self._digits(units)
        return payload, np.where(missing, -1, payload.shape[1]).astype(np.int32)

    def _fitting(self, units: NDArray[np.float64]) -> NDArray[np.bool_]:
        limit = min(10.0**self.precision, _MOST_UNITS)
        fits: NDArray[np.bool_] = np.isnan(units) | (np.abs(units) < limit)
        return fits

    def _units(self, rows: slice) -> NDArray[np.float64]:
        return np.rint(round_half_away(self.values[rows], self.scale) * 10.0**self.scale)

    def _digits(self, units: NDArray[np.int64]) -> Bytes:
        fraction_groups = -(-self.scale // 4)
        whole_groups = -(-(self.precision - self.scale) // 4)
        groups = fraction_groups + whole_groups
        remaining = np.abs(units) * 10 ** (4 * fraction_groups - self.scale)
        words = np.empty((len(units), 4 + groups), ">i2")
        words[:, 0] = groups
        words[:, 1] = whole_groups - 1
        words[:, 2] = np.where(units < 0, 0x4000, 0)
        words[:, 3] = self.scale
        for group in range(groups - 1, -1, -1):
            remaining, words[:, 4 + group] = np.divmod(remaining, _DIGIT_BASE)
        return words.view(np.uint8)


@dataclass(frozen=True)
class Text:
    """Texts by code: row i holds `values[codes[i]]`; code -1 is NULL. For varchar and json;
    with `version` 1 for jsonb, whose binary form starts with that byte."""

    codes: NDArray[np.intp]
    values: Sequence[str]
    version: int | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def encode(self, rows: slice) -> tuple[Bytes, Lengths]:
        used, inverse = np.unique(self.codes[rows], return_inverse=True)
        prefix = b"" if self.version is None else bytes([self.version])
        texts = [b"" if code < 0 else prefix + self.values[code].encode() for code in used]
        width = max(map(len, texts), default=0)
        table = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), np.uint8)
        lengths = np.array([len(text) for text in texts], np.int32)
        lengths[used < 0] = -1
        return table.reshape(len(texts), width)[inverse], lengths[inverse]


def uuids(values: Bytes) -> Fixed:
    """UUIDs as bytes (n, 16)."""
    return Fixed(values)


def integers(values: NDArray[np.integer] | NDArray[np.float64]) -> Fixed:
    """int4 values; of floats NaN is NULL."""
    missing = np.isnan(values)
    return Fixed(_big_endian(np.where(missing, 0, values).astype(np.int64), ">i4"), missing)


def dates(values: NDArray[np.datetime64]) -> Fixed:
    """Dates from datetime64[D]."""
    return integers(values.astype("datetime64[D]").astype(np.int64) - _DAYS_TO_2000)


def timestamps(values: NDArray[np.datetime64]) -> Fixed:
    """Timestamps with time zone from datetime64 in UTC."""
    return Fixed(
        _big_endian(values.astype("datetime64[us]").astype(np.int64) - _MICROSECONDS_TO_2000, ">i8")
    )


def constant_timestamp(moment: datetime, count: int) -> Fixed:
    """The same moment in every row."""
    return timestamps(np.full(count, np.datetime64(moment.astimezone(UTC).replace(tzinfo=None))))


def constant_text(text: str | None, count: int) -> Text:
    """The same text, or NULL, in every row."""
    return Text(np.full(count, -1 if text is None else 0), [text or ""])


def booleans(values: NDArray[np.bool_]) -> Fixed:
    """Booleans."""
    return Fixed(values.astype(np.uint8)[:, None])


def time_ordered_uuids(count: int) -> Bytes:
    """New version 7 UUIDs (count, 16), ascending within the call.

    Ascending keys append to a primary key's index instead of touching a random page per row;
    the column's type and the meaning of the key are those of a random UUID.
    """
    identifiers = np.frombuffer(os.urandom(16 * count), np.uint8).reshape(count, 16).copy()
    milliseconds = np.array([time.time_ns() // 1_000_000])
    identifiers[:, :6] = _big_endian(milliseconds, ">i8")[:, 2:]
    counter = np.arange(count, dtype=np.uint64)
    identifiers[:, 6] = 0x70 | ((counter >> np.uint64(22)) & np.uint64(0x0F))
    identifiers[:, 7] = (counter >> np.uint64(14)) & np.uint64(0xFF)
    identifiers[:, 8] = 0x80 | ((counter >> np.uint64(8)) & np.uint64(0x3F))
    identifiers[:, 9] = counter & np.uint64(0xFF)
    return identifiers


Rows = Mapping[str, Column]
