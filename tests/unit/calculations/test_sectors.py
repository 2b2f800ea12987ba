"""Which sector a position counts to."""

import pytest

from app.calculations.sectors import sector_of


@pytest.mark.parametrize(
    ("investment_class", "of_profile", "is_fund", "sector"),
    [
        ("PUBLIC", "Financial Services", False, "Financials"),
        ("PUBLIC", "Consumer Cyclical", False, "Consumer Discretionary"),
        ("PUBLIC", "Consumer Defensive", False, "Consumer Staples"),
        ("PUBLIC", "Basic Materials", False, "Materials"),
        ("PUBLIC", "Energy", False, "Energy"),
        ("PUBLIC", "Energy", True, "ETFs"),
        ("PUBLIC", None, True, "ETFs"),
        ("PUBLIC", None, False, None),
        ("PUBLIC", "", False, None),
        ("OPTIONS", "Energy", False, "Unclassified"),
        ("PRIVATE", None, False, "Unclassified"),
    ],
)
def test_sector_of(
    investment_class: str, of_profile: str | None, is_fund: bool, sector: str | None
) -> None:
    assert sector_of(investment_class, of_profile, is_fund=is_fund) == sector
