import numpy as np
import pandas as pd
import pytest
from scipy import stats

from app.calculations.correlations import CorrelationBlock, windowed_correlations
from tests.unit.calculations.conftest import (
    ABSENT,
    CONSTANT,
    HOLES,
    LISTED_LATE,
    MORE_HOLES,
    STOPPED,
    TOO_YOUNG,
    WHOLE,
    Market,
)


def _by_day(blocks: list[CorrelationBlock]) -> dict[int, tuple[CorrelationBlock, int]]:
    placed = {}
    for block in blocks:
        for at, day in enumerate(block.days):
            assert day not in placed
            placed[int(day)] = block, at
    return placed


def _included(market: Market, *columns: int) -> np.ndarray:
    included = np.zeros((len(market.days), 8), dtype=bool)
    included[:, list(columns)] = True
    return included


def _reference_set(window: pd.DataFrame) -> list[int]:
    """Leave out the symbol with the fewest prices until 30 returns are shared."""
    columns = list(window.columns)
    while columns and len(window[columns].dropna()) < 31:
        columns.remove(window[columns].notna().sum().idxmin())
    moving = [c for c in columns if window[columns].dropna()[c].nunique() > 1]
    return moving if moving == columns else _reference_set(window[moving])


def test_every_day_agrees_with_pandas_and_scipy(market: Market) -> None:
    included = np.ones((len(market.days), 8), dtype=bool)
    included[20:, HOLES] = False
    included[25:30] = False
    found = _by_day(windowed_correlations(market.prices, market.dates, market.days, included))
    assert set(found) == set(range(25)) | set(range(30, 60))
    for day in range(0, 60, 4):
        if 25 <= day < 30:
            continue
        block, at = found[day]
        window = market.window(market.days[day], 90, market.prices)
        chosen = _reference_set(window[np.flatnonzero(included[day])])
        assert list(block.symbols) == chosen
        returns = np.log(window[chosen].dropna()).diff().iloc[1:]
        expected = returns.corr().to_numpy()
        assert block.data_points[at] == len(returns)
        assert block.excluded[at] == included[day].sum() - len(chosen)
        np.testing.assert_allclose(block.matrix[at], expected, atol=1e-12)
        pairs = expected[np.triu_indices(len(chosen), 1)]
        assert block.overall[at] == pytest.approx(np.abs(pairs).mean() if pairs.size else 0)
        effective = len(chosen) ** 2 / expected.sum()
        assert block.effective_positions[at] == pytest.approx(effective)
        p_value = stats.pearsonr(returns[chosen[0]], returns[chosen[-1]]).pvalue
        assert block.significance[at, 0, -1] == pytest.approx(1 - p_value, abs=1e-10)


def test_matrices_are_exactly_symmetric_with_a_unit_diagonal(market: Market) -> None:
    for block in windowed_correlations(
        market.prices, market.dates, market.days, _included(market, WHOLE, HOLES, STOPPED)
    ):
        for figure in (block.matrix, block.significance):
            np.testing.assert_array_equal(figure, figure.transpose(0, 2, 1))
            diagonal = np.diagonal(figure, axis1=1, axis2=2)
            np.testing.assert_array_equal(diagonal, np.ones_like(diagonal))


def test_exactly_one_symbol_gives_a_self_pair(market: Market) -> None:
    included = _included(market, WHOLE, ABSENT)
    found = windowed_correlations(market.prices, market.dates, market.days, included)
    assert sum(len(block.days) for block in found) == len(market.days)
    for block in found:
        assert list(block.symbols) == [WHOLE]
        assert (block.matrix == 1).all()
        assert (block.significance == 1).all()
        assert (block.overall == 0).all()
        assert (block.effective_positions == 1).all()
        assert (block.excluded == 1).all()


@pytest.mark.parametrize("columns", [(), (ABSENT,), (TOO_YOUNG,), (CONSTANT,), (CONSTANT, ABSENT)])
def test_no_usable_symbol_gives_no_block(market: Market, columns: tuple[int, ...]) -> None:
    included = _included(market, *columns)
    assert windowed_correlations(market.prices, market.dates, market.days, included) == []


def test_a_flat_symbol_is_left_out_and_its_holes_no_longer_count(market: Market) -> None:
    prices = market.prices.copy()
    prices[380:400:2, CONSTANT] = np.nan
    included = _included(market, WHOLE, HOLES, CONSTANT)
    without = _included(market, WHOLE, HOLES)
    found = _by_day(windowed_correlations(prices, market.dates, market.days, included))
    expected = _by_day(windowed_correlations(prices, market.dates, market.days, without))
    assert set(found) == set(expected)
    for day, (block, at) in found.items():
        other, there = expected[day]
        np.testing.assert_array_equal(block.matrix[at], other.matrix[there])
        assert block.excluded[at] == other.excluded[there] + 1


def test_a_late_listing_joins_once_thirty_returns_are_shared(market: Market) -> None:
    included = _included(market, WHOLE, LISTED_LATE)
    found = _by_day(windowed_correlations(market.prices, market.dates, market.days, included))
    for day, (block, at) in found.items():
        joined = market.days[day] - 335 >= 30
        assert list(block.symbols) == ([WHOLE, LISTED_LATE] if joined else [WHOLE])
        assert block.data_points[at] >= 30


def test_disjoint_histories_keep_one_of_the_two(market: Market) -> None:
    prices = market.prices[:, [WHOLE, HOLES]].copy()
    prices[::2, 0] = np.nan
    prices[1::2, 1] = np.nan
    included = np.ones((1, 2), dtype=bool)
    (block,) = windowed_correlations(prices, market.dates, market.days[:1], included)
    assert len(block.symbols) == 1
    assert block.data_points[0] >= 30


def test_a_perfect_hedge_stays_finite(market: Market) -> None:
    price = market.prices[:, [WHOLE]]
    prices = np.hstack([price, 1.0 / price])
    included = np.ones((len(market.days), 2), dtype=bool)
    (block,) = windowed_correlations(prices, market.dates, market.days, included)
    np.testing.assert_allclose(block.matrix[:, 0, 1], -1.0)
    np.testing.assert_allclose(block.effective_positions, 10_000.0)
    np.testing.assert_allclose(block.significance[:, 0, 1], 1.0)


def test_nothing_non_finite_is_returned(market: Market) -> None:
    included = np.ones((len(market.days), 8), dtype=bool)
    prices = market.prices.copy()
    prices[:, MORE_HOLES] *= np.where(np.arange(420) % 3, 1.0, np.nan)
    for block in windowed_correlations(prices, market.dates, market.days, included):
        for figure in (block.matrix, block.significance, block.overall):
            assert np.isfinite(figure).all()
            assert (np.abs(figure) <= 1).all()
        assert np.isfinite(block.effective_positions).all()
