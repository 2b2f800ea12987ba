"""The bytes of a binary COPY, read back by the format's definition."""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Numeric as NumericType

from app.models import Base
from ops.backfill.binary_copy import (
    CHUNK_ROWS,
    SIGNATURE,
    TRAILER,
    Column,
    Numeric,
    Text,
    booleans,
    constant_text,
    constant_timestamp,
    copy_stream,
    dates,
    integers,
    time_ordered_uuids,
    timestamps,
    uuids,
)

Field = bytes | None


def read_stream(stream: bytes) -> Iterator[list[Field]]:
    """Rows of a stream, field by field, as PostgreSQL reads them."""
    assert stream.startswith(SIGNATURE)
    position = len(SIGNATURE)
    while True:
        (fields,) = struct.unpack_from(">h", stream, position)
        position += 2
        if fields == -1:
            break
        row: list[Field] = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", stream, position)
            position += 4
            row.append(None if length == -1 else stream[position : position + length])
            position += max(length, 0)
        yield row
    assert position == len(stream)


def fields_of(column: Column) -> list[Field]:
    return [row[0] for row in read_stream(b"".join(copy_stream([column])))]


def decimal_of(field: Field) -> Decimal | None:
    """A numeric's value: groups of four digits, the weight of the first, sign, and scale."""
    if field is None:
        return None
    count, weight, sign, scale = struct.unpack_from(">hhHh", field)
    groups = struct.unpack_from(f">{count}h", field, 8)
    assert len(field) == 8 + 2 * count
    assert all(0 <= group < 10_000 for group in groups)
    total = sum(
        (Decimal(group).scaleb(4 * (weight - place)) for place, group in enumerate(groups)),
        Decimal(0),
    )
    assert sign in (0, 0x4000)
    exact = (-total if sign else total).quantize(Decimal(1).scaleb(-scale))
    assert exact == (-total if sign else total)  # no digit beyond the scale
    return exact


def rounded(value: float, scale: int) -> Decimal:
    """Half away from zero, from the shortest decimal that reads back as the float."""
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


USED = sorted(
    {
        (column.type.precision, column.type.scale)
        for table in Base.metadata.tables.values()
        for column in table.c
        if isinstance(column.type, NumericType)
    },
    key=str,
)


@pytest.mark.parametrize(("precision", "scale"), USED)
@given(data=st.data())
def test_numerics_are_rounded_half_away_from_zero(
    precision: int, scale: int, data: st.DataObject
) -> None:
    most = min(10**precision, 10**13) - 1
    units = data.draw(st.lists(st.integers(-most * 10, most * 10), min_size=1, max_size=20))
    exact = [Decimal(unit).scaleb(-scale - 1) for unit in units]
    values = [
        float(value) for value in exact if abs(rounded(float(value), scale)) * 10**scale <= most
    ]
    column = Numeric(np.array(values, np.float64), precision, scale)
    stored = [decimal_of(field) for field in fields_of(column)]
    assert stored == [rounded(value, scale) for value in values]
    assert column.fits().all()


@pytest.mark.parametrize(
    ("value", "scale", "stored"),
    [
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (0.005, 2, "0.01"),
        (-0.005, 2, "-0.01"),
        (1.005, 2, "1.01"),
        (2.675, 2, "2.68"),
        (-2.5, 0, "-3"),
        (0.004999, 2, "0.00"),
        (-0.004999, 2, "0.00"),
        (1234567.891, 2, "1234567.89"),
        (0.0000005, 6, "0.000001"),
        (99999999.9999, 4, "99999999.9999"),
    ],
)
def test_chosen_numerics(value: float, scale: int, stored: str) -> None:
    (field,) = fields_of(Numeric(np.array([value]), 16, scale))
    assert decimal_of(field) == Decimal(stored)


def test_nan_is_null() -> None:
    column = Numeric(np.array([1.5, np.nan, -1.5]), 8, 2)
    assert [decimal_of(f) for f in fields_of(column)] == [Decimal("1.50"), None, Decimal("-1.50")]
    assert column.fits().tolist() == [True, True, True]


@pytest.mark.parametrize("value", [100.0, -100.0, 99.999999999, np.inf, -np.inf, 1e300])
def test_what_does_not_fit_is_refused(value: float) -> None:
    column = Numeric(np.array([0.0, value]), 8, 6)
    assert column.fits().tolist() == [True, False]
    with pytest.raises(OverflowError, match=r"numeric\(8,6\)"):
        fields_of(column)


