"""Indexes of the original system that are exact duplicates here and therefore not built.

An index is a duplicate only if another one covers the same columns in the same order with the
same method and predicate (a unique index serves a lookup as well as a plain one). Building both
costs disk and every write, and no query gains.
"""

from collections.abc import Mapping

# By table and name: the index of that table which is built, and answers what the omitted one would.
OMITTED_INDEXES: Mapping[str, str] = {
    "market_data_cache.idx_market_data_cache_symbol_date": "uq_market_data_cache_symbol_date",
    "positions.idx_positions_portfolio_deleted": "idx_position_portfolio_active",
    "portfolio_snapshots.idx_snapshots_portfolio_date": "uq_portfolio_snapshots_portfolio_date",
    "portfolio_snapshots.uq_portfolio_snapshot_date": "uq_portfolio_snapshots_portfolio_date",
    "company_profiles.ix_company_profiles_symbol": "pk_company_profiles",
    "position_greeks.ix_position_greeks_position_id": "uq_position_greeks_position_id",
    "position_volatility.ix_position_volatility_lookup": "uq_position_volatility_date",
}
