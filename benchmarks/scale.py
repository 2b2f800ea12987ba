"""How a backfill grows with the book: seconds, bytes, and the memory of its process, which Dask's
scheduler is a part of; and what a verification of its databases takes then.

`SIGMASIGHT_BENCH_TIMES=1,100` chooses the sizes, `SIGMASIGHT_BENCH_ENGINES=local` the engines.
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import psutil
from sqlalchemy.engine import URL

from benchmarks.backfill import measured_in_a_process, multiply_book
from benchmarks.throwaway import pair_ready_for_backfill
from ops.backfill import Engine
from ops.connection import connect
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.state_folder import StateFolder
from ops.verify import verify


def run() -> list[dict[str, Any]]:
    """Each size by each engine, on fresh databases."""
    sizes = map(int, os.environ.get("SIGMASIGHT_BENCH_TIMES", "1,4,20").split(","))
    engines = os.environ.get("SIGMASIGHT_BENCH_ENGINES", "local,dask").split(",")
    return [_line(times, cast(Engine, engine)) for times in sizes for engine in engines]


def _line(times: int, engine: Engine) -> dict[str, Any]:
    with pair_ready_for_backfill() as (core, ai):
        multiply_book(core, times)
        before = _bytes(core)
        seconds, peak = measured_in_a_process(core, engine)
        return {
            "benchmark": f"backfill of {times} times the book, {engine}",
            "ours_seconds": round(seconds, 1),
            "peak_mebibytes": peak,
            "written_mebibytes": (_bytes(core) - before) // 2**20,
            **_verified(core, ai),
        }


def _verified(core: URL, ai: URL) -> dict[str, Any]:
    """Of the first verification and of the next: seconds of the clock, and of all processes of this
    machine on its CPU, which must have nothing else to do."""
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="sigmasight-bench-") as folder:
        for name in ("verify", "verify_again"):
            started, before = time.perf_counter(), _cpu()
            report = verify(core, ai, None, FIRST_DAY, LAST_DAY, state=StateFolder(Path(folder)))
            failed = [check.name for check in report.results if check.outcome == "fail"]
            found[f"{name}_seconds"] = round(time.perf_counter() - started, 1)
            found[f"{name}_cpu_seconds"] = round(_cpu() - before, 1)
            found[f"{name}_failed"] = failed
    return found


def _cpu() -> float:
    taken = psutil.cpu_times()
    return float(taken.user + taken.system)


def _bytes(core: URL) -> int:
    with connect(core, application_name="benchmark") as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])
