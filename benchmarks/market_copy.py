"""The market copy against two psql in a pipe, and pgcopydb; all end with the same indexes."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from app.models import Base
from benchmarks.copying import Seconds, change, compared, copied_and_proved, pipe
from benchmarks.throwaway import databases
from ops.connection import connect
from ops.copy.catalogue import read_relations
from ops.copy.indexes import drop_indexes
from ops.migrate import upgrade

ROUNDS = 3
SYMBOLS, DAYS = 500, 2000
TABLE = "market_data_cache"
_EMPTY = "TRUNCATE market_data_cache, ops.copy_fingerprints"

_FILL = """
INSERT INTO market_data_cache
SELECT gen_random_uuid(), 'SYM' || s, date '2018-01-01' + d, p, p + 1, p - 1, p + 0.5,
    (random() * 1e7)::int, 'Technology', 'Software', 'NASDAQ', 'US', 1e9 + s, 'polygon',
    now(), now()
FROM (
    SELECT s, d, round((100 + 50 * random())::numeric, 4) AS p
    FROM generate_series(1, %s) AS s, generate_series(1, %s) AS d
) AS days
"""


def run() -> list[dict[str, Any]]:
    """Alternate ours and what it is compared with; medians of each. Ours is the whole call, whose
    end is the proof that has read Core's committed rows."""
    ours: list[Seconds] = []
    kept: list[float] = []
    rebuilt: list[float] = []
    cloned: list[float] = []
    version = _pgcopydb_version()
    with databases("legacy", "core", "ai") as urls:
        legacy, core = urls["legacy"], urls["core"]
        _fill(legacy)
        upgrade("core", core)
        for _ in range(ROUNDS):
            change(core, _EMPTY)
            kept.append(pipe(TABLE, legacy, core))
            change(core, _EMPTY)
            rebuilt.append(_pipe_between_indexes(legacy, core))
            change(core, _EMPTY)
            ours.append(copied_and_proved(legacy, core, None, ("market",)))
            if version is not None:
                cloned.append(_pgcopydb(legacy, urls["ai"]))
    floors = {"a pipe that drops indexes and builds them after": rebuilt, "one that keeps": kept}
    if version is not None:
        floors[f"{version} with two jobs"] = cloned
    lines = [
        compared(f"market copy, whole call with proof, over {floor}", ours, seconds)
        | {"rows": SYMBOLS * DAYS}
        for floor, seconds in floors.items()
    ]
    return lines if version else [*lines, {"benchmark": "market copy: no pgcopydb on PATH"}]


def _fill(legacy: URL) -> None:
    engine = create_engine(legacy)
    Base.metadata.tables[TABLE].create(engine)
    engine.dispose()
    with connect(legacy, application_name="benchmark", autocommit=True) as connection:
        connection.execute(_FILL, [SYMBOLS, DAYS])
        connection.execute("VACUUM ANALYZE market_data_cache")


def _pipe_between_indexes(legacy: URL, core: URL) -> float:
    """The pipe into the table without its indexes, and their building."""
    started = time.monotonic()
    with connect(core, application_name="benchmark", autocommit=True) as connection:
        relation = read_relations(connection, [TABLE])[TABLE]
        rebuild = drop_indexes(connection, relation, unique=True)
        pipe(TABLE, legacy, core)
        for statement in rebuild:
            connection.execute(statement)
    return time.monotonic() - started


def _pgcopydb(legacy: URL, empty: URL) -> float:
    """The seconds of pgcopydb with two jobs into a database that is emptied before."""
    change(empty, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    addresses = {
        f"PGCOPYDB_{side}_PGURI": url.set(drivername="postgresql").render_as_string(False)
        for side, url in (("SOURCE", legacy), ("TARGET", empty))
    }
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as folder:
        words = ["pgcopydb", "clone", "--table-jobs", "2", "--index-jobs", "2", "--dir", folder]
        started = time.monotonic()
        subprocess.run(
            [*words, "--no-owner", "--no-acl", "--skip-extensions"],
            env={**os.environ, **addresses},
            check=True,
        )
    return time.monotonic() - started


def _pgcopydb_version() -> str | None:
    if shutil.which("pgcopydb") is None:
        return None
    told = subprocess.run(["pgcopydb", "--version"], capture_output=True, text=True, check=True)
    return told.stdout.strip().splitlines()[0]


def main() -> None:
    """Print the comparison."""
    for line in run():
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
