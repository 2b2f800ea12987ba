"""Compare two catalogues: what the chain builds, and what a database holds."""

import re
from collections.abc import Collection, Iterator

from app.models.omitted_indexes import OMITTED_INDEXES
from ops.drift.catalogue import SECTIONS, Catalogue, Facts, without_tables
from ops.drift.difference import Difference, Severity, difference

# Before 0.8.2 a parallel build of an HNSW index writes past its buffer (CVE-2026-3172); before
# 0.8.4 a vacuum of one could fail, corrupt it, or make inserts fail.
SAFE_VECTOR_VERSION = "0.8.4"

# After one of these, naming the table's columns, constraints and indexes too would add nothing.
_TABLE_SETTLED = frozenset({"missing table", "unexpected table", "table kind"})


def compare(expected: Catalogue, found: Catalogue) -> list[Difference]:
    """Every difference; of a missing, unexpected or replaced table only the table is named."""
    differences = list(_section_differences("tables", expected, found))
    settled = {each.object for each in differences if each.kind in _TABLE_SETTLED}
    expected, found = without_tables(expected, settled), without_tables(found, settled)
    for section in SECTIONS:
        if section != "tables":
            differences += _section_differences(section, expected, found)
    return differences + list(_unsafe_extensions(expected, found))


def tables_of_the_other_database(
    differences: Collection[Difference], other_tables: Collection[str], other_name: str
) -> list[Difference]:
    """Name unexpected tables that the other half of the pair builds as what they are."""
    return [
        difference("table of the other database", each.object, other_name, each.found)
        if each.kind == "unexpected table" and each.object in other_tables
        else each
        for each in differences
    ]


def _section_differences(
    section: str, expected: Catalogue, found: Catalogue
) -> Iterator[Difference]:
    noun = SECTIONS[section]
    wanted, present = expected[section], found[section]
    for name in sorted(wanted.keys() - present.keys()):
        yield difference(f"missing {noun}", name, _description(section, wanted[name]), None)
    for name in sorted(present.keys() - wanted.keys()):
        yield _unexpected(noun, name, _description(section, present[name]))
    for name in sorted(wanted.keys() & present.keys()):
        for fact, value in wanted[name].items():
            if present[name][fact] != value:
                yield difference(f"{noun} {fact}", name, value, present[name][fact])


def _unexpected(noun: str, name: str, description: str) -> Difference:
    if noun in {"index", "constraint"} and name in OMITTED_INDEXES:
        return difference(f"redundant {noun}", name, OMITTED_INDEXES[name], description, "warning")
    # A hosting company installs extensions of its own, which disturb nothing.
    severity: Severity = "warning" if noun == "extension" else "error"
    return difference(f"unexpected {noun}", name, None, description, severity)


def _description(section: str, facts: Facts) -> str:
    if section == "columns":
        default = f" DEFAULT {facts['default']}" if facts["default"] else ""
        return f"{facts['type']}{default} {facts['nullability']}"
    leading = {"tables": "kind", "enums": "values", "extensions": "version"}
    return str(facts.get(leading.get(section, "definition"), ""))


def _unsafe_extensions(expected: Catalogue, found: Catalogue) -> Iterator[Difference]:
    if "vector" not in expected["extensions"] or "vector" not in found["extensions"]:
        return
    version = str(found["extensions"]["vector"]["version"])
    if _numbers(version) < _numbers(SAFE_VECTOR_VERSION):
        yield difference("extension version", "vector", SAFE_VECTOR_VERSION, version, "warning")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
