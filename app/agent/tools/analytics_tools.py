"""Tools about risk and return, computed by the daily batch or live from the holdings."""

from app import analytics
from app.agent.tools.registry import ToolRegistry

TOOLS = ToolRegistry()

TOOLS.offer_figure(
    "get_analytics_overview",
    "Equity, leverage, long, short, gross and net exposure, profit and loss of a portfolio.",
    analytics.overview,
)
TOOLS.offer_figure(
    "get_factor_exposures",
    "Betas of a portfolio to market and style factors, with dollars.",
    analytics.factor_exposures,
)
TOOLS.offer_figure(
    "get_sector_exposure",
    "Weights of the sectors in a portfolio against the S&P 500.",
    analytics.sector_exposure,
)
TOOLS.offer_figure(
    "get_correlation_matrix",
    "Correlations between a portfolio's positions over 90 days.",
    analytics.correlation_matrix,
)
TOOLS.offer_figure(
    "get_stress_test_results",
    "What each stress scenario would cost or bring a portfolio.",
    analytics.stress_test,
)
TOOLS.offer_figure(
    "get_concentration_metrics",
    "How concentrated a portfolio is: HHI, effective number of positions, weights of the largest.",
    analytics.concentration,
)
TOOLS.offer_figure(
    "get_volatility_analysis",
    "Realized and expected volatility of a portfolio, its trend and its percentile.",
    analytics.volatility,
)
