"""Which database a chain accepts, leaves alone or refuses."""

import pytest

from app.chain_folders import ChainName
from app.migration_recognition import (
    AI_TABLES,
    CORE_TABLES,
    LEGACY_SHAPE,
    Landscape,
    MigrationRefusedError,
    Verdict,
    is_shared,
    recognise,
)

KNOWN = frozenset({"0001", "0002"})
CORE = CORE_TABLES | {"alembic_version"}
AI = AI_TABLES | {"alembic_version"}
SHARED = CORE | AI_TABLES | {"alembic_version_ai"}
LEGACY = Landscape(LEGACY_SHAPE | {"tags", "alembic_version"}, {"k8l9m0n1o2p3"}, None)
EMPTY = Landscape(frozenset(), frozenset(), None)


def seen(tables: frozenset[str], *revisions: str, marker: str | None = None) -> Landscape:
    return Landscape(tables, frozenset(revisions), marker)


@pytest.mark.parametrize(
    ("chain", "landscape", "shared"),
    [
        ("core", EMPTY, False),
        ("core", EMPTY, True),
        ("ai", EMPTY, False),
        ("ai", EMPTY, True),
        ("core", seen(CORE, "0001"), False),
        ("core", seen(CORE, "0001", marker="core"), False),
        ("core", seen(frozenset(), marker="core"), False),
        ("core", seen(SHARED, "0001", marker="shared"), True),
        ("core", seen(AI_TABLES | {"alembic_version_ai"}), True),
        ("core", seen(CORE | {"made_by_hand"}, "0001"), False),
        ("ai", seen(AI, "0001"), False),
        ("ai", seen(AI, "0001", marker="ai"), False),
        ("ai", seen(frozenset(), marker="ai"), False),
        ("ai", seen(CORE, "0002"), True),
        ("ai", seen(SHARED, "0001"), True),
        ("ai", seen(SHARED, "0001", marker="shared"), False),
    ],
)
def test_its_own_database_is_migrated(chain: ChainName, landscape: Landscape, shared: bool) -> None:
    found = recognise(chain, landscape, known_revisions=KNOWN, shared=shared)
    assert found is Verdict.MIGRATE


@pytest.mark.parametrize("chain", ["core", "ai"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    "landscape",
    [
        LEGACY,
        Landscape(LEGACY.tables | CORE | AI_TABLES, {"k8l9m0n1o2p3", "n0o1p2q3r4s5"}, None),
        Landscape(LEGACY.tables, {"0001", "k8l9m0n1o2p3"}, None),
    ],
    ids=["bare", "all tables and two heads", "stamped besides"],
)
def test_a_legacy_database_is_left_alone(
    chain: ChainName, shared: bool, landscape: Landscape
) -> None:
    found = recognise(chain, landscape, known_revisions=KNOWN, shared=shared)
    assert found is Verdict.LEGACY


@pytest.mark.parametrize(
    ("chain", "landscape", "shared", "message"),
    [
        ("core", seen(AI, "0001"), False, "the AI half of a pair"),
        ("core", seen(AI, "0001"), True, "the AI half of a pair"),
        ("core", seen(frozenset(), marker="ai"), False, "the AI half of a pair"),
        ("core", seen(AI_TABLES | {"alembic_version_ai"}), False, "the AI half of a pair"),
        ("ai", seen(CORE, "0001"), False, "the Core half of a pair"),
        ("ai", seen(CORE, "0002"), False, "the Core half of a pair"),
        ("ai", seen(SHARED, "0001"), False, "the Core half of a pair"),
        ("ai", seen(frozenset(), marker="core"), False, "the Core half of a pair"),
        ("ai", seen(CORE, "0001", marker="core"), True, "the Core half of a pair"),
        ("ai", seen(AI, "0001", marker="ai"), True, "the AI half of a pair"),
        ("ai", seen(AI, "0001"), True, "already holds tables"),
        ("core", seen(frozenset({"alembic_version"}), "abc"), False, "neither chain knows"),
        ("core", seen(CORE, "0999", marker="core"), False, "0999, which this release does not"),
        ("ai", seen(AI, "0999", marker="ai"), False, "0999, which this release does not know"),
        ("ai", seen(frozenset({"users", "alembic_version"}), "abc"), False, "neither chain knows"),
        ("core", seen(frozenset({"customers", "invoices"})), False, r"\(customers, invoices\)"),
        ("core", seen(CORE_TABLES), False, "and 34 more"),
        ("ai", seen(frozenset({"customers"})), False, "AI_DATABASE_URL at an empty database"),
        ("core", seen(LEGACY_SHAPE), False, "already holds tables"),
    ],
)
def test_another_database_is_refused_in_one_line(
    chain: ChainName, landscape: Landscape, shared: bool, message: str
) -> None:
    with pytest.raises(MigrationRefusedError, match=message) as refusal:
        recognise(chain, landscape, known_revisions=KNOWN, shared=shared)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("chain", "marker", "configured", "expected"),
    [
        ("core", "shared", True, False),
        ("ai", None, True, True),
        ("ai", "shared", False, True),
        ("ai", "ai", False, False),
    ],
)
def test_only_the_ai_chain_moves_its_version_table(
    chain: ChainName, marker: str | None, configured: bool, expected: bool
) -> None:
    assert is_shared(chain, seen(frozenset(), marker=marker), shared=configured) is expected
