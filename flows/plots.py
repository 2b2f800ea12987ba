"""Pictures: the book's course, and the requests around a hold."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np

from ops.backend.seen_requests import SeenRequest
from ops.summary import BookCourse

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # the backend must be chosen before

_SHOWN_FACTORS = ("Market Beta (90D)", "Growth", "Value", "Momentum", "Quality", "Size")


def plot_course(course: BookCourse, path: Path) -> None:
    """Write a PNG: equity per portfolio, indexed to 100, above the book's factor exposures.
    The course's digest goes with it, as a comment."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(10, 7), sharex=True, layout="constrained")
    upper.set_prop_cycle(color=plt.colormaps["tab20"].colors)  # type: ignore[attr-defined]
    for name, equity in course.equity.items():
        indexed = 100 * equity / equity[np.isfinite(equity)][0]
        upper.plot(course.days, indexed, lw=1.2, label=_short(name))
    for name in _SHOWN_FACTORS:
        if name in course.exposures:
            lower.plot(course.days, course.exposures[name], lw=1.2, label=name)
    lower.axhline(0, color="grey", lw=0.6)
    upper.set_ylabel("equity, first day = 100")
    lower.set_ylabel("beta of the whole book")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(path, dpi=110, metadata={"Comment": course.digest})
    plt.close(figure)


def plot_hold(requests: Sequence[SeenRequest], begun: float, ended: float) -> bytes:
    """A PNG: each request by when it came and how long it took, beside the hold."""
    figure, axes = plt.subplots(figsize=(10, 3.2), layout="constrained")
    axes.axvspan(0, ended - begun, color="0.9", label="requests are held")
    for name, color, wanted in (("answered", "tab:blue", False), ("failed", "tab:red", True)):
        those = [one for one in requests if (one.status >= 500) is wanted]
        came = [one.came - begun for one in those]
        axes.scatter(came, [one.seconds for one in those], s=9, color=color, label=name)
    axes.set_xlabel("came, seconds since the hold began")
    axes.set_ylabel("seconds until answered")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    plt.close(figure)
    return picture.getvalue()


def _short(name: str) -> str:
    return name.removeprefix("Demo ").removesuffix(" Portfolio")
