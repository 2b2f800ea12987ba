"""Indexes of the original system that are exact duplicates here and therefore not built.

An index is a duplicate only if another one covers the same columns in the same order with the
same method and predicate (a unique index serves a lookup as well as a plain one). Building both
costs disk and every write, and no query gains.
"""

from types import MappingProxyType
from typing import NamedTuple


class ServingIndex(NamedTuple):
    """The index that is built and answers what the omitted one would."""

    table: str
    served_by: str


OMITTED_INDEXES = MappingProxyType(
    {
        "idx_market_data_cache_symbol_date": ServingIndex(
            "market_data_cache", "uq_market_data_cache_symbol_date"
        ),
        "idx_positions_portfolio_deleted": ServingIndex(
            "positions", "idx_position_portfolio_active"
        ),
        "idx_snapshots_portfolio_date": ServingIndex(
            "portfolio_snapshots", "uq_portfolio_snapshots_portfolio_date"
        ),
        "uq_portfolio_snapshot_date": ServingIndex(
            "portfolio_snapshots", "uq_portfolio_snapshots_portfolio_date"
        ),
        "ix_company_profiles_symbol": ServingIndex("company_profiles", "pk_company_profiles"),
        "ix_position_greeks_position_id": ServingIndex(
            "position_greeks", "uq_position_greeks_position_id"
        ),
        "ix_position_volatility_lookup": ServingIndex(
            "position_volatility", "uq_position_volatility_date"
        ),
    }
)
