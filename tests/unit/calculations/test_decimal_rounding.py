from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calculations.rounding import round_half_away

PLACES = st.integers(min_value=0, max_value=8)


@st.composite
def decimal_with_places(draw: st.DrawFn) -> tuple[Decimal, int]:
    places = draw(PLACES)
    extra = draw(st.integers(min_value=0, max_value=4))
    units = draw(st.integers(min_value=-(10**14), max_value=10**14))
    return Decimal(units).scaleb(-(places + extra)), places


@given(decimal_with_places())
def test_agrees_with_decimal_arithmetic(case: tuple[Decimal, int]) -> None:
    value, places = case
    expected = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    assert float(round_half_away(float(value), places)) == float(expected)


@given(decimal_with_places())
def test_rounding_twice_is_rounding_once(case: tuple[Decimal, int]) -> None:
    value, places = case
    once = round_half_away(float(value), places)
    assert round_half_away(once, places) == once


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (1.005, 2, 1.01),
        (-1.005, 2, -1.01),
        (2.675, 2, 2.68),
        (0.1 * 3 + 0.705, 2, 1.01),
        (100.0 * 1.00015 - 100.0, 3, 0.015),
        (33.3 * 3.35, 2, 111.56),
        (0.5, 0, 1.0),
        (-0.5, 0, -1.0),
        (1.00499, 2, 1.0),
        (1.0049999, 2, 1.0),
        (99_999_999_999_999.98, 2, 99_999_999_999_999.98),
        (4.9e12 + 0.25, 2, 4.9e12 + 0.25),
        (np.inf, 2, np.inf),
        (-np.inf, 2, -np.inf),
    ],
)
def test_known_values(value: float, places: int, expected: float) -> None:
    assert float(round_half_away(value, places)) == expected


def test_nan_passes_and_the_shape_is_kept() -> None:
    rounded = round_half_away(np.array([[np.nan, 0.125], [-0.125, 7.0]]), 2)
    np.testing.assert_array_equal(rounded, [[np.nan, 0.13], [-0.13, 7.0]])


def test_no_negative_zero() -> None:
    assert not np.signbit(round_half_away(-0.001, 2))
