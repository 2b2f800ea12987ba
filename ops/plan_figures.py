"""The runbook's range and figures: what counted as done when the move was carried out by hand."""

from collections.abc import Mapping
from datetime import date

FIRST_DAY = date(2025, 7, 1)
LAST_DAY = date(2025, 12, 19)

FIGURES: Mapping[str, int] = {
    "position_factor_exposures": 140_360,
    "portfolio_snapshots": 1_331,
    "correlation_calculations": 1_067,
    "pairwise_correlations": 169_996,
    "symbol_factor_exposures": 730,
    "symbol_daily_metrics": 73,
}
"""Rows by table after the batch of FIRST_DAY..LAST_DAY; shown beside ours, never asserted."""
