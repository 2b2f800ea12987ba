"""The market copy against two psql in a pipe, into the same table with all its indexes."""

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
from ops.copy import copy_group
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
    """Alternate the peer and ours; medians of each. The ratio is one of throughputs."""
    ours, peer, hashing = [], [], []
    with databases("legacy", "core") as urls:
        legacy, core = urls["legacy"], urls["core"]
        _fill(legacy)
        upgrade("core", core)
        for _ in range(ROUNDS):
            _empty(core)
            peer.append(pipe(TABLE, legacy, core))
            _empty(core)
            seconds, hash_seconds = _our_seconds(legacy, core)
            ours.append(seconds)
            hashing.append(hash_seconds)
    ours_seconds, peer_seconds = statistics.median(ours), statistics.median(peer)
    return [
        {
            "benchmark": "market copy, throughput against psql | psql",
            "ours_seconds": round(ours_seconds, 2),
            "peer_seconds": round(peer_seconds, 2),
            "ratio": round(peer_seconds / ours_seconds, 2),
            "rows": SYMBOLS * DAYS,
            "hashing_seconds": round(statistics.median(hashing), 2),
        }
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


def _our_seconds(legacy: URL, core: URL) -> tuple[float, float]:
    """The whole call but its hashing, and the hashing."""
    started = time.monotonic()
    report = copy_group(legacy, core)
    elapsed = time.monotonic() - started
    hashing = sum(table.hashing_seconds for table in report.tables)
    return elapsed - hashing, hashing


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
