"""`make bench`: every benchmark, as a table and as JSON lines."""

import json
import sys
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import (
    api,
    backfill,
    cutover,
    document_copy,
    gate,
    market_copy,
    owned_copy,
    pulumi_up,
    rebuild,
    retrieval,
    scale,
)

BENCHMARKS = (
    backfill,
    scale,
    market_copy,
    owned_copy,
    document_copy,
    rebuild,
    api,
    retrieval,
    pulumi_up,
    gate,
    cutover,
)


def main() -> None:
    """Run every benchmark; each line names its peer's time and the ratio to it."""
    results: list[dict[str, Any]] = [line for module in _chosen() for line in module.run()]
    table = Table("benchmark", "ours", "peer", "ratio", "and", box=None)
    for line in results:
        rest = dict(line)
        shown = [str(rest.pop(key, "")) for key in ("benchmark", "ours_seconds", "peer_seconds")]
        ratio = str(rest.pop("ratio", ""))
        table.add_row(*shown, ratio, ", ".join(f"{k} {v}" for k, v in rest.items()))
    console = Console(width=160)
    console.print(table)
    for line in results:
        console.print(json.dumps(line), markup=False, highlight=False, soft_wrap=True)


def _chosen() -> list[ModuleType]:
    """All of them, or those that the command line names."""
    names = {f"benchmarks.{name}" for name in sys.argv[1:]}
    return [module for module in BENCHMARKS if not names or module.__name__ in names]


if __name__ == "__main__":
    main()
