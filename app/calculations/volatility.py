"""Volatility of daily return series: realized, forecast, trend and rank.

All volatilities are annualised decimals: 0.25 is 25% a year. sigma_n is the sample standard
deviation of n consecutive daily returns times sqrt(252).
"""

from dataclasses import dataclass, fields

import numpy as np

from app.calculations.arrays import BoolArray, FloatArray, IntArray, LabelArray

TRADING_DAYS_PER_YEAR = 252
MIN_RETURNS = 63
"""Leaves 42 rows for the forecast, which needs 30, and 43 values of sigma_21 for the trend."""

MIN_PERCENTILE_RETURNS = 240
"""A full year's window: 365 calendar days never hold 252 returns, they hold 249 or 250."""

WEEK, MONTH, QUARTER = 5, 21, 63
TREND_SLOPE = 0.001
TREND_R_SQUARED = 0.3
TREND_LABELS = np.array(["decreasing", "stable", "increasing"], dtype=object)

FLAT_VARIATION = 1e-12
"""A variance this small against the mean square is float noise of a constant series."""

FLAT_VARIANCE = 1e-14
COLLINEARITY_GUARD = 1e-10
"""Added to the diagonal of a correlation matrix so that collinear regressors stay solvable."""

EVALUATIONS_PER_BLOCK = 1024


@dataclass(frozen=True)
class VolatilityStatistics:
    """Statistics per evaluation, every array of one shape; NaN (trend: None) where unknown.

    realized_21d and realized_63d: sigma_21 and sigma_63. daily: absolute last return times
    sqrt(252). weekly: sigma_5. expected_21d: forecast of the heterogeneous autoregressive (HAR)
    model, with its in-sample model_r_squared. trend: "increasing", "stable" or "decreasing", with
    trend_strength, the R2 of the line through the last 21 values of sigma_21. percentile: share
    (0 to 1) of the window's rolling sigma_21 that lies below the last. observations: returns in
    the window, given also where there are too few for the rest.
    """

    realized_21d: FloatArray
    realized_63d: FloatArray
    daily: FloatArray
    weekly: FloatArray
    expected_21d: FloatArray
    model_r_squared: FloatArray
    trend: LabelArray
    trend_strength: FloatArray
    percentile: FloatArray
    observations: IntArray

    @property
    def monthly(self) -> FloatArray:
        """sigma_21 once more: the monthly component of the HAR model."""
        return self.realized_21d


def empty_statistics(shape: tuple[int, ...]) -> VolatilityStatistics:
    """Statistics of nothing: all NaN, no observations."""
    empty = {field.name: np.full(shape, np.nan) for field in fields(VolatilityStatistics)}
    trend, observations = np.full(shape, None, dtype=object), np.zeros(shape, dtype=np.intp)
    return VolatilityStatistics(**{**empty, "trend": trend, "observations": observations})


def volatility_statistics(
    returns: FloatArray, start: IntArray, stop: IntArray, column: IntArray
) -> VolatilityStatistics:
    """Evaluate K return series without holes at E windows.

    returns (T, K); window e holds the rows start[e] to stop[e] - 1 of series column[e]. Results
    are (E,). Rolling figures use returns inside the window only. A window with fewer than 63
    returns has no statistics.
    """
    result = empty_statistics(start.shape)
    np.copyto(result.observations, stop - start)
    chosen = np.flatnonzero(stop - start >= MIN_RETURNS)
    if chosen.size:
        series = _Series.of(returns)
        _fill(result, chosen, series, start[chosen], stop[chosen], column[chosen])
    return result


@dataclass(frozen=True)
class _Series:
    """A return series and its rolling components, each (K, T): time runs along the last axis.

    A rolling value is meaningful once its n returns exist; earlier entries are 0.
    """

    returns: FloatArray
    absolute: FloatArray
    weekly: FloatArray
    monthly: FloatArray

    @classmethod
    def of(cls, returns: FloatArray) -> "_Series":
        series = np.ascontiguousarray(returns.T)
        year = np.sqrt(TRADING_DAYS_PER_YEAR)
        return cls(
            returns=series,
            absolute=np.abs(series) * year,
            weekly=_rolling_sigma(series, WEEK),
            monthly=_rolling_sigma(series, MONTH),
        )


def _fill(
    result: VolatilityStatistics,
    chosen: IntArray,
    series: _Series,
    start: IntArray,
    stop: IntArray,
    column: IntArray,
) -> None:
    last = (column, stop - 1)
    result.daily[chosen] = series.absolute[last]
    result.weekly[chosen] = series.weekly[last]
    result.realized_21d[chosen] = series.monthly[last]
    quarter = _trailing(series.returns, column, stop, QUARTER)
    result.realized_63d[chosen] = _sigma(quarter.sum(axis=1), (quarter**2).sum(axis=1), QUARTER)
    forecast, r_squared = _forecast(series, start, stop, column)
    result.expected_21d[chosen] = forecast
    result.model_r_squared[chosen] = r_squared
    slope, strength = _trend(_trailing(series.monthly, column, stop, MONTH))
    moving = (np.abs(slope) > TREND_SLOPE) & (strength > TREND_R_SQUARED)
    result.trend[chosen] = TREND_LABELS[np.where(moving, np.sign(slope), 0).astype(np.intp) + 1]
    result.trend_strength[chosen] = strength
    result.percentile[chosen] = _percentile(series.monthly, start, stop, column)


