"""Which sector a position counts to, in the names that the benchmark's weights use."""

from collections.abc import Mapping

# Data providers' names → the benchmark's; others stand as they are.
BENCHMARK_NAMES: Mapping[str, str] = {
    "Financial Services": "Financials",
    "Consumer Cyclical": "Consumer Discretionary",
    "Consumer Defensive": "Consumer Staples",
    "Basic Materials": "Materials",
}
ETFS, UNCLASSIFIED = "ETFs", "Unclassified"


def benchmark_name(sector: str) -> str:
    """A sector as the benchmark calls it."""
    return BENCHMARK_NAMES.get(sector, sector)


def sector_of(investment_class: str, provider_sector: str | None, *, is_fund: bool) -> str | None:
    """The sector of a position; None for a listed stock whose sector nobody knows.

    provider_sector and is_fund (an ETF or a fund) come from the company's profile.
    """
    if investment_class != "PUBLIC":
        return UNCLASSIFIED
    if is_fund:
        return ETFS
    return benchmark_name(provider_sector) if provider_sector else None
