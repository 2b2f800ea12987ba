"""Two-sided p-values of correlations from Student's t distribution."""

import numpy as np
from numpy.typing import ArrayLike

from app.calculations.arrays import FloatArray


def correlation_p_value(correlation: ArrayLike, degrees_of_freedom: ArrayLike) -> FloatArray:
    """Probability of a correlation at least this strong when there is none.

    With v = n - 2 degrees of freedom and t = r sqrt(v / (1 - r^2)), r is the sine of
    theta = arctan(t / sqrt(v)), in which the distribution has a closed finite series (Abramowitz
    and Stegun 26.7.3 for odd v, 26.7.4 for even v). The arguments broadcast. NaN where the
    correlation is NaN or fewer than one degree of freedom is left.
    """
    freedom = np.asarray(degrees_of_freedom)
    sine = np.minimum(np.abs(np.asarray(correlation, dtype=np.float64)), 1.0)
    distinct = np.unique(freedom)
    sine, freedom = np.broadcast_arrays(sine, freedom)
    result: FloatArray = np.full(sine.shape, np.nan)
    for dof in distinct[distinct >= 1]:
        chosen = freedom == dof
        result[chosen] = 1.0 - _central_probability(sine[chosen], int(dof))
    np.maximum(result, 0.0, out=result)
    return result


def _central_probability(sine: FloatArray, dof: int) -> FloatArray:
    """P(|t| <= observed) for one number of degrees of freedom, by Horner's scheme."""
    cosine_squared = 1.0 - sine * sine
    odd = dof % 2
    series: FloatArray = np.zeros(sine.shape)
    for k in range((dof - odd) // 2 - 1, -1, -1):
        ratio = (2 * k + 1 + odd) / (2 * k + 2 + odd)
        series = 1.0 + ratio * cosine_squared * series
    if not odd:
        return sine * series
    cosine = np.sqrt(cosine_squared)
    probability: FloatArray = np.arctan2(sine, cosine) + sine * cosine * series
    return probability * (2.0 / np.pi)
