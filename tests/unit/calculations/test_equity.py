from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calculations.equity import (
    EquityState,
    PositionHistory,
    roll_equity,
    unrealized_change,
)

NAN = np.nan
DATES = np.arange("2025-07-07", "2025-07-12", dtype="datetime64[D]")
DAYS = np.arange(1, 5)
"""Monday to Friday; Tuesday to Friday are evaluated."""


def _position(
    quantity: list[float],
    closed: list[float] | None = None,
    entry: str = "2025-06-02",
    entry_price: float = 90.0,
    multiplier: float = 1.0,
    column: int = 0,
) -> PositionHistory:
    return PositionHistory(
        column=np.array([column]),
        entry_date=np.array([entry], dtype="datetime64[D]"),
        entry_price=np.array([entry_price]),
        multiplier=np.array([multiplier]),
        quantity=np.array(quantity, dtype=float)[:, None],
        closed_quantity=np.array(closed or [0.0] * len(quantity), dtype=float)[:, None],
    )


@pytest.mark.parametrize(
    ("prices", "position", "expected"),
    [
        pytest.param(
            [100, 101, 103, 102, 105], _position([10] * 4), [10, 20, -10, 30], id="held long"
        ),
        pytest.param(
            [100, 101, 103, 102, 105], _position([-10] * 4), [-10, -20, 10, -30], id="held short"
        ),
        pytest.param(
            [100, 101, 103, 102, 105],
            _position([1] * 4, multiplier=100.0),
            [100, 200, -100, 300],
            id="option multiplier",
        ),
        pytest.param(
            [100, NAN, NAN, 104, 105],
            _position([10] * 4),
            [0, 0, 40, 10],
            id="the whole move lands on the next day with a price",
        ),
        pytest.param(
            [100, 101, 103, 102, 105],
            _position([0, 10, 10, 10], entry="2025-07-09", entry_price=102.5),
            [0, 5, -10, 30],
            id="the first day counts from the entry price",
        ),
        pytest.param(
            [100, 101, NAN, 102, 105],
            _position([0, 10, 10, 10], entry="2025-07-09", entry_price=101.5),
            [0, 0, 5, 30],
            id="an entry day without a price: the next close counts from the entry price",
        ),
        pytest.param(
            [100, 101, 103, 102, 105],
            _position([10, 10, 0, 0], closed=[0, 0, 10, 0]),
            [10, 20, -130, 0],
            id="closed: the gain since entry is given back to the realized event",
        ),
        pytest.param(
            [100, 101, 103, 102, 105],
            _position([10, 10, 4, 4], closed=[0, 0, 6, 0]),
            [10, 20, -4 - 6 * 13, 12],
            id="partly closed",
        ),
        pytest.param(
            [100, 101, 103, 102, 105],
            _position([0, 0, 0, 0], closed=[0, 10, 0, 0], entry="2025-07-09"),
            [0, 0, 0, 0],
            id="opened and closed on one day: nothing was rolled",
        ),
        pytest.param(
            [100, 101, 103, NAN, 105],
            _position([10, 10, 0, 0], closed=[0, 0, 10, 0]),
            [10, 20, -130, 0],
            id="closed on a day without a price",
        ),
        pytest.param(
            [100, 101, 103, 102, 105],
            _position([10] * 4, column=-1),
            [0, 0, 0, 0],
            id="private assets have no market price",
        ),
        pytest.param([NAN] * 5, _position([10] * 4), [0, 0, 0, 0], id="never a price"),
    ],
)
def test_a_days_change(
    prices: list[float], position: PositionHistory, expected: list[float]
) -> None:
    matrix = np.array(prices, dtype=float)[:, None]
    change = unrealized_change(matrix, DATES, DAYS, position)
    np.testing.assert_allclose(change[:, 0], expected, atol=1e-9)


def test_nothing_changes_on_the_first_snapshot() -> None:
    prices = np.array([100.0, 101, 103, 102, 105])[:, None]
    position = _position([0, 10, 10, 0], closed=[0, 0, 0, 10], entry="2025-07-08")
    change = unrealized_change(prices, DATES, DAYS, position, first_snapshot=1)
    np.testing.assert_allclose(change[:, 0], [0, 0, -10, -120])


def test_a_close_more_than_ten_calendar_days_old_is_no_base() -> None:
    dates = np.array(["2025-07-01", "2025-07-11", "2025-07-22"], dtype="datetime64[D]")
    prices = np.array([100.0, 101, 105])[:, None]
    position = _position([1, 1], entry="2025-06-02")
    change = unrealized_change(prices, dates, np.array([1, 2]), position)
    np.testing.assert_allclose(change[:, 0], [1.0, 0.0])


def test_the_first_session_of_the_axis_has_nothing_before_it() -> None:
    prices = np.array([100.0, 101, 103, 102, 105])[:, None]
    position = _position([10, 10], entry="2025-07-07", entry_price=99.0)
    change = unrealized_change(prices, DATES, np.array([0, 1]), position)
    np.testing.assert_allclose(change[:, 0], [10.0, 10.0])


