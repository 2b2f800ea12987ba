"""Analytics over several portfolios of one user, each weighted by its equity.

Every function takes a Core session and the `combined_portfolios`. One query per kind of fact serves
them all.
"""

from app.analytics.aggregate.concentration import concentration
from app.analytics.aggregate.correlations import correlation_matrix
from app.analytics.aggregate.overview import breakdown, overview
from app.analytics.aggregate.sectors import sector_exposure
from app.analytics.aggregate.stress import stress_test
from app.analytics.aggregate.weighted_means import beta, factor_exposures, volatility
