"""Which database a migration chain has before it, and whether it may work there.

Both chains start with a revision of the same name, so a revision alone never tells the halves of
a pair apart: the tables that are present do, and a marker where one was left.
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum

from alembic.util import CommandError

from app.chain_folders import ChainName
from app.models import AiBase, Base

CORE_TABLES = frozenset(Base.metadata.tables)
AI_TABLES = frozenset(AiBase.metadata.tables)
LEGACY_SHAPE = frozenset({"users", "portfolios", "positions"})

VERSION_TABLE = "alembic_version"
# Where both chains share one database, Core keeps `alembic_version`.
SHARED_AI_VERSION_TABLE = "alembic_version_ai"

_ACCEPTED_MARKERS = {"core": {None, "core", "shared"}, "ai": {None, "ai"}}
_NAMED_TABLES = 3


class MigrationRefusedError(CommandError):
    """The database is not one that this chain may change. The command line prints one line."""


class Verdict(Enum):
    """What a chain is to do with a database."""

    MIGRATE = "migrate"
    LEGACY = "legacy"


@dataclass(frozen=True)
class Landscape:
    """What a database holds, as far as recognition needs it.

    Attributes:
        tables: tables and views of the default schema, those of extensions left out.
        revisions: the rows of `alembic_version`.
        marker: the role that `ops.database_marker` records, if any.
    """

    tables: Set[str]
    revisions: Set[str]
    marker: str | None


def is_shared(chain: ChainName, seen: Landscape, *, shared: bool) -> bool:
    """Whether the AI chain works beside Core here: by configuration, or because it is marked so."""
    return chain == "ai" and (shared or seen.marker == "shared")


def recognise(
    chain: ChainName, seen: Landscape, *, known_revisions: Set[str], shared: bool
) -> Verdict:
    """Decide what `chain` does with a database.

    Args:
        chain: the chain that asks.
        seen: what the database holds.
        known_revisions: the revisions of both chains.
        shared: whether Core and AI are configured to be one database.

    Raises:
        MigrationRefusedError: the database is the other half of a pair, or somebody else's.
    """
    unknown = seen.revisions - known_revisions
    if unknown and seen.marker is not None:
        raise MigrationRefusedError(
            f"the database holds revision {_some(unknown)}, which this release does not know: a "
            "newer one has migrated it; use that one"
        )
    if unknown and seen.tables >= LEGACY_SHAPE:
        return Verdict.LEGACY
    if unknown:
        raise MigrationRefusedError(
            f"the database holds revision {_some(unknown)}, which neither chain knows, and does "
            f"not look like a legacy database; correct {_setting(chain)}"
        )
    if chain == "core":
        _refuse_ai_half(seen, shared=shared)
    elif is_shared(chain, seen, shared=shared):
        _refuse_unshared(seen)
    else:
        _refuse_core_half(seen)
    return Verdict.MIGRATE


def _refuse_ai_half(seen: Landscape, *, shared: bool) -> None:
    ai_alone = bool(seen.tables & AI_TABLES) and not seen.tables & CORE_TABLES
    ai_came_first = shared and SHARED_AI_VERSION_TABLE in seen.tables
    if seen.marker not in _ACCEPTED_MARKERS["core"] or (ai_alone and not ai_came_first):
        raise MigrationRefusedError(
            "this is the AI half of a pair, and the Core chain does not touch it; "
            "correct DATABASE_URL"
        )
    if not seen.revisions:
        _refuse_strangers("core", seen.tables - (AI_TABLES if ai_came_first else frozenset()))


def _refuse_core_half(seen: Landscape) -> None:
    if seen.marker not in _ACCEPTED_MARKERS["ai"] or seen.tables & CORE_TABLES:
        raise MigrationRefusedError(
            "this is the Core half of a pair, and the AI chain does not touch it; "
            "correct AI_DATABASE_URL"
        )
    if not seen.revisions:
        _refuse_strangers("ai", seen.tables)


def _refuse_unshared(seen: Landscape) -> None:
    if seen.marker not in {None, "shared"}:
        half = {"core": "Core", "ai": "AI"}.get(str(seen.marker), str(seen.marker))
        raise MigrationRefusedError(
            f"this is the {half} half of a pair, not a database for both chains; "
            "set AI_DATABASE_URL to the AI half and DATABASE_URL to the Core half"
        )
    if SHARED_AI_VERSION_TABLE not in seen.tables and seen.tables & AI_TABLES:
        _refuse_strangers("ai", seen.tables & AI_TABLES)


def _refuse_strangers(chain: ChainName, tables: Set[str]) -> None:
    strangers = tables - {VERSION_TABLE, SHARED_AI_VERSION_TABLE}
    if strangers:
        raise MigrationRefusedError(
            f"the database already holds tables that no chain made ({_some(strangers)}); "
            f"point {_setting(chain)} at an empty database"
        )


def _setting(chain: ChainName) -> str:
    return "DATABASE_URL" if chain == "core" else "AI_DATABASE_URL"


def _some(names: Set[str]) -> str:
    shown = ", ".join(sorted(names)[:_NAMED_TABLES])
    return (
        shown if len(names) <= _NAMED_TABLES else f"{shown} and {len(names) - _NAMED_TABLES} more"
    )
