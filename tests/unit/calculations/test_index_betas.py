import numpy as np
import pytest
from scipy import stats

from app.calculations.index_betas import IndexBetas, index_betas
from tests.unit.calculations.conftest import ABSENT, CONSTANT, TOO_YOUNG, WHOLE, Market


@pytest.fixture(scope="module", params=["SPY", "TLT"])
def case(request: pytest.FixtureRequest, market: Market) -> tuple[IndexBetas, np.ndarray]:
    index = market.etfs[request.param]
    return index_betas(market.prices, market.dates, market.days, index), index


def test_every_figure_agrees_with_scipy(
    market: Market, case: tuple[IndexBetas, np.ndarray]
) -> None:
    found, index = case
    compared = 0
    for day in range(0, 60, 7):
        for column in range(8):
            frame = market.window(market.days[day], 120, market.prices[:, column], index)
            rows = frame.dropna().pct_change().iloc[1:].to_numpy()
            assert found.observations[day, column] == len(rows)
            if len(rows) < 30:
                assert np.isnan(found.beta[day, column])
            if len(rows) < 30 or column == CONSTANT:
                continue
            fit = stats.linregress(rows[:, 1], rows[:, 0])
            assert found.beta[day, column] == pytest.approx(np.clip(fit.slope, -5, 5), abs=1e-10)
            assert found.alpha[day, column] == pytest.approx(fit.intercept, abs=1e-12)
            assert found.r_squared[day, column] == pytest.approx(fit.rvalue**2, abs=1e-10)
            assert found.std_error[day, column] == pytest.approx(fit.stderr, abs=1e-10)
            assert found.p_value[day, column] == pytest.approx(fit.pvalue, abs=1e-10)
            compared += 1
    assert compared > 30


def test_too_little_history_is_nan_everywhere(case: tuple[IndexBetas, np.ndarray]) -> None:
    found = case[0]
    for figure in (found.beta, found.alpha, found.r_squared, found.std_error, found.p_value):
        assert np.isnan(figure[:, [ABSENT, TOO_YOUNG]]).all()
    assert (found.observations[:, ABSENT] == 0).all()


def test_a_constant_symbol_has_beta_zero(case: tuple[IndexBetas, np.ndarray]) -> None:
    found = case[0]
    assert (found.beta[:, CONSTANT] == 0).all()
    assert (found.r_squared[:, CONSTANT] == 0).all()
    assert (found.p_value[:, CONSTANT] == 1).all()


def test_the_index_against_itself_is_exact(market: Market) -> None:
    spy = market.etfs["SPY"]
    found = index_betas(spy[:, None], market.dates, market.days, spy)
    np.testing.assert_allclose(found.beta, 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.r_squared, 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.p_value, 0.0, atol=1e-12)


def test_an_index_that_does_not_move_gives_nothing(market: Market) -> None:
    still = np.full(len(market.dates), 10.0)
    found = index_betas(market.prices, market.dates, market.days, still)
    assert np.isnan(found.beta).all()
    assert np.isnan(found.p_value).all()
    assert (found.observations[:, WHOLE] > 80).all()


def test_the_cap_bounds_beta_but_not_the_line(market: Market) -> None:
    calm = 100 * (market.etfs["SPY"] / 100) ** 0.05
    found = index_betas(market.prices, market.dates, market.days, calm)
    assert np.nanmax(found.beta) == 5.0
    assert np.nanmax(found.r_squared) <= 1.0
