"""Where the migration chains lie; apart from what runs them, whose imports take a second."""

from pathlib import Path
from typing import Literal

ChainName = Literal["core", "ai"]

PROJECT_ROOT = Path(__file__).resolve().parents[1]
SCRIPT_LOCATIONS: dict[ChainName, Path] = {
    "core": PROJECT_ROOT / "migrations_core",
    "ai": PROJECT_ROOT / "migrations_ai",
}
