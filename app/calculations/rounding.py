"""Decimal rounding that agrees with PostgreSQL's numeric type."""

import numpy as np
from numpy.typing import ArrayLike

from app.calculations.arrays import FloatArray

NUDGE = 1e-7
"""Share of the last kept place below which a missing amount is float error, not meaning."""

NUDGE_ULPS = 4.0
"""Covers the error of an addition, a multiplication and the stored value itself."""

NUDGED_BELOW = 2.0**46
INTEGERS_FROM = 2.0**52


def round_half_away(values: ArrayLike, decimals: int) -> FloatArray:
    """Round to `decimals` places, halves away from zero, as numeric(p, decimals) stores them.

    A float that was computed as k.xx5 may lie a few units in the last place below the tie; it is
    nudged up by four such units plus 1e-7 of the last kept place, so ties round as in decimal
    arithmetic. Scaled values from 2**46 on (7e11 dollars in cents) are too coarse to be nudged
    and are rounded as they stand. NaN and infinities pass through; any shape is kept.
    """
    array = np.asarray(values, dtype=np.float64)
    scale = 10.0**decimals
    scaled = np.abs(array) * scale
    safe = np.where(np.isfinite(scaled), scaled, 0.0)
    nudge = np.where(safe < NUDGED_BELOW, NUDGE + NUDGE_ULPS * np.spacing(safe), 0.0)
    rounded = np.floor(safe + nudge + 0.5) / scale
    rounded = np.where(scaled < INTEGERS_FROM, rounded, np.abs(array))
    return np.copysign(rounded, array) + 0.0
