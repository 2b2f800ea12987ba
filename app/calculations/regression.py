"""Regressions over many windows at once, from centred second moments."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.calculations.arrays import BoolArray, FloatArray, IntArray
from app.calculations.windows import ReturnGroup, day_blocks, gather_windows, window_width

BETA_CAP = 5.0
FLAT_SIGMA = 1e-10
"""A series whose standard deviation is below this does not move: what is left is float noise."""


@dataclass(frozen=True)
class WindowMoments:
    """First moments and sums of centred products of k regressors x and s responses y.

    count (D,); mean_x (D, k); mean_y (D, s); xx (D, k, k); xy (D, k, s); yy (D, s).
    """

    count: IntArray
    mean_x: FloatArray
    mean_y: FloatArray
    xx: FloatArray
    xy: FloatArray
    yy: FloatArray

    @property
    def sigma_x(self) -> FloatArray:
        """Population standard deviations of the regressors (D, k)."""
        variance = np.diagonal(self.xx, axis1=1, axis2=2) / np.maximum(self.count, 1)[:, None]
        return np.sqrt(variance)

    @property
    def flat_y(self) -> BoolArray:
        """Responses that do not move (D, s)."""
        return self.yy <= np.maximum(self.count, 1)[:, None] * FLAT_SIGMA**2


@dataclass(frozen=True)
class LineFits:
    """Ordinary least squares of every y on every x alone, with intercept; arrays (D, k, s).

    A flat x leaves the slope undefined (NaN); a flat y gives slope 0 and correlation 0.
    """

    slope: FloatArray
    intercept: FloatArray
    correlation: FloatArray
    standard_error: FloatArray


def moment_blocks(group: ReturnGroup, window_days: int) -> Iterator[tuple[slice, WindowMoments]]:
    """Yield (days, moments) of reference against symbols for blocks of the day axis."""
    width = window_width(window_days)
    for block in day_blocks(len(group.start), width * len(group.columns)):
        yield block, _window_moments(group, group.start[block], group.stop[block], width)


def _window_moments(
    group: ReturnGroup, start: IntArray, stop: IntArray, width: int
) -> WindowMoments:
    rows, inside = gather_windows(start, stop, width)
    count = stop - start
    x, mean_x = _centred(group.reference[rows], inside, count)
    y, mean_y = _centred(group.returns[rows], inside, count)
    x_rows = x.transpose(0, 2, 1)
    return WindowMoments(
        count=count,
        mean_x=mean_x,
        mean_y=mean_y,
        xx=x_rows @ x,
        xy=x_rows @ y,
        yy=np.einsum("dws,dws->ds", y, y),
    )


def _centred(
    windows: FloatArray, inside: BoolArray, count: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Subtract each window's own mean and put zeros outside it: (windows, means)."""
    weight = inside[:, :, None].astype(np.float64)
    windows *= weight
    mean = windows.sum(axis=1) / np.maximum(count, 1)[:, None]
    windows -= mean[:, None, :]
    windows *= weight
    return windows, mean


def fit_lines(moments: WindowMoments) -> LineFits:
    """Slope, intercept, correlation and standard error of the slope for each pair of x and y."""
    xx = np.diagonal(moments.xx, axis1=1, axis2=2)[:, :, None]
    xx = np.where(moments.sigma_x[:, :, None] > FLAT_SIGMA, xx, np.nan)
    yy = moments.yy[:, None, :]
    flat = moments.flat_y[:, None, :]
    slope = np.where(flat & ~np.isnan(xx), 0.0, moments.xy / xx)
    spread = np.where(flat, 1.0, np.sqrt(xx * yy))
    correlation = np.where(flat, 0.0 * xx, np.clip(moments.xy / spread, -1.0, 1.0))
    residual = (1.0 - correlation**2) * yy
    freedom = np.maximum(moments.count - 2, 1)[:, None, None]
    return LineFits(
        slope=slope,
        intercept=moments.mean_y[:, None, :] - slope * moments.mean_x[:, :, None],
        correlation=correlation,
        standard_error=np.sqrt(residual / freedom / xx),
    )
