"""Pictures of the book's course: how its equity and its factor exposures moved."""

from pathlib import Path

import matplotlib
import numpy as np

from ops.summary import BookCourse

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # the backend must be chosen before

_SHOWN_FACTORS = ("Market Beta (90D)", "Growth", "Value", "Momentum", "Quality", "Size")


def plot_course(course: BookCourse, path: Path) -> None:
    """Write a PNG: equity per portfolio, indexed to 100, above the book's factor exposures."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 7), sharex=True, layout="constrained")
    for name, equity in course.equity.items():
        upper.plot(course.days, 100 * equity / equity[np.isfinite(equity)][0], lw=1.2, label=name)
    upper.set_ylabel("equity, first day = 100")
    upper.legend(fontsize=6, ncols=2, frameon=False)
    for name in _SHOWN_FACTORS:
        if name in course.exposures:
            lower.plot(course.days, course.exposures[name], lw=1.2, label=name)
    lower.set_ylabel("beta of the whole book")
    lower.axhline(0, color="grey", lw=0.6)
    lower.legend(fontsize=7, ncols=3, frameon=False)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
