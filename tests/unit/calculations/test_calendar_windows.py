import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.calculations.windows import (
    availability_groups,
    calendar_windows,
    day_blocks,
    gather_windows,
    return_groups,
    window_width,
)

START = np.datetime64("2025-01-01")
OFFSETS = st.sets(st.integers(0, 120), min_size=1, max_size=40)


def _dates(offsets: set[int]) -> np.ndarray:
    return START + np.array(sorted(offsets)).astype("timedelta64[D]")


@given(OFFSETS, st.integers(0, 60))
def test_a_window_holds_exactly_the_dates_within_its_calendar_days(
    offsets: set[int], length: int
) -> None:
    dates = _dates(offsets)
    start, stop = calendar_windows(dates, dates, length)
    for end, low, high in zip(dates, start, stop, strict=True):
        expected = [d for d in dates if end - np.timedelta64(length, "D") <= d <= end]
        assert list(dates[low:high]) == expected


@given(OFFSETS, st.integers(1, 60), st.data())
def test_returns_lie_between_neighbouring_own_prices_inside_the_window(
    offsets: set[int], length: int, data: st.DataObject
) -> None:
    dates = _dates(offsets)
    open_ = data.draw(arrays(bool, (len(dates), 3)))
    prices = np.where(open_, 1.0 + np.arange(len(dates))[:, None] ** 2, np.nan)
    days = np.arange(len(dates))
    found = {
        (int(column), int(day)): group.returns[group.start[day] : group.stop[day], at]
        for group in return_groups(prices, dates, days, length)
        for at, column in enumerate(group.columns)
        for day in days
    }
    for column in range(3):
        for day in days:
            first = dates[day] - np.timedelta64(length, "D")
            inside = (dates >= first) & (dates <= dates[day]) & open_[:, column]
            own = prices[inside, column]
            expected = own[1:] / own[:-1] - 1 if len(own) else []
            np.testing.assert_allclose(found.get((column, int(day)), []), expected)


def test_symbols_share_a_group_only_with_the_same_holes() -> None:
    available = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=bool)
    groups = {tuple(columns): tuple(rows) for rows, columns in availability_groups(available)}
    assert groups == {(0, 1): (0, 1), (2,): (1, 2)}


def test_the_reference_removes_dates_for_every_symbol() -> None:
    dates = START + np.arange(4)
    prices = np.array([[1.0], [2.0], [3.0], [6.0]])
    reference = np.array([[1.0], [np.nan], [2.0], [2.0]])
    (group,) = return_groups(prices, dates, np.array([3]), 30, reference)
    np.testing.assert_array_equal(group.returns[:, 0], [2.0, 1.0])
    np.testing.assert_array_equal(group.reference[:, 0], [1.0, 0.0])


def test_holes_outside_every_window_do_not_split_groups() -> None:
    dates = START + np.arange(40)
    prices = np.ones((40, 2))
    prices[3, 1] = np.nan
    groups = list(return_groups(prices, dates, np.array([38, 39]), 20))
    assert [list(group.columns) for group in groups] == [[0, 1]]


def test_gathered_windows_are_right_aligned_and_marked() -> None:
    rows, inside = gather_windows(np.array([0, 2]), np.array([2, 5]), 4)
    np.testing.assert_array_equal(inside, [[0, 0, 1, 1], [0, 1, 1, 1]])
    np.testing.assert_array_equal(rows[1], [1, 2, 3, 4])
    assert rows.min() == 0


def test_the_width_bounds_the_weekdays_of_any_window() -> None:
    weekdays = np.arange("2024-01-01", "2026-01-01", dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    for length in (90, 120, 210, 282, 365):
        start, stop = calendar_windows(weekdays, weekdays, length)
        assert (stop - start).max() <= window_width(length)


def test_day_blocks_cover_every_day_once() -> None:
    covered = [day for block in day_blocks(10, 100_000) for day in range(10)[block]]
    assert covered == list(range(10))
    assert list(day_blocks(0, 5)) == []
