"""How a backfill grows with the book: seconds, bytes, and the memory of its process, which Dask's
scheduler is a part of. `SIGMASIGHT_BENCH_TIMES=1,100` chooses the sizes."""

import os
from typing import Any

from sqlalchemy.engine import URL

from benchmarks.backfill import measured_in_a_process, multiply_book
from benchmarks.throwaway import prefect_server, ready_for_backfill
from ops.backfill import Engine
from ops.connection import connect

ENGINES: tuple[Engine, ...] = ("local", "dask")


def run() -> list[dict[str, Any]]:
    """Each size by each engine, on a fresh database."""
    sizes = map(int, os.environ.get("SIGMASIGHT_BENCH_TIMES", "1,4,20").split(","))
    return [_line(times, engine) for times in sizes for engine in ENGINES]


def _line(times: int, engine: Engine) -> dict[str, Any]:
    with ready_for_backfill() as core, prefect_server():
        multiply_book(core, times)
        before = _bytes(core)
        seconds, peak = measured_in_a_process(core, engine)
        return {
            "benchmark": f"backfill of {times} times the book, {engine}",
            "ours_seconds": round(seconds, 1),
            "peak_mebibytes": peak,
            "written_mebibytes": (_bytes(core) - before) // 2**20,
        }


def _bytes(core: URL) -> int:
    with connect(core, application_name="benchmark") as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])
