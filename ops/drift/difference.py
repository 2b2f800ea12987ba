"""One way in which a database is not what its chain builds, said in one line."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["error", "warning"]

_BUILD = "restore it from a backup, or build the database anew with `sigmasight migrate`"
_ADOPT = "drop it, or add a revision that builds it"
_OTHER = "the chain builds {expected}"

# What is wrong and what to do about it, by kind of difference.
_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "missing table": "table {object} is missing; " + _BUILD,
        "unexpected table": "{found} {object} is not of this chain; drop it or move it to a "
        "schema of its own",
        "table of the other database": "table {object} belongs to the {expected} database; make "
        "sure that its rows are there, then drop it here",
        "table kind": "{object} is a {found}, " + _OTHER + "; " + _BUILD,
        "table persistence": "table {object} is {found}, and a crash empties it; run: "
        "ALTER TABLE {object} SET LOGGED",
        "table row security": "row security of table {object} is {found} and hides rows; run: "
        "ALTER TABLE {object} DISABLE ROW LEVEL SECURITY",
        "missing column": "column {object} is missing; run: "
        "ALTER TABLE {table} ADD COLUMN {name} {expected}",
        "unexpected column": "column {object} ({found}) is not of this chain; " + _ADOPT,
        "column type": "column {object} is {found}, " + _OTHER + "; run: "
        "ALTER TABLE {table} ALTER COLUMN {name} TYPE {expected}",
        "column nullability": "column {object} is {found}, " + _OTHER + "; {repair}",
        "column default": "column {object} has the default {found}, " + _OTHER + "; {repair}",
        "missing constraint": "constraint {object} is missing; run: "
        "ALTER TABLE {table} ADD CONSTRAINT {name} {expected}",
        "unexpected constraint": "constraint {object} ({found}) is not of this chain; " + _ADOPT,
        "redundant constraint": "constraint {object} is an exact duplicate of {expected} and "
        "costs every write; drop it when convenient",
        "constraint definition": "constraint {object} is {found}, " + _OTHER + "; run: "
        "ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {expected}",
        "constraint validity": "constraint {object} is {found}; {repair}",
        "missing index": "index {object} is missing; run: {expected}",
        "unexpected index": "index {object} ({found}) is not of this chain; " + _ADOPT,
        "redundant index": "index {object} is an exact duplicate of {expected} and costs every "
        "write; drop it when convenient",
        "index definition": "index {object} is {found}; run: DROP INDEX {name}; {expected}",
        "index validity": "index {object} is INVALID and answers no query; run: "
        "REINDEX INDEX {name}",
        "missing trigger": "trigger {object} is missing; run: {expected}",
        "unexpected trigger": "trigger {object} ({found}) is not of this chain; " + _ADOPT,
        "trigger definition": "trigger {object} is {found}, " + _OTHER + "; replace it",
        "trigger state": "trigger {object} is {found}, " + _OTHER + "; run: "
        "ALTER TABLE {table} ENABLE TRIGGER {name}",
        "missing enum": "enum {object} is missing; run: CREATE TYPE {object} AS ENUM ({expected})",
        "unexpected enum": "enum {object} ({found}) is not of this chain; " + _ADOPT,
        "enum values": "enum {object} holds {found}, " + _OTHER + " in this order; add what is "
        "missing with ALTER TYPE … ADD VALUE, or create the type anew",
        "missing sequence": "sequence {object} is missing; " + _BUILD,
        "unexpected sequence": "sequence {object} ({found}) is not of this chain; " + _ADOPT,
        "sequence definition": "sequence {object} is {found}, " + _OTHER + "; alter it",
        "sequence owner": "sequence {object} belongs to {found}, " + _OTHER + "; run: "
        "ALTER SEQUENCE {object} OWNED BY {expected}",
        "missing extension": "extension {object} is missing; as superuser run: "
        "CREATE EXTENSION {object}",
        "unexpected extension": "extension {object} {found} is not of this chain; nothing here "
        "needs it",
        "extension version": "extension {object} is {found}; before {expected} a vacuum can "
        "corrupt an HNSW index, and before 0.8.2 a parallel build of one overflows a buffer "
        "(CVE-2026-3172); install a newer pgvector, then as superuser run: "
        "ALTER EXTENSION {object} UPDATE",
        "revision": "{object} records revision {found}, the head of the chain is {expected}; "
        "{repair}",
        "models": "the models and the database disagree ({found}); write the missing revision",
    }
)

# Where the thing to do depends on which way the two differ.
_REPAIRS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("column nullability", "NOT NULL"): "run: ALTER TABLE {table} ALTER COLUMN {name} SET NOT "
        "NULL",
        ("column nullability", "NULL"): "run: ALTER TABLE {table} ALTER COLUMN {name} DROP NOT "
        "NULL",
        ("column default", "none"): "run: ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT",
        ("constraint validity", "NOT VALID"): "correct the rows that break it, then run: "
        "ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
    }
)
_SET_DEFAULT = "run: ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {expected}"
# How what is found ends -> the statement by which the column computes nothing any more.
_UNGENERATED: Mapping[str, str] = MappingProxyType(
    {
        "IDENTITY": "run: ALTER TABLE {table} ALTER COLUMN {name} DROP IDENTITY",
        "STORED": "run: ALTER TABLE {table} ALTER COLUMN {name} DROP EXPRESSION",
        # PostgreSQL 18 can only drop it; drift then names it as missing.
        "VIRTUAL": "run: ALTER TABLE {table} DROP COLUMN {name}",
    }
)
_RECORD = "run: DELETE FROM {object}; INSERT INTO {object} VALUES ('{expected}')"
_RECORD_ANEW = (
    "run: CREATE TABLE {object} (version_num varchar(32) PRIMARY KEY); "
    "INSERT INTO {object} VALUES ('{expected}')"
)


@dataclass(frozen=True)
class Difference:
    """One object that is not as the chain builds it.

    Attributes:
        kind: what is wrong with it, such as `missing index` or `column type`.
        object: its name, preceded by that of its table.
        expected: what the chain builds, or None where it builds nothing.
        found: what the database holds, or None where it holds nothing.
        message: one line that says what is wrong and what to do.
    """

    kind: str
    object: str
    expected: str | None
    found: str | None
    severity: Severity
    message: str


def difference(
    kind: str,
    name: str,
    expected: str | None,
    found: str | None,
    severity: Severity = "error",
) -> Difference:
    """A difference with the message of its kind."""
    table, _, bare = name.partition(".")
    words = {
        "object": name,
        "table": table,
        "name": bare or name,
        "expected": expected or "none",
        "found": found or "none",
    }
    words["repair"] = _repair(kind, words).format(**words)
    message = " ".join(_MESSAGES[kind].format(**words).split())
    return Difference(kind, name, expected, found, severity, message)


def _repair(kind: str, words: Mapping[str, str]) -> str:
    if kind == "constraint validity":
        _, disabled, tables = words["found"].partition("DISABLED on ")
        statements = (f"ALTER TABLE {table} ENABLE TRIGGER ALL" for table in tables.split(", "))
        return f"run: {'; '.join(statements)}" if disabled else _REPAIRS[kind, words["found"]]
    if kind == "revision":
        return _revision_repair(words["found"])
    if kind == "column default":
        return _default_repair(words)
    return _REPAIRS.get((kind, words["expected"]), "")


def _revision_repair(found: str) -> str:
    if found == "none":
        return (
            "in an empty database run `sigmasight migrate`; if only this is lost, " + _RECORD_ANEW
        )
    return (
        "if it is an older one of the chain, run `sigmasight migrate`; if a later release made it, "
        "take that release; if neither, and nothing else differs, " + _RECORD
    )


def _default_repair(words: Mapping[str, str]) -> str:
    if words["found"].startswith("GENERATED "):
        return _UNGENERATED[words["found"].rpartition(" ")[2]]
    return _REPAIRS.get(("column default", words["expected"]), _SET_DEFAULT)
