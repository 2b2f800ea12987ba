import numpy as np
import pytest

from app.calculations.concentration import concentration, sector_weights


def test_equal_positions_count_themselves() -> None:
    found = concentration(np.full((1, 20), 500.0))
    assert found.hhi[0] == pytest.approx(500.0)
    assert found.effective_positions[0] == pytest.approx(20.0)
    assert found.top_3[0] == pytest.approx(0.15)
    assert found.top_10[0] == pytest.approx(0.5)


def test_weights_are_shares_of_gross_value_whatever_the_sign_or_order() -> None:
    found = concentration(np.array([[100.0, -300.0, np.nan, 600.0], [600, 100, 0, 300]]))
    np.testing.assert_allclose(found.hhi, 10_000 * (0.1**2 + 0.3**2 + 0.6**2))
    np.testing.assert_allclose(found.top_3, 1.0)
    np.testing.assert_allclose(found.effective_positions, 10_000 / found.hhi)


def test_nothing_held_has_no_concentration() -> None:
    found = concentration(np.array([[0.0, np.nan], [1.0, 0.0]]))
    for figure in (found.hhi, found.effective_positions, found.top_3, found.top_10):
        assert np.isnan(figure[0])
        assert np.isfinite(figure[1])


def test_sector_weights_are_gross_over_equity() -> None:
    gross = np.array([[100.0, -50.0, 30.0, np.nan]])
    in_sector = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], dtype=bool)
    np.testing.assert_allclose(sector_weights(gross, in_sector, np.array([300.0])), [[0.5, 0.0]])


@pytest.mark.parametrize("equity", [0.0, -1.0, np.nan])
def test_no_sector_weights_without_positive_equity(equity: float) -> None:
    found = sector_weights(np.ones((1, 1)), np.ones((1, 1), dtype=bool), np.array([equity]))
    assert np.isnan(found).all()
