"""What each chain builds, as committed files, so that drift needs no scratch server.

`python -m ops.drift.reference core` (or `ai`) rewrites a file from the database that
`DATABASE_URL` (or `AI_DATABASE_URL`) names: a fresh one on which just the chain has run.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sqlalchemy.engine import URL

from app.chain_folders import ChainName
from app.config import get_settings
from app.migration_recognition import SHARED_AI_VERSION_TABLE, VERSION_TABLE
from ops.connection import session_at
from ops.drift.catalogue import Catalogue, read_catalogue, without_tables
from ops.errors import BadInputError, SigmaSightError

_FILES: Mapping[ChainName, Path] = MappingProxyType(
    {
        "core": Path(__file__).with_name("reference_core.json"),
        "ai": Path(__file__).with_name("reference_ai.json"),
    }
)


def load_reference(chain: ChainName) -> Catalogue:
    """The committed catalogue of a chain, without Alembic's own table."""
    catalogue: Catalogue = json.loads(_FILES[chain].read_text())
    return catalogue


def build_reference(url: URL) -> Catalogue:
    """The catalogue of a freshly migrated database, less what may differ between servers.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection.connect`.
    """
    with session_at(url, "drift", read_only=True) as connection:
        catalogue = read_catalogue(connection)
    catalogue["extensions"] = {name: {} for name in catalogue["extensions"]}
    return without_tables(catalogue, {VERSION_TABLE, SHARED_AI_VERSION_TABLE})


def reference_text(catalogue: Catalogue) -> str:
    """The catalogue as JSON with one object a line, so that a change reads well in a diff."""
    sections = []
    for section, objects in catalogue.items():
        lines = [f"    {json.dumps(name)}: {json.dumps(facts)}" for name, facts in objects.items()]
        body = ",\n".join(lines)
        sections.append(f'  "{section}": {{\n{body}\n  }}' if lines else f'  "{section}": {{}}')
    return "{\n" + ",\n".join(sections) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Rewrite the reference of the named chain; 0 on success, else one line and 1."""
    try:
        chain = _chain_argument(arguments)
        settings = get_settings()
        url = settings.core_admin_url if chain == "core" else settings.ai_admin_url
        _FILES[chain].write_text(reference_text(build_reference(url)))
    except SigmaSightError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _chain_argument(arguments: list[str]) -> ChainName:
    match arguments:
        case ["core"]:
            return "core"
        case ["ai"]:
            return "ai"
    raise BadInputError("name one chain: python -m ops.drift.reference core|ai")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
