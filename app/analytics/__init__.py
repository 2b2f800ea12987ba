"""What is known about one portfolio's exposures and risk. Each function takes a Core session and a
portfolio of the caller, sends a fixed number of statements, and returns what its endpoint sends.
Clients read the docstrings of those that take no more, in the OpenAPI document."""

from app.analytics.composition import concentration, sector_exposure
from app.analytics.correlations import correlation_matrix, diversification_score
from app.analytics.factor_betas import factor_exposures, position_factor_exposures
from app.analytics.portfolio_overview import overview
from app.analytics.provider_betas import beta_comparison, beta_provider_1y
from app.analytics.realized_risk import risk_metrics
from app.analytics.snapshot_risk import beta_calculated_90d, market_beta, volatility
from app.analytics.spreads import spread_factors
from app.analytics.stress import stress_test
