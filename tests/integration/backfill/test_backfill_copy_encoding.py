"""What PostgreSQL stores of a binary COPY, read back through psycopg."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from ops.backfill.binary_copy import (
    CHUNK_ROWS,
    Numeric,
    Text,
    booleans,
    dates,
    integers,
    time_ordered_uuids,
    timestamps,
    uuids,
)
from ops.backfill.writer import copy_rows
from ops.connection import connect

TABLE = """
    CREATE TABLE copied (
        row integer, id uuid, money numeric(16,2), beta numeric(12,6), ratio numeric(8,6),
        share numeric(10,4), small numeric(6,4), label varchar(40), doc jsonb, plain json,
        day date, moment timestamptz, flag boolean, maybe integer
    )
"""


@pytest.fixture
def copied(scratch_database: URL) -> Iterator[psycopg.Connection]:
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        connection.execute(TABLE)
        yield connection


def read_back(connection: psycopg.Connection, columns: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT {columns} FROM copied ORDER BY row").fetchall()  # type: ignore[arg-type]


def units(digits: int) -> st.SearchStrategy[list[int | None]]:
    most = 10**digits - 1
    return st.lists(st.none() | st.integers(-most, most), min_size=1, max_size=40)


@settings(derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(money=units(13), beta=units(12), small=units(6))
def test_numerics_come_back_as_they_are(
    copied: psycopg.Connection,
    money: list[int | None],
    beta: list[int | None],
    small: list[int | None],
) -> None:
    """One digit more than the column keeps; what is left over is rounded half away from zero."""
    copied.execute("TRUNCATE copied")
    for name, scale, given_units in (("money", 2, money), ("beta", 6, beta), ("small", 4, small)):
        exact = [None if u is None else Decimal(u).scaleb(-scale - 1) for u in given_units]
        values = np.array([np.nan if e is None else float(e) for e in exact])
        precision = {"money": 16, "beta": 12, "small": 6}[name]
        rows = integers(np.arange(len(values)))
        copy_rows(copied, "copied", {"row": rows, name: Numeric(values, precision, scale)})
        stored = [row[0] for row in read_back(copied, name)]
        place = Decimal(1).scaleb(-scale)
        assert stored == [None if e is None else e.quantize(place, ROUND_HALF_UP) for e in exact]
        copied.execute("TRUNCATE copied")


@settings(derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
        max_size=30,
    )
)
def test_texts_come_back_as_they_are(copied: psycopg.Connection, texts: list[str | None]) -> None:
    copied.execute("TRUNCATE copied")
    values = sorted({text for text in texts if text is not None})
    codes = np.array([-1 if text is None else values.index(text) for text in texts], np.intp)
    rows = integers(np.arange(len(texts)))
    copy_rows(copied, "copied", {"row": rows, "label": Text(codes, values)})
    assert [row[0] for row in read_back(copied, "label")] == texts


def test_all_types_over_more_than_one_piece(copied: psycopg.Connection) -> None:
    count = CHUNK_ROWS + 3
    numbers = np.arange(count)
    identifiers = time_ordered_uuids(count)
    every_other = np.where(numbers % 2 == 0, -1, 0)
    copy_rows(
        copied,
        "copied",
        {
            "row": integers(numbers),
            "id": uuids(identifiers),
            "share": Numeric(numbers / 7, 10, 4),
            "doc": Text(every_other, ['{"a":[1,"ü"]}'], version=1),
            "plain": Text(every_other, ['{"b": 2}']),
            "day": dates(np.datetime64("1999-12-30") + numbers.astype("m8[D]")),
            "moment": timestamps(
                np.datetime64("1999-12-31T23:59:59.999999") + numbers.astype("m8[us]")
            ),
            "flag": booleans(numbers % 2 == 0),
            "maybe": integers(np.where(numbers % 5 == 0, np.nan, numbers)),
        },
    )
    found = read_back(copied, "row, id, share, doc, plain, day, moment, flag, maybe")
    assert len(found) == count
    for number in (0, 1, 5, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 2):
        odd = number % 2 == 1
        assert found[number] == (
            number,
            UUID(bytes=bytes(identifiers[number])),
            Decimal(repr(number / 7)).quantize(Decimal("0.0001"), ROUND_HALF_UP),
            {"a": [1, "ü"]} if odd else None,
            {"b": 2} if odd else None,
            date.fromordinal(date(1999, 12, 30).toordinal() + number),
            datetime.fromtimestamp(946684799 + (999999 + number) / 1e6, UTC),
            not odd,
            None if number % 5 == 0 else number,
        )
