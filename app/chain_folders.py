"""Where the migration chains lie; apart from what runs them, whose imports take a second."""

from functools import cache
from pathlib import Path
from typing import Literal

ChainName = Literal["core", "ai"]

PROJECT_ROOT = Path(__file__).resolve().parents[1]
SCRIPT_LOCATIONS: dict[ChainName, Path] = {
    "core": PROJECT_ROOT / "migrations_core",
    "ai": PROJECT_ROOT / "migrations_ai",
}


@cache
def known_revisions() -> frozenset[str]:
    """The revisions of both chains."""
    from alembic.script import ScriptDirectory

    chains = [ScriptDirectory(str(location)) for location in SCRIPT_LOCATIONS.values()]
    return frozenset(script.revision for chain in chains for script in chain.walk_revisions())
