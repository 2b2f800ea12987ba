"""What becomes of a table and of a column of the old database, by the rules of the copy."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from app.models import AiBase, Base
from ops.copy.groups import GROUPS
from ops.legacy_schema import INSTALLATION
from ops.user_tables import USER_TABLES

Fate = Literal["copied", "recomputed", "seeded", "left out", "unknown", "unreadable"]

COPIED = frozenset(spec.table for specs in GROUPS.values() for spec in specs)
# Reference data, which the seeding takes from the old database or from the project's own files.
_SEEDED = frozenset({"factor_definitions", "stress_test_scenarios", "benchmarks_sector_weights"})
# What an application or a migration chain notes of its own work, and begins anew.
_RULES: Mapping[str, str] = MappingProxyType(
    {
        "batch_jobs": "a job is known to the backend that began it",
        "batch_job_schedules": "schedules are deployments now",
        "batch_run_tracking": "the new pair tracks its own batches",
        "alembic_version": "the new pair has chains of its own",
        "alembic_version_ai": "the new pair has chains of its own",
    }
)
_MODELS = MappingProxyType({**Base.metadata.tables, **AiBase.metadata.tables})
# Where the lock keeps what it took away, until a release gives it back.
_LOCK_SCHEMA = "sigmasight_cutover"
_CARRIED_ON = MappingProxyType({table.name: table.apart | table.marked for table in USER_TABLES})
_OWN = frozenset({"created_at", "updated_at"})


def fate_of_table(name: str) -> tuple[Fate, str]:
    """What becomes of a table of the installation, and by which rule where it is left out."""
    if name in COPIED:
        return "copied", ""
    if name in _SEEDED:
        return "seeded", ""
    if name in _RULES:
        return "left out", _RULES[name]
    return ("recomputed", "") if name in _MODELS else ("unknown", "")


def fates_of_columns(table: str, columns: Iterable[str]) -> dict[str, Fate]:
    """What becomes of each column of a copied table; of those that the batch carries on, the new
    rows alone are copied."""
    declared = {column.name for column in _MODELS[table].columns}
    carried_on = _CARRIED_ON.get(table, frozenset()) - _OWN
    return {column: _fate_of_column(column, declared, carried_on) for column in columns}


def _fate_of_column(column: str, declared: set[str], carried_on: frozenset[str]) -> Fate:
    if column not in declared:
        return "left out"
    return "recomputed" if column in carried_on else "copied"


def unknown_tables(rows: Mapping[str, int]) -> list[str]:
    """Of all tables of an old database, by schema and name, those that nothing of ours knows and
    that hold rows. What lies beside the installation's schema is a stranger's."""
    held: dict[str, set[str]] = {}
    for schema, _, name in (table.partition(".") for table in rows):
        held.setdefault(schema, set()).add(name)
    homes = {schema for schema, names in held.items() if names >= INSTALLATION}
    return [table for table, count in rows.items() if count and not _is_known(table, homes)]


def _is_known(table: str, homes: set[str]) -> bool:
    schema, _, name = table.partition(".")
    if schema == _LOCK_SCHEMA:
        return True
    return schema in homes and fate_of_table(name)[0] != "unknown"
