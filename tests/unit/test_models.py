"""The declared schema: which tables there are, and the traps that it must not fall into."""

from collections import Counter
from datetime import UTC, timedelta

import pytest
from sqlalchemy import (
    DateTime,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
    inspect,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateColumn

import app.models as models
from app.models import AiBase, Base
from app.models.base import utc_now
from app.models.omitted_indexes import OMITTED_INDEXES

CORE_TABLES = [
    "agent_conversations",
    "agent_messages",
    "balance_sheets",
    "batch_job_schedules",
    "batch_jobs",
    "batch_run_tracking",
    "benchmarks_sector_weights",
    "cash_flows",
    "company_profiles",
    "correlation_calculations",
    "correlation_cluster_positions",
    "correlation_clusters",
    "equity_changes",
    "factor_definitions",
    "factor_exposures",
    "fund_holdings",
    "income_statements",
    "market_data_cache",
    "pairwise_correlations",
    "portfolio_snapshots",
    "portfolio_target_prices",
    "portfolios",
    "position_factor_exposures",
    "position_greeks",
    "position_interest_rate_betas",
    "position_market_betas",
    "position_realized_events",
    "position_tags",
    "position_volatility",
    "positions",
    "stress_test_results",
    "stress_test_scenarios",
    "symbol_daily_metrics",
    "symbol_factor_exposures",
    "symbol_universe",
    "tags_v2",
    "users",
]
AI_TABLES = ["ai_feedback", "ai_kb_documents", "ai_memories"]
ALL_TABLES = [*Base.metadata.tables.values(), *AiBase.metadata.tables.values()]

PERFORMANCE_INDEXES = {
    "idx_market_data_cache_symbol_date": "market_data_cache",
    "idx_positions_portfolio_deleted": "positions",
    "idx_snapshots_portfolio_date": "portfolio_snapshots",
    "idx_positions_active_complete": "positions",
    "idx_market_data_valid_prices": "market_data_cache",
    "idx_positions_symbol_active": "positions",
}


def table_names(tables: list[Table]) -> list[str]:
    return sorted(table.name for table in tables)


def index_shapes(table: Table) -> dict[str, tuple[object, ...]]:
    """Name to (columns in order, method, predicate) of everything that makes an index."""
    shapes = {
        str(constraint.name or "primary key"): (tuple(constraint.columns.keys()), "btree", "")
        for constraint in table.constraints
        if isinstance(constraint, PrimaryKeyConstraint) or "Unique" in type(constraint).__name__
    }
    return shapes | {str(index.name): _shape(index) for index in table.indexes}


def _shape(index: Index) -> tuple[object, ...]:
    options = index.dialect_options["postgresql"]
    where = "" if options["where"] is None else str(options["where"])
    return tuple(column.name for column in index.columns), options["using"] or "btree", where


def test_core_holds_its_37_tables_and_ai_its_3() -> None:
    assert len(CORE_TABLES) == 37
    assert table_names(list(Base.metadata.tables.values())) == CORE_TABLES
    assert table_names(list(AiBase.metadata.tables.values())) == AI_TABLES


def test_every_table_has_an_exported_class() -> None:
    exported = {
        each.__tablename__ for each in vars(models).values() if hasattr(each, "__tablename__")
    }
    assert exported == {*CORE_TABLES, *AI_TABLES}


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_no_index_repeats_another(table: Table) -> None:
    repeated = [
        shape for shape, times in Counter(index_shapes(table).values()).items() if times > 1
    ]
    assert repeated == []


@pytest.mark.parametrize(("omitted", "served_by"), OMITTED_INDEXES.items())
def test_an_omitted_index_is_served_by_one_that_is_built(omitted: str, served_by: str) -> None:
    table, name = omitted.split(".")
    shapes = index_shapes(Base.metadata.tables[table])
    assert served_by in shapes
    assert name not in shapes


@pytest.mark.parametrize(("name", "table"), PERFORMANCE_INDEXES.items())
def test_each_performance_index_is_declared_or_served(name: str, table: str) -> None:
    declared = index_shapes(Base.metadata.tables[table])
    assert name in declared or f"{table}.{name}" in OMITTED_INDEXES


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_no_foreign_key_leaves_its_database(table: Table) -> None:
    assert all(key.column.table.metadata is table.metadata for key in table.foreign_keys)


@pytest.mark.parametrize(
    ("table", "column", "action"),
    [
        ("positions", "portfolio_id", None),
        ("position_tags", "tag_id", "CASCADE"),
        ("position_tags", "assigned_by", None),
        ("position_realized_events", "position_id", "CASCADE"),
        ("portfolio_target_prices", "portfolio_id", "CASCADE"),
        ("portfolio_target_prices", "created_by", None),
        ("symbol_factor_exposures", "symbol", "CASCADE"),
        ("symbol_factor_exposures", "factor_id", None),
        ("agent_messages", "conversation_id", "CASCADE"),
    ],
)
def test_foreign_key_actions(table: str, column: str, action: str | None) -> None:
    (key,) = Base.metadata.tables[table].columns[column].foreign_keys
    assert key.ondelete == action


def test_logical_references_have_no_foreign_key() -> None:
    assert not Base.metadata.tables["agent_conversations"].foreign_keys
    assert not any(table.foreign_keys for table in AiBase.metadata.tables.values())


def test_total_value_is_read_as_net_asset_value() -> None:
    assert inspect(models.PortfolioSnapshot).c.net_asset_value.name == "total_value"


def test_created_at_of_a_batch_run_is_the_present_and_not_a_frozen_instant() -> None:
    column = Base.metadata.tables["batch_run_tracking"].columns["created_at"]
    ddl = str(CreateColumn(column).compile(dialect=postgresql.dialect()))
    assert ddl == "created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL"


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_every_instant_has_a_time_zone(table: Table) -> None:
    naive = [c.name for c in table.columns if isinstance(c.type, DateTime) and not c.type.timezone]
    assert naive == []


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_updated_at_is_touched_by_an_update(table: Table) -> None:
    if "updated_at" in table.columns:
        assert table.columns["updated_at"].onupdate is not None


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_a_row_gets_its_id_from_the_application_or_the_server(table: Table) -> None:
    (key,) = table.primary_key.columns
    if isinstance(key.type, Uuid):
        assert key.default is not None or key.server_default is not None
    else:
        assert isinstance(key.type, String)


def test_the_application_writes_aware_utc_instants() -> None:
    assert utc_now().tzinfo is UTC
    assert utc_now().utcoffset() == timedelta(0)


def test_a_missing_json_value_is_null_and_not_the_json_null() -> None:
    json_types = [
        column.type
        for table in ALL_TABLES
        for column in table.columns
        if isinstance(column.type, postgresql.JSON)
    ]
    assert json_types
    assert all(kind.none_as_null for kind in json_types)


def test_embeddings_are_searched_by_cosine_distance_through_hnsw() -> None:
    indexes = {index.name: index for index in AiBase.metadata.tables["ai_kb_documents"].indexes}
    options = indexes["ix_ai_kb_documents_embedding_hnsw"].dialect_options["postgresql"]
    assert options["using"] == "hnsw"
    assert options["ops"] == {"embedding": "vector_cosine_ops"}
    assert options["with"] == {"m": 16, "ef_construction": 64}
