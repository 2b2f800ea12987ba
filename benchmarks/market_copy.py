"""The market copy against two psql in a pipe, which end with the same indexes."""

import json
import os
import statistics
import subprocess
import time
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from app.models import Base
from benchmarks.throwaway import databases
from ops.connection import connect
from ops.copy import copy_group, delta_parity
from ops.copy.catalogue import read_relation
from ops.copy.indexes import drop_indexes
from ops.embedded.account import server_account
from ops.embedded.binaries import program_folder
from ops.migrate import upgrade

ROUNDS = 3
SYMBOLS, DAYS = 500, 2000
TABLE = "market_data_cache"

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
    """Alternate ours and the two floors; medians of each. Ours is the whole call, whose end is the
    proof that has read Core's committed rows."""
    ours: list[tuple[float, float]] = []
    kept: list[float] = []
    rebuilt: list[float] = []
    with databases("legacy", "core") as urls:
        legacy, core = urls["legacy"], urls["core"]
        _fill(legacy)
        upgrade("core", core)
        for _ in range(ROUNDS):
            _empty(core)
            kept.append(pipe(TABLE, legacy, core))
            _empty(core)
            rebuilt.append(_pipe_between_indexes(legacy, core))
            _empty(core)
            ours.append(_copied_and_proved(legacy, core))
    whole, proof = (statistics.median(part) for part in zip(*ours, strict=True))
    floors = {"that drops indexes and builds them after": rebuilt, "that keeps indexes": kept}
    return [
        {
            "benchmark": f"market copy, whole call with proof, over a pipe {floor}",
            "ours_seconds": round(whole, 2),
            "peer_seconds": round(statistics.median(seconds), 2),
            "ratio": round(whole / statistics.median(seconds), 2),
            "rows": SYMBOLS * DAYS,
            "proof_seconds": round(proof, 2),
        }
        for floor, seconds in floors.items()
    ]


def _fill(legacy: URL) -> None:
    engine = create_engine(legacy)
    Base.metadata.tables[TABLE].create(engine)
    engine.dispose()
    with connect(legacy, application_name="benchmark", autocommit=True) as connection:
        connection.execute(_FILL, [SYMBOLS, DAYS])
        connection.execute("VACUUM ANALYZE market_data_cache")


def _empty(core: URL) -> None:
    with connect(core, application_name="benchmark", autocommit=True) as connection:
        connection.execute("TRUNCATE market_data_cache, ops.copy_fingerprints")


def _copied_and_proved(legacy: URL, core: URL) -> tuple[float, float]:
    """The copy's call until its proof stands, and what of it is the proof."""
    started = time.monotonic()
    report = copy_group(legacy, core)
    if any(not table.holds for table in delta_parity(legacy, core, None, ("market",))):
        raise RuntimeError("the copy is not what legacy has")
    return time.monotonic() - started, sum(table.hashing_seconds for table in report.tables)


def _pipe_between_indexes(legacy: URL, core: URL) -> float:
    """The pipe into the table without its indexes, and their building."""
    started = time.monotonic()
    with connect(core, application_name="benchmark", autocommit=True) as connection:
        relation = read_relation(connection, TABLE, "public")
        assert relation is not None  # the chain has made it
        rebuild = drop_indexes(connection, relation, unique=True)
        pipe(TABLE, legacy, core)
        for statement in rebuild:
            connection.execute(statement)
    return time.monotonic() - started


def pipe(table: str, legacy: URL, core: URL) -> float:
    """Copy a table by two psql in a pipe; the seconds that it took."""
    started = time.monotonic()
    rows = f"{table} ({', '.join(column.name for column in Base.metadata.tables[table].columns)})"
    with (
        _psql(legacy, f"COPY {rows} TO STDOUT (FORMAT binary)", stdout=subprocess.PIPE) as source,
        _psql(core, f"COPY {rows} FROM STDIN (FORMAT binary)", stdin=source.stdout) as sink,
    ):
        pass
    if source.returncode or sink.returncode:
        raise RuntimeError("psql failed; its message stands above")
    return time.monotonic() - started


def _psql(url: URL, command: str, **pipes: Any) -> subprocess.Popen[bytes]:
    program = program_folder(server_account()) / "psql"
    address = ["-h", url.host, "-p", str(url.port), "-U", url.username, "-d", url.database]
    arguments = [str(program), "-X", "-q", *map(str, address), "-c", command]
    return subprocess.Popen(arguments, env={**os.environ, "PGPASSWORD": str(url.password)}, **pipes)


def main() -> None:
    """Print the comparison."""
    for line in run():
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
