"""The flow of the backfill against the bare binary COPY of the same rows into the same tables."""

import multiprocessing
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from benchmarks.throwaway import prefect_server, ready_for_backfill, run_backfill
from ops.backfill import Engine
from ops.connection import connect
from ops.plan_figures import FIRST_DAY

ROUNDS = 3
# Parents before children; the first stream takes the exposures, the second the rest.
_TABLES = (
    ("position_factor_exposures", "position_market_betas", "position_volatility"),
    (
        "correlation_calculations",
        "pairwise_correlations",
        "portfolio_snapshots",
        "position_interest_rate_betas",
        "factor_exposures",
        "stress_test_results",
    ),
)


def run() -> list[dict[str, Any]]:
    """Alternate floor and ours, then the same at ten times the book."""
    with ready_for_backfill() as core, prefect_server():
        plain = _compare(core, "backfill")
        multiply_book(core, 10)
        large = _compare(core, "backfill of ten times the book")
    growth = large["ours_seconds"] / plain["ours_seconds"]
    return [plain, {**large, "times_the_plain_book": round(growth, 2)}]


def _compare(core: URL, name: str) -> dict[str, Any]:
    ours, one_stream, two_streams, memory = [], [], [], []
    for _ in range(ROUNDS):
        _empty(core)
        seconds, peak = measured_in_a_process(core)
        ours.append(seconds)
        memory.append(peak)
        content = {table: _read(core, table) for stream in _TABLES for table in stream}
        one_stream.append(_floor(core, content, [[t for s in _TABLES for t in s]]))
        two_streams.append(_floor(core, content, _TABLES))
    floor = min(*one_stream, *two_streams)
    return {
        "benchmark": name,
        "ours_seconds": round(min(ours), 2),
        "peer_seconds": round(floor, 2),
        "ratio": round(min(ours) / floor, 2),
        "one_stream_copy_seconds": round(min(one_stream), 2),
        "two_stream_copy_seconds": round(min(two_streams), 2),
        "peak_mebibytes": max(memory),
    }


def measured_in_a_process(core: URL, engine: Engine = "local") -> tuple[float, int]:
    """Seconds of a whole backfill and its process's peak memory in MiB: Dask's scheduler is part
    of that process, Dask's workers are not."""
    context = multiprocessing.get_context("spawn")
    # Not of multiprocessing's pool: its processes may not have any of their own, as Dask's are.
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, core.render_as_string(hide_password=False), engine).result()


def _measured(core: str, engine: Engine) -> tuple[float, int]:
    from sqlalchemy.engine import make_url

    started = time.perf_counter()
    run_backfill(make_url(core), FIRST_DAY, engine)
    seconds = time.perf_counter() - started
    return seconds, _peak_mebibytes()


def _peak_mebibytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # the resource usage would also count the parent's memory at the fork
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


def _floor(core: URL, content: dict[str, bytes], streams: Sequence[Sequence[str]]) -> float:
    _empty(core)
    started = time.perf_counter()
    with ThreadPoolExecutor(len(streams)) as pool:
        list(pool.map(lambda tables: _write(core, content, tables), streams))
    return time.perf_counter() - started


def _read(core: URL, table: str) -> bytes:
    with connect(core, application_name="benchmark") as connection:
        statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
        with connection.cursor().copy(statement) as copy:
            return b"".join(copy)


def _write(core: URL, content: dict[str, bytes], tables: Sequence[str]) -> None:
    with connect(core, application_name="benchmark") as connection:
        for table in tables:
            statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
            with connection.cursor().copy(statement) as copy:
                copy.write(content[table])


def _empty(core: URL) -> None:
    tables = [table for stream in _TABLES for table in stream]
    with connect(core, application_name="benchmark", autocommit=True) as connection:
        connection.execute(
            sql.SQL("TRUNCATE {}, ops.backfill_ledger CASCADE").format(
                sql.SQL(", ").join(map(sql.Identifier, tables))
            )
        )
        connection.execute("CHECKPOINT" if _may_checkpoint(connection) else "SELECT 1")


def _may_checkpoint(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_has_role('pg_checkpoint', 'USAGE')").fetchone()
    return bool(row and row[0])


def multiply_book(core: URL, times: int) -> None:
    """Clone portfolios, positions and prices under other names, so that symbols multiply too."""
    with connect(core, application_name="benchmark") as connection:
        connection.execute(_CLONE_PRICES, {"times": times})
        connection.execute(_CLONE_PORTFOLIOS, {"times": times})
        connection.execute(_CLONE_POSITIONS, {"times": times})
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")


_CLONE_PRICES = """
    INSERT INTO market_data_cache (
        id, symbol, date, open, high, low, close, volume, data_source, created_at, updated_at)
    SELECT gen_random_uuid(), m.symbol || '~' || n, date, open, high, low,
        close * (1 + 0.01 * sin(n * extract(doy FROM date))), volume, data_source, now(), now()
    FROM market_data_cache AS m
    CROSS JOIN generate_series(2, %(times)s) AS n
    WHERE m.symbol IN (SELECT symbol FROM positions)
"""
_CLONE_PORTFOLIOS = """
    INSERT INTO portfolios (
        id, user_id, name, account_name, account_type, currency, equity_balance,
        created_at, updated_at)
    SELECT md5(p.id::text || n)::uuid, user_id, name || ' ' || n, account_name || ' ' || n,
        account_type, currency, equity_balance, now(), now()
    FROM portfolios AS p CROSS JOIN generate_series(2, %(times)s) AS n
"""
_CLONE_POSITIONS = """
    INSERT INTO positions (
        id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
        investment_class, market_value, last_price, created_at, updated_at)
    SELECT md5(p.id::text || n)::uuid, md5(p.portfolio_id::text || n)::uuid,
        CASE WHEN investment_class = 'PUBLIC' THEN symbol || '~' || n ELSE symbol END,
        position_type, quantity, entry_price, entry_date, investment_class, market_value,
        last_price, now(), now()
    FROM positions AS p CROSS JOIN generate_series(2, %(times)s) AS n
"""
