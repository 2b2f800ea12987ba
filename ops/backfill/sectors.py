"""Which sector each position counts to."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ops.backfill.inputs import CompanyProfile
from ops.backfill.positions import Positions

# Data providers' names → the names that the benchmark's weights use; others stand as they are.
BENCHMARK_NAMES: Mapping[str, str] = {
    "Financial Services": "Financials",
    "Consumer Cyclical": "Consumer Discretionary",
    "Consumer Defensive": "Consumer Staples",
    "Basic Materials": "Materials",
}
ETFS, UNCLASSIFIED = "ETFs", "Unclassified"


def sector_of(investment_class: str, profile: CompanyProfile | None) -> str | None:
    """The sector of a position; None for a listed stock whose sector nobody knows."""
    if investment_class != "PUBLIC":
        return UNCLASSIFIED
    if profile is None:
        return None
    if profile.is_etf:
        return ETFS
    return BENCHMARK_NAMES.get(profile.sector, profile.sector) if profile.sector else None


def sector_membership(
    positions: Positions, profiles: Mapping[str, CompanyProfile]
) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """The sectors held (K names) and which position belongs to which (P, K)."""
    sectors = [
        sector_of(kind, profiles.get(symbol))
        for symbol, kind in zip(positions.symbols, positions.classes, strict=True)
    ]
    names = sorted({sector for sector in sectors if sector is not None})
    membership = [[sector == name for name in names] for sector in sectors]
    return tuple(names), np.array(membership, np.bool_).reshape(len(sectors), len(names))
