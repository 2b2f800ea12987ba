"""Which sector each position counts to."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.calculations import sectors
from ops.backfill.inputs import CompanyProfile
from ops.backfill.positions import Positions


def sector_of(investment_class: str, profile: CompanyProfile | None) -> str | None:
    """The sector of a position; None for a listed stock whose sector nobody knows."""
    if profile is None:
        return sectors.sector_of(investment_class, None, is_fund=False)
    return sectors.sector_of(investment_class, profile.sector, is_fund=profile.is_etf)


def sector_membership(
    positions: Positions, profiles: Mapping[str, CompanyProfile]
) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """The sectors held (K names) and which position belongs to which (P, K)."""
    held = [
        sector_of(kind, profiles.get(symbol))
        for symbol, kind in zip(positions.symbols, positions.classes, strict=True)
    ]
    names = sorted({sector for sector in held if sector is not None})
    membership = [[sector == name for name in names] for sector in held]
    return tuple(names), np.array(membership, np.bool_).reshape(len(held), len(names))
