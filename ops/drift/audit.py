"""Compare a live database with what its chain builds."""

import hashlib
import json
from collections.abc import Collection

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from app.chain_folders import ChainName
from app.migration_environment import version_table
from app.migration_recognition import SHARED_AI_VERSION_TABLE, VERSION_TABLE
from ops.books.marker import marked_role
from ops.connection import explained, first_value, session_at
from ops.drift.catalogue import Catalogue, read_catalogue, without_objects, without_tables
from ops.drift.comparison import compare, tables_of_the_other_database
from ops.drift.difference import Difference, difference
from ops.drift.models import model_differences
from ops.drift.reference import load_reference
from ops.migrate import heads

# Of the AI side too: two tables that the original built and nothing here does, and the version
# table of an AI chain that was meant for a shared database.
_FOREIGN_TO_CORE = frozenset({"ai_insights", "ai_insight_templates", SHARED_AI_VERSION_TABLE})


def drift(url: URL, chain: ChainName) -> list[Difference]:
    """Every way in which a database is not what `chain` builds; empty when there is none.

    Reads catalogues only and changes nothing. Schema `ops` is known and not looked at; in a
    database that is marked as shared, the other chain's objects belong there.

    Raises:
        DatabaseUnavailableError: the server does not answer or went away.
        ConfigurationError: the server refuses the login.
    """
    with session_at(url, "drift", read_only=True) as connection:
        catalogue = read_catalogue(connection)
        shared = is_shared(connection)
        recorded = _recorded_revisions(connection, version_table(chain, shared=shared))
    revision = _revision_differences(chain, version_table(chain, shared=shared), recorded)
    differences = _catalogue_differences(catalogue, chain, shared=shared)
    named = {each.object.partition(".")[0] for each in differences}
    with explained(url):
        return [*revision, *differences, *_model_differences(url, chain, catalogue, named)]


def drift_of_pair(core: URL, ai: URL) -> list[Difference]:
    """The drift of Core, then that of AI. Raises what `drift` raises."""
    return [*drift(core, "core"), *drift(ai, "ai")]


def is_shared(connection: psycopg.Connection) -> bool:
    """Whether Core and AI live in this one database: it is marked so, or has no marker and
    holds the version table that only a shared database has."""
    if (marker := marked_role(connection)) is not None:
        return marker == "shared"
    table = f"public.{SHARED_AI_VERSION_TABLE}"
    return first_value(connection, "SELECT to_regclass(%s)", [table]) is not None


def _model_differences(
    url: URL, chain: ChainName, catalogue: Catalogue, named: Collection[str]
) -> list[Difference]:
    """Alembic's comparison takes six times as long as all the rest of drift, and its answer depends
    on nothing but the catalogue: a process asks once about each."""
    seen = hashlib.sha256(json.dumps(catalogue, sort_keys=True).encode()).hexdigest()
    key = (chain, seen, *sorted(named))
    if key not in _compared:
        _compared[key] = model_differences(url, chain, named)
    return _compared[key]


_compared: dict[tuple[str, ...], list[Difference]] = {}


def _recorded_revisions(connection: psycopg.Connection, table: str) -> tuple[str, ...]:
    if first_value(connection, "SELECT to_regclass(%s)", [f"public.{table}"]) is None:
        return ()
    query = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(sql.Identifier("public", table))
    return tuple(str(row[0]) for row in connection.execute(query))


def _revision_differences(
    chain: ChainName, table: str, recorded: tuple[str, ...]
) -> list[Difference]:
    if recorded == heads(chain):
        return []
    return [difference("revision", table, ", ".join(heads(chain)), ", ".join(recorded) or None)]


def _catalogue_differences(
    catalogue: Catalogue, chain: ChainName, *, shared: bool
) -> list[Difference]:
    other = load_reference("ai" if chain == "core" else "core")
    found = _own_part(catalogue, chain, other, shared=shared)
    foreign = other["tables"].keys() | (_FOREIGN_TO_CORE if chain == "core" else set())
    return tables_of_the_other_database(
        compare(load_reference(chain), found), foreign, "AI" if chain == "core" else "Core"
    )


def _own_part(
    catalogue: Catalogue, chain: ChainName, other: Catalogue, *, shared: bool
) -> Catalogue:
    """What this chain answers for: without version tables, and the other chain's rightful part."""
    if not shared:
        return without_tables(catalogue, {VERSION_TABLE})
    own = without_tables(
        catalogue, other["tables"].keys() | {VERSION_TABLE, SHARED_AI_VERSION_TABLE}
    )
    for section in ("enums", "extensions"):
        own = without_objects(own, section, other[section])
    return own
