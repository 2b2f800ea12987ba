"""What becomes of a table and of a column of the old database, by the rules of the copy."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from app.models import AiBase, Base
from ops.copy.catalogue import Column, Relation
from ops.copy.groups import GROUPS, TableSpec
from ops.legacy_schema import INSTALLATION
from ops.user_tables import USER_TABLES

Fate = Literal[
    "copied", "recomputed", "seeded", "left out", "derived", "unknown", "undecided", "unreadable"
]

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
_KEPT = ("copied", "seeded", "recomputed")


def fate_of_table(name: str) -> tuple[Fate, str]:
    """What becomes of a table of the installation, and by which rule where it is left out."""
    if name in COPIED:
        return "copied", ""
    if name in _SEEDED:
        return "seeded", ""
    if name in _RULES:
        return "left out", _RULES[name]
    return ("recomputed", "") if name in _MODELS else ("unknown", "")


def fates_of_columns(table: str, fate: Fate, columns: Iterable[str]) -> dict[str, Fate]:
    """What becomes of each column of a table of which this becomes; of a copied one's columns that
    the batch carries on, the new rows alone are copied."""
    if fate not in _KEPT:
        return dict.fromkeys(columns, fate)
    declared = {column.name for column in _MODELS[table].columns}
    carried_on = _CARRIED_ON.get(table, frozenset()) - _OWN if fate == "copied" else frozenset()
    recomputed: dict[str, Fate] = dict.fromkeys(carried_on, "recomputed")
    return {
        column: recomputed.get(column, fate) if column in declared else "left out"
        for column in columns
    }


def declared_relation(spec: TableSpec) -> Relation:
    """A table that is copied, as our chains build it, as far as it says what legacy must have."""
    columns = {
        one.name: Column(
            one.name, 0, 0, "", not one.nullable, one.server_default is not None, bool(one.computed)
        )
        for one in _MODELS[spec.table].columns
    }
    key = frozenset({frozenset(spec.natural_key)})
    return Relation(0, "public", spec.table, True, False, columns, (), key)


def unknown_tables(rows: Mapping[str, int], chosen: str | None = None) -> list[str]:
    """Of all tables of an old database, by schema and name, those that nothing of ours knows and
    that hold rows. What lies beside the installation's schema is a stranger's.

    Args:
        chosen: the installation's schema, where the operator has said it.
    """
    held: dict[str, set[str]] = {}
    for schema, _, name in (table.partition(".") for table in rows):
        held.setdefault(schema, set()).add(name)
    homes = [schema for schema, names in held.items() if names >= INSTALLATION]
    # Of several, one was copied, and nobody has said which.
    home = chosen or (homes[0] if len(homes) == 1 else None)
    return [table for table, count in rows.items() if count and not _is_known(table, home)]


def _is_known(table: str, home: str | None) -> bool:
    schema, _, name = table.partition(".")
    if schema == _LOCK_SCHEMA:
        return True
    return schema == home and fate_of_table(name)[0] != "unknown"
