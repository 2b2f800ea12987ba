"""The copy of documents with embeddings against their text COPY by two psql in a pipe.

Both go into the same table with its HNSW index.
"""

import json
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from app.agent.embeddings import DIMENSIONS
from app.models import AiBase
from benchmarks.copying import Seconds, change, compared, copied_and_proved, pipe
from benchmarks.throwaway import databases
from ops.connection import connect
from ops.migrate import upgrade

ROUNDS = 3
DOCUMENTS = 600
TABLE = "ai_kb_documents"
_BOOKS = "TRUNCATE ops.copy_fingerprints, ops.copied_keys, ops.copy_source"

_FILL = """
INSERT INTO ai_kb_documents (scope, title, content, metadata, embedding)
SELECT 'global', 'Document ' || n, repeat(md5(n::text) || ' ', 30),
    '{"embedding_model": "benchmark"}',
    ARRAY(SELECT random() - 0.5 + 0 * n FROM generate_series(1, %s))::vector
FROM generate_series(1, %s) AS n
"""


def run() -> list[dict[str, Any]]:
    """Alternate ours, whole call with proof, and the pipe; medians of each."""
    ours: list[Seconds] = []
    peer: list[float] = []
    with databases("legacy", "core", "ai") as urls:
        legacy, core, ai = urls["legacy"], urls["core"], urls["ai"]
        _fill(legacy)
        upgrade("core", core)
        upgrade("ai", ai)
        for _ in range(ROUNDS):
            change(ai, f"TRUNCATE {TABLE}")
            peer.append(pipe(TABLE, legacy, ai, form="text"))
            change(ai, f"TRUNCATE {TABLE}")
            change(core, _BOOKS)
            ours.append(copied_and_proved(legacy, core, ai, ("ai",)))
    name = "documents with embeddings, with proof, over their text COPY by psql | psql"
    return [compared(name, ours, peer) | {"documents": DOCUMENTS}]


def _fill(legacy: URL) -> None:
    change(legacy, "CREATE EXTENSION IF NOT EXISTS vector")
    engine = create_engine(legacy)
    AiBase.metadata.create_all(engine)
    engine.dispose()
    with connect(legacy, application_name="benchmark", autocommit=True) as connection:
        connection.execute(_FILL, [DIMENSIONS, DOCUMENTS])
        connection.execute("VACUUM ANALYZE")


def main() -> None:
    """Print the comparison."""
    for line in run():
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
