"""Which sector a position counts to."""

import numpy as np
import pytest

from ops.backfill.inputs import CompanyProfile
from ops.backfill.sectors import sector_of


def profile(sector: str | None, *, is_etf: bool = False) -> CompanyProfile:
    return CompanyProfile(sector, np.nan, is_etf)


@pytest.mark.parametrize(
    ("investment_class", "known", "sector"),
    [
        ("PUBLIC", profile("Financial Services"), "Financials"),
        ("PUBLIC", profile("Consumer Cyclical"), "Consumer Discretionary"),
        ("PUBLIC", profile("Consumer Defensive"), "Consumer Staples"),
        ("PUBLIC", profile("Basic Materials"), "Materials"),
        ("PUBLIC", profile("Energy"), "Energy"),
        ("PUBLIC", profile("Energy", is_etf=True), "ETFs"),
        ("PUBLIC", profile(None, is_etf=True), "ETFs"),
        ("PUBLIC", profile(None), None),
        ("PUBLIC", profile(""), None),
        ("PUBLIC", None, None),
        ("OPTIONS", profile("Energy"), "Unclassified"),
        ("PRIVATE", None, "Unclassified"),
    ],
)
def test_sector_of(investment_class: str, known: CompanyProfile | None, sector: str | None) -> None:
    assert sector_of(investment_class, known) == sector