def _sigma(total: FloatArray, squares: FloatArray, n: int) -> FloatArray:
    """Annualised sample deviation from a sum and a sum of squares of n returns."""
    variance = (squares - total * total / n) / (n - 1)
    variance = np.where(variance > FLAT_VARIATION * squares, variance, 0.0)
    sigma: FloatArray = np.sqrt(variance * TRADING_DAYS_PER_YEAR)
    return sigma


def _rolling_sigma(series: FloatArray, n: int) -> FloatArray:
    result = np.zeros(series.shape)
    if series.shape[1] >= n:
        sums = _rolling_sum(series, n), _rolling_sum(series**2, n)
        result[:, n - 1 :] = _sigma(*sums, n)
    return result


def _rolling_sum(series: FloatArray, n: int) -> FloatArray:
    """Sums of n neighbours along the last axis, by doubling: (K, T) in, (K, T - n + 1) out.

    Each sum adds its own n values only, so an outlier leaves no error behind once it has left,
    as it would in differences of running totals.
    """
    width = series.shape[1] - n + 1
    total, covered = np.zeros((len(series), width)), 0
    power, span = series, 1
    while span <= n:
        if n & span:
            total += power[:, covered : covered + width]
            covered += span
        power = power[:, : power.shape[1] - span] + power[:, span:]
        span *= 2
    return total


def _trailing(values: FloatArray, column: IntArray, stop: IntArray, n: int) -> FloatArray:
    """The last n values before each stop: (E, n)."""
    trailing: FloatArray = values[column[:, None], stop[:, None] - n + np.arange(n)]
    return trailing


def _trend(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope per day and R2 of the straight line through each row: (E, n) in, (E,) out."""
    steps = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2.0
    centred = values - values.mean(axis=1, keepdims=True)
    product = centred @ steps
    squares = (centred**2).sum(axis=1)
    flat = squares <= values.shape[1] * FLAT_VARIANCE
    r_squared = product**2 / (steps @ steps) / np.where(flat, 1.0, squares)
    return product / (steps @ steps), np.where(flat, 0.0, np.minimum(r_squared, 1.0))


def _percentile(
    monthly: FloatArray, start: IntArray, stop: IntArray, column: IntArray
) -> FloatArray:
    """Share of the window's values of sigma_21, the last included, that lie below the last."""
    result = np.full(start.shape, np.nan)
    enough = np.flatnonzero(stop - start >= MIN_PERCENTILE_RETURNS)
    for begin in range(0, enough.size, EVALUATIONS_PER_BLOCK):
        part = enough[begin : begin + EVALUATIONS_PER_BLOCK]
        count = stop[part] - start[part] - (MONTH - 1)
        back = np.arange(int(count.max()))
        rows = np.maximum(stop[part, None] - 1 - back, 0)
        values = monthly[column[part, None], rows]
        below = (values < values[:, :1]) & (back < count[:, None])
        result[part] = below.sum(axis=1) / count
    return result


def _forecast(
    series: _Series, start: IntArray, stop: IntArray, column: IntArray
) -> tuple[FloatArray, FloatArray]:
    """HAR forecast of the next |return| sqrt(252) and the model's in-sample R2, each (E,).

    Least squares with intercept of tomorrow's absolute return on today's absolute return,
    sigma_5 and sigma_21 (Corsi 2009), over the window; the forecast is the line at the window's
    last components. A volatility cannot be negative, so it is floored at 0.
    """
    features = np.stack([series.absolute, series.weekly, series.monthly])
    first, past = start + MONTH - 1, stop - 1
    mean, covariance = _window_moments(features, series.absolute, first, past, column)
    slope, r_squared = _har_slopes(covariance)
    today = features[:, column, stop - 1].T
    forecast = mean[:, 3] + (slope * (today - mean[:, :3])).sum(axis=1)
    return np.maximum(forecast, 0.0), r_squared


def _window_moments(
    features: FloatArray, target: FloatArray, start: IntArray, stop: IntArray, column: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Means (E, 4) and covariances (E, 4, 4) of three features and tomorrow's target.

    From running totals over the series, each centred by its own mean to keep cancellation small.
    """
    joint = np.concatenate([features[:, :, :-1], target[None, :, 1:]])
    centre = joint.mean(axis=2, keepdims=True)
    joint = joint - centre
    mean = np.empty((len(start), 4))
    covariance = np.empty((len(start), 4, 4))
    for i in range(4):
        mean[:, i] = _window_means(joint[i], start, stop, column)
        for j in range(i + 1):
            product = _window_means(joint[i] * joint[j], start, stop, column)
            covariance[:, i, j] = covariance[:, j, i] = product - mean[:, i] * mean[:, j]
    return mean + centre[:, column, 0].T, covariance


def _window_means(
    values: FloatArray, start: IntArray, stop: IntArray, column: IntArray
) -> FloatArray:
    totals = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=totals[:, 1:])
    means: FloatArray = (totals[column, stop] - totals[column, start]) / (stop - start)
    return means


def _har_slopes(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes (E, 3) and R2 (E,) of the fourth variable on the first three."""
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    flat: BoolArray = variance <= FLAT_VARIANCE
    scale = np.where(flat, np.inf, np.sqrt(np.where(flat, 1.0, variance)))
    correlation = covariance / scale[:, :, None] / scale[:, None, :]
    guarded = correlation[:, :3, :3] + COLLINEARITY_GUARD * np.eye(3)
    weight = np.linalg.solve(guarded, correlation[:, :3, 3:])[:, :, 0]
    r_squared = np.clip((weight * correlation[:, :3, 3]).sum(axis=1), 0.0, 1.0)
    target = np.where(flat[:, 3], 0.0, scale[:, 3])
    return weight * target[:, None] / scale[:, :3], r_squared
