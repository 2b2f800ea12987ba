"""The 37 Core tables, with every index that answers a query of the backend."""

from migrations_core.tables_0001 import (
    agent,
    batch,
    company_profiles,
    correlations,
    factors,
    fundamentals,
    market_data,
    portfolios,
    position_metrics,
    positions,
    snapshots,
    stress,
    symbols,
    tags,
    target_prices,
    users,
)

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

# Parents before children.
DOMAINS = (
    users,
    portfolios,
    positions,
    target_prices,
    tags,
    position_metrics,
    factors,
    snapshots,
    symbols,
    correlations,
    market_data,
    company_profiles,
    fundamentals,
    stress,
    batch,
    agent,
)


def upgrade() -> None:
    for domain in DOMAINS:
        domain.create()


def downgrade() -> None:
    for domain in reversed(DOMAINS):
        domain.drop()
