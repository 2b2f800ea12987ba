"""The checks of the databases, in the order in which they are reported.

Another part of the system adds its own by passing them to `ops.verify.verify`.
"""

from functools import partial

from ops.verify.counts import (
    backfill_ledger,
    correlation_calculations,
    pairwise_correlations,
    portfolio_snapshots,
    position_factor_exposures,
    symbol_daily_metrics,
    symbol_factor_exposures,
    tracking_rows,
)
from ops.verify.equity import equity_chain, snapshot_identities, starting_capital
from ops.verify.hot_queries import hot_queries, vector_search
from ops.verify.market_data import market_data, market_data_equals_legacy
from ops.verify.references import foreign_keys, loose_references
from ops.verify.report import Check
from ops.verify.schemas import schema
from ops.verify.values import betas, correlations, finite_values, volatility_and_concentration

DATABASE_CHECKS = (
    Check("hot queries", hot_queries),
    Check("vector search", vector_search),
    Check("core schema", partial(schema, chain="core")),
    Check("ai schema", partial(schema, chain="ai")),
    Check("foreign keys", foreign_keys),
    Check("loose references", loose_references),
    Check("market data", market_data),
    Check("market copy parity", market_data_equals_legacy),
    Check("backfill ledger", backfill_ledger),
    Check("batch_run_tracking", tracking_rows),
    Check("portfolio_snapshots", portfolio_snapshots),
    Check("position_factor_exposures", position_factor_exposures),
    Check("correlation_calculations", correlation_calculations),
    Check("pairwise_correlations", pairwise_correlations),
    Check("symbol_factor_exposures", symbol_factor_exposures),
    Check("symbol_daily_metrics", symbol_daily_metrics),
    Check("starting capital", starting_capital),
    Check("equity chain", equity_chain),
    Check("snapshot identities", snapshot_identities),
    Check("finite values", finite_values),
    Check("betas", betas),
    Check("correlations", correlations),
    Check("volatility and concentration", volatility_and_concentration),
)