@given(
    st.lists(st.one_of(st.none(), st.integers(50, 150)), min_size=5, max_size=5),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([-7, 12]),
)
def test_a_round_trip_books_exit_minus_entry_exactly_once(
    closes: list[int | None], opened: int, held: int, quantity: int
) -> None:
    exit_row = min(opened + held, 5)
    rows = np.arange(1, 5)
    held_units = np.where((rows >= opened) & (rows < exit_row), quantity, 0)
    closed_units = np.where(rows == exit_row, quantity, 0)
    position = _position(
        list(held_units), list(closed_units), entry=str(DATES[opened]), entry_price=80.0
    )
    prices = np.array([NAN if close is None else close for close in closes])[:, None]
    total = unrealized_change(prices, DATES, DAYS, position).sum()
    seen = prices[opened:exit_row, 0]
    marks = seen[~np.isnan(seen)]
    still_open = exit_row == 5
    expected = (marks[-1] - 80.0) * quantity if still_open and marks.size else 0.0
    assert total == pytest.approx(expected)


def test_equity_starts_each_day_from_the_stored_cents() -> None:
    unrealized = np.array([0.004, 0.004, 0.004, -0.005, 10.005])
    nothing = np.zeros(5)
    history = roll_equity(EquityState(100.0), unrealized, nothing, nothing)
    np.testing.assert_array_equal(history.equity, [100.0, 100.0, 100.0, 100.0, 110.01])
    np.testing.assert_array_equal(history.daily_pnl, [0.0, 0.0, 0.0, -0.01, 10.01])


def test_flows_move_equity_but_are_no_profit() -> None:
    start = EquityState(1000.0, 50.0, 20.0, 5.0)
    history = roll_equity(
        start, np.array([10.0, -5.0]), np.array([2.5, 0.0]), np.array([100.0, -40.0])
    )
    np.testing.assert_array_equal(history.equity, [1112.5, 1067.5])
    np.testing.assert_array_equal(history.daily_pnl, [12.5, -5.0])
    np.testing.assert_array_equal(history.daily_return, [0.0125, -0.004494])
    np.testing.assert_array_equal(history.cumulative_pnl, [62.5, 57.5])
    np.testing.assert_array_equal(history.daily_realized_pnl, [2.5, 0.0])
    np.testing.assert_array_equal(history.cumulative_realized_pnl, [22.5, 22.5])
    np.testing.assert_array_equal(history.daily_capital_flow, [100.0, -40.0])
    np.testing.assert_array_equal(history.cumulative_capital_flow, [105.0, 65.0])


@pytest.mark.parametrize("equity", [0.0, -100.0])
def test_no_return_on_equity_that_is_not_positive(equity: float) -> None:
    history = roll_equity(EquityState(equity), np.array([5.0]), np.zeros(1), np.zeros(1))
    assert history.daily_return[0] == 0.0
    assert history.equity[0] == equity + 5.0


@given(
    st.integers(-(10**9), 10**12),
    st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=12),
    st.data(),
)
def test_equity_is_decimal_arithmetic_and_resumes_anywhere(
    start: int, changes: list[int], data: st.DataObject
) -> None:
    exact = Decimal(start) / 100
    expected = []
    for change in changes:
        exact = (exact + Decimal(change).scaleb(-4)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        expected.append(float(exact))
    unrealized, nothing = np.array(changes) / 10_000, np.zeros(len(changes))
    whole = roll_equity(EquityState(start / 100), unrealized, nothing, nothing)
    np.testing.assert_array_equal(whole.equity, expected)
    cut = data.draw(st.integers(0, len(changes) - 1))
    if cut:
        state = EquityState(whole.equity[cut - 1], whole.cumulative_pnl[cut - 1])
        rest = roll_equity(state, unrealized[cut:], nothing[cut:], nothing[cut:])
        np.testing.assert_array_equal(rest.equity, whole.equity[cut:])
        np.testing.assert_array_equal(rest.cumulative_pnl, whole.cumulative_pnl[cut:])


@pytest.mark.parametrize(
    ("before", "close", "pnl"),
    [(293.2955, 293.3658, 284.72), (463.8793, 463.9084, 117.86), (496.8344, 496.9007, 268.52)],
)
def test_half_a_cent_of_a_large_position_is_earned_whole(
    before: float, close: float, pnl: float
) -> None:
    """The difference of two closes is off by what floats cannot hold, 4,050 times."""
    change = unrealized_change(
        np.array([[before], [close]]), DATES[:2], DAYS[:1], _position([4050.0])
    )[:, 0]
    nothing = np.zeros(1)
    day = roll_equity(EquityState(1000.0), change, nothing, nothing)
    assert day.daily_pnl[0] == pnl
    assert day.equity[0] == 1000 + pnl


def test_several_portfolios_roll_side_by_side() -> None:
    rng = np.random.default_rng(5)
    unrealized, realized, flow = rng.normal(0, 100, (3, 20, 4))
    start = np.array([1e3, 1e4, -5.0, 0.0])
    together = roll_equity(EquityState(start), unrealized, realized, flow)
    for column in range(4):
        alone = roll_equity(
            EquityState(start[column]), unrealized[:, column], realized[:, column], flow[:, column]
        )
        np.testing.assert_array_equal(together.equity[:, column], alone.equity)
        np.testing.assert_array_equal(together.daily_return[:, column], alone.daily_return)
