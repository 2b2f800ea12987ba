import numpy as np
from scipy import stats

from app.calculations.t_distribution import correlation_p_value


def test_agrees_with_scipy_for_every_number_of_degrees_of_freedom() -> None:
    freedom = np.arange(1, 301)[:, None]
    correlation = np.concatenate([np.linspace(-0.999, 0.999, 41), [1e-9, 0.0]])
    t = correlation * np.sqrt(freedom / (1 - correlation**2))
    expected = 2 * stats.t.sf(np.abs(t), freedom)
    np.testing.assert_allclose(correlation_p_value(correlation, freedom), expected, atol=1e-12)


def test_perfect_correlation_is_certain_and_none_is_chance() -> None:
    np.testing.assert_array_equal(correlation_p_value([1.0, -1.0, 0.0], 30), [0.0, 0.0, 1.0])
    assert correlation_p_value(1.0 + 1e-15, 31) == 0.0


def test_unknown_correlation_or_too_few_points_are_nan() -> None:
    assert np.isnan(correlation_p_value([np.nan, 0.5], [10, 0])).all()