@pytest.mark.parametrize("scale", [0, 1, 2, 5, 6])
def test_a_wide_precision_is_refused_before_64_bits_overflow(scale: int) -> None:
    largest = 8.9e15 / 10**scale
    column = Numeric(np.array([largest, largest * 10]), 30, scale)
    assert column.fits().tolist() == [True, False]
    (field,) = fields_of(Numeric(np.array([largest]), 30, scale))
    stored = decimal_of(field)
    assert stored is not None
    assert float(stored) == pytest.approx(largest)


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_texts_keep_null_empty_and_every_letter(texts: list[str | None]) -> None:
    values = sorted({text for text in texts if text is not None})
    codes = [-1 if text is None else values.index(text) for text in texts]
    column = Text(np.array(codes, np.intp), values)
    assert fields_of(column) == [None if text is None else text.encode() for text in texts]


def test_jsonb_begins_with_its_version() -> None:
    column = Text(np.array([0, -1, 1]), ["{}", '{"ä":1}'], version=1)
    assert fields_of(column) == [b"\x01{}", None, '\x01{"ä":1}'.encode()]


def test_constants() -> None:
    moment = datetime(2025, 7, 1, 9, 30, 0, 123456, tzinfo=UTC)
    columns: Sequence[Column] = [
        constant_text("x", 2),
        constant_text(None, 2),
        constant_timestamp(moment, 2),
    ]
    rows = list(read_stream(b"".join(copy_stream(columns))))
    micros = (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert rows == [[b"x", None, struct.pack(">q", micros)]] * 2


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_integers(values: list[int]) -> None:
    assert fields_of(integers(np.array(values, np.int64))) == [struct.pack(">i", v) for v in values]


def test_integers_that_are_missing_are_null() -> None:
    column = integers(np.array([83.0, np.nan, 0.0]))
    assert fields_of(column) == [struct.pack(">i", 83), None, struct.pack(">i", 0)]


@given(st.lists(st.dates(date(1900, 1, 1), date(2999, 12, 31))))
def test_dates(values: list[date]) -> None:
    expected = [struct.pack(">i", (value - date(2000, 1, 1)).days) for value in values]
    assert fields_of(dates(np.array(values, "datetime64[D]"))) == expected


@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))))
def test_timestamps(values: list[datetime]) -> None:
    micro = timedelta(microseconds=1)
    expected = [struct.pack(">q", (value - datetime(2000, 1, 1)) // micro) for value in values]
    assert fields_of(timestamps(np.array(values, "datetime64[us]"))) == expected


def test_booleans() -> None:
    assert fields_of(booleans(np.array([True, False]))) == [b"\x01", b"\x00"]


@pytest.mark.parametrize("count", [0, 1, 300, 70_000])
def test_time_ordered_uuids(count: int) -> None:
    rows = time_ordered_uuids(count)
    identifiers = [row.tobytes() for row in rows]
    assert len(set(identifiers)) == count
    assert identifiers == sorted(identifiers)
    assert (rows[:, 6] >> 4 == 7).all()  # version
    assert (rows[:, 8] >> 6 == 0b10).all()  # variant
    assert len(np.unique(rows[:, 9:], axis=0)) == count  # not only the counter


@pytest.mark.parametrize("rows", [0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS])
def test_every_row_of_every_piece_is_there_in_order(rows: int) -> None:
    numbers = np.arange(rows)
    columns: list[Any] = [
        uuids(time_ordered_uuids(rows)),
        integers(numbers),
        Numeric(np.where(numbers % 3 == 0, np.nan, numbers / 100), 16, 2),
        Text(np.where(numbers % 2 == 0, -1, numbers % 7), [f"t{n}" for n in range(7)]),
    ]
    pieces = list(copy_stream(columns))
    assert len(pieces) == 2 + -(-rows // CHUNK_ROWS)
    assert pieces[-1] == TRAILER
    read = list(read_stream(b"".join(pieces)))
    assert [row[1] for row in read] == [struct.pack(">i", n) for n in range(rows)]
    assert [row[2] is None for row in read] == [n % 3 == 0 for n in range(rows)]
    assert [row[3] for row in read] == [
        None if n % 2 == 0 else f"t{n % 7}".encode() for n in range(rows)
    ]
