"""Which tables a copy moves together, and which of them are users' own: by name alone, because the
models take longer to import than a look at everything else."""

from collections.abc import Mapping
from types import MappingProxyType

# In the order of their references.
OWNED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "users": (
            "users",
            "portfolios",
            "positions",
            "equity_changes",
            "position_realized_events",
            "tags_v2",
            "position_tags",
            "portfolio_target_prices",
        ),
        "chat": ("agent_conversations", "agent_messages"),
        "ai": ("ai_memories", "ai_feedback", "ai_kb_documents"),
    }
)
_MARKET = (
    "market_data_cache",
    "company_profiles",
    "fund_holdings",
    "income_statements",
    "balance_sheets",
    "cash_flows",
)
# What the old system computed and no batch of ours computes again, and users' own scenarios.
_BESIDE_USERS = ("position_greeks", "portfolio_snapshots", "stress_test_scenarios")

# In the order in which one group's rows name those of another.
TABLE_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"market": _MARKET, **OWNED, "users": (*OWNED["users"], *_BESIDE_USERS)}
)
