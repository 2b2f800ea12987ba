"""How the server would answer a query: its plan, as the planner's defaults make it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ops.connection import first_value

# Below this many pages reading a whole table is right, whatever indexes there are.
BIG_TABLE_PAGES = 100
# Up to this part of a table's rows, looking them up is cheaper however they lie.
LOOKUP_SHARE = 0.01


@dataclass(frozen=True)
class Plan:
    """The scans of a query plan.

    Attributes:
        indexes: what it reads through, to look something up or to have it in order.
        whole: tables that it reads from end to end, and how many rows it expects to want of each.
    """

    indexes: frozenset[str]
    whole: Mapping[str, float]


def explain(
    connection: psycopg.Connection, query: bytes, parameters: Mapping[str, Any] | None = None
) -> Plan:
    """Plan a query without running it."""
    [explained] = first_value(connection, b"EXPLAIN (FORMAT JSON) " + query, parameters)
    nodes = list(_nodes(explained["Plan"]))
    return Plan(
        frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        {
            node["Relation Name"]: node["Plan Rows"]
            for node in nodes
            if node["Node Type"] == "Seq Scan"
        },
    )


def explain_with_indexes_only(
    connection: psycopg.Connection, query: bytes, parameters: Mapping[str, Any] | None = None
) -> Plan:
    """Plan a query as if its tables were too big to be read whole."""
    connection.execute("SET LOCAL enable_seqscan = off")
    plan = explain(connection, query, parameters)
    connection.execute("SET LOCAL enable_seqscan = on")
    return plan


def is_lookup(connection: psycopg.Connection, table: str, wanted: float) -> bool:
    """Whether so many rows are so small a part of a table that reading it whole is wrong. Who wants
    many of them, or all in an order of their own, rightly reads it whole."""
    every = sql.SQL("SELECT FROM {}").format(sql.Identifier(table)).as_bytes(connection)
    return wanted < LOOKUP_SHARE * sum(explain(connection, every).whole.values())


def pages(connection: psycopg.Connection, table: str) -> int:
    """The pages of a table on disk."""
    query = "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::int"
    return int(first_value(connection, query, [table]) or 0)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
