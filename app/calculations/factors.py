"""Which factors exist, which ETFs stand for them, and the order of every factor axis."""

MARKET_ETF = "SPY"
INTEREST_RATE_ETF = "TLT"

RIDGE_FACTOR_ETFS: dict[str, str] = {
    "Value": "VTV",
    "Growth": "VUG",
    "Momentum": "MTUM",
    "Quality": "QUAL",
    "Size": "IWM",
    "Low Volatility": "USMV",
}
"""Style factor -> proxy ETF; estimated jointly by ridge regression."""

SPREAD_FACTOR_ETFS: dict[str, tuple[str, str]] = {
    "Growth-Value Spread": ("VUG", "VTV"),
    "Momentum Spread": ("MTUM", "SPY"),
    "Size Spread": ("IWM", "SPY"),
    "Quality Spread": ("QUAL", "SPY"),
}
"""Spread factor -> (long ETF, short ETF); each estimated by a regression of its own."""

RIDGE_FACTOR_NAMES: tuple[str, ...] = tuple(RIDGE_FACTOR_ETFS)
SPREAD_FACTOR_NAMES: tuple[str, ...] = tuple(SPREAD_FACTOR_ETFS)
FACTOR_NAMES: tuple[str, ...] = RIDGE_FACTOR_NAMES + SPREAD_FACTOR_NAMES
"""The ten factors with a beta per position, in the order of every ten-wide axis."""

MARKET_BETA_NAME = "Market Beta (90D)"
PROVIDER_BETA_NAME = "Provider Beta (1Y)"
INTEREST_RATE_BETA_NAME = "IR Beta"

STRESS_FACTOR_ETFS: dict[str, str] = {
    "Market": MARKET_ETF,
    **RIDGE_FACTOR_ETFS,
    "Interest Rate": INTEREST_RATE_ETF,
}
"""Factor -> ETF of the stress correlation matrix, in the order of every eight-wide axis."""

STRESS_FACTOR_NAMES: tuple[str, ...] = tuple(STRESS_FACTOR_ETFS)
SHOCK_NAMES: tuple[str, ...] = tuple(name.replace(" ", "_") for name in STRESS_FACTOR_NAMES)
"""How scenario definitions spell the eight shocks, in the order of STRESS_FACTOR_NAMES."""

REQUIRED_ETFS: tuple[str, ...] = ("SPY", "VUG", "VTV", "MTUM", "QUAL", "IWM", "USMV", "TLT")
"""What every factor figure rests on; without one of them the figures that need it are left out."""
