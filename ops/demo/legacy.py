"""The old single database of the demo: every table in one place, with prices, users and book.

It is made in one transaction. The comment on the price table is written with it and says which
prices the database holds, so a build that was killed leaves an empty database, and a finished one
is recognised without a schema of ours in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.backfill.binary_copy import (
    Column,
    Numeric,
    Text,
    constant_text,
    constant_timestamp,
    copy_stream,
    dates,
    integers,
    time_ordered_uuids,
    uuids,
)
from ops.connection import first_value, shown_address
from ops.demo.book_rows import Row, book_rows, password_hash
from ops.demo.catalogue import Instrument, catalogue
from ops.demo.marker import generated_prices, mark
from ops.demo.prices import PriceHistory
from ops.demo.transaction import driver_connection, transaction
from ops.errors import ConfigurationError, WrongDatabaseError
from ops.reference_data import benchmark_weights, factor_definitions, stress_scenarios

# The old chain dropped this one by mistake, because its model was not imported.
_ABSENT = "batch_run_tracking"
_BUILD_LOCK = 7_305_110_420


@dataclass(frozen=True)
class LegacyReport:
    """What the legacy database holds.

    Attributes:
        created: whether this call built it; otherwise it was complete already.
        price_source: where its prices came from, e.g. `generated` or a file's name.
        price_fingerprint: SHA-256 of those prices; compare it with `PriceHistory.fingerprint`.
        rows: rows written by this call, by table.
    """

    created: bool
    price_source: str
    price_fingerprint: str
    rows: dict[str, int] = field(default_factory=dict)


def create_legacy(url: URL, prices: PriceHistory, *, demo_password: str) -> LegacyReport:
    """Build the old database in an empty one, or recognise that it is there.

    A database that holds other prices is left as it is; the report says which it holds.

    Raises:
        WrongDatabaseError: the database holds tables that this function did not make.
        ConfigurationError: the vector extension is missing, or the role may not create tables.
        BadInputError: the password cannot be hashed.
    """
    with transaction(url, application_name="legacy demo") as connection:
        database = driver_connection(connection)
        database.execute("SELECT pg_advisory_xact_lock(%s)", [_BUILD_LOCK])
        finished = _finished(database, url)
        if finished is not None:
            return finished
        _require_vector(database, url)
        _create_tables(connection)
        rows = _fill(database, prices, password_hash(demo_password))
        mark(database, f"{prices.source} {prices.fingerprint}")
    return LegacyReport(True, prices.source, prices.fingerprint, rows)


def _finished(database: psycopg.Connection, url: URL) -> LegacyReport | None:
    """The report of a complete database, None for an empty one."""
    described = generated_prices(database)
    if described is not None:
        source, _, fingerprint = described.rpartition(" ")
        return LegacyReport(False, source, fingerprint)
    tables = first_value(
        database,
        "SELECT count(*) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')",
    )
    if tables:
        raise WrongDatabaseError(
            f"{shown_address(url)} already holds {tables} tables that are not the demo's; "
            "give the legacy demo an empty database"
        )
    return None


def _require_vector(database: psycopg.Connection, url: URL) -> None:
    if not first_value(database, "SELECT true FROM pg_extension WHERE extname = 'vector'"):
        raise ConfigurationError(
            f"{shown_address(url)} lacks the vector extension; "
            "let a superuser run CREATE EXTENSION vector there"
        )


def _create_tables(connection: sqlalchemy.Connection) -> None:
    core = [table for table in Base.metadata.sorted_tables if table.name != _ABSENT]
    Base.metadata.create_all(connection, tables=core, checkfirst=False)
    AiBase.metadata.create_all(connection, checkfirst=False)
    script = files("ops.demo").joinpath("legacy_tables.sql").read_bytes()
    driver_connection(connection).execute(script)


def _fill(database: psycopg.Connection, prices: PriceHistory, shared_hash: str) -> dict[str, int]:
    loaded_at = _loaded_at(prices)
    tables = {
        **book_rows(shared_hash),
        "factor_definitions": _stamped(factor_definitions(), loaded_at),
        "stress_test_scenarios": _stamped(stress_scenarios(), loaded_at),
        "benchmarks_sector_weights": _stamped(benchmark_weights(), loaded_at),
        "company_profiles": _profiles(prices, loaded_at),
    }
    for table, rows in tables.items():
        _copy_rows(database, table, rows)
    counts = {table: len(rows) for table, rows in tables.items()}
    return {**counts, "market_data_cache": _copy_prices(database, prices, loaded_at)}


def _loaded_at(prices: PriceHistory) -> datetime:
    """When the old system's nightly load would have finished: two in the morning, UTC."""
    last: Any = prices.dates[-1].astype("datetime64[D]").item()
    return datetime.combine(last, time(2, tzinfo=UTC)) + timedelta(days=1)


def _stamped(rows: Iterable[Row], moment: datetime) -> list[Row]:
    return [{**row, "created_at": moment, "updated_at": moment} for row in rows]


def _profiles(prices: PriceHistory, moment: datetime) -> list[Row]:
    known = [one for symbol, one in catalogue().items() if symbol in prices.column]
    return _stamped((_profile(one, moment) for one in known), moment)


def _profile(instrument: Instrument, moment: datetime) -> Row:
    cap = instrument.market_cap_billions
    return {
        "symbol": instrument.symbol,
        "company_name": instrument.name,
        "sector": instrument.sector,
        "industry": instrument.industry,
        "country": "United States",
        "market_cap": None if cap is None else cap * 1e9,
        "is_etf": instrument.is_etf,
        "is_fund": False,
        "pe_ratio": instrument.pe_ratio,
        "beta": instrument.profile_beta,
        "fiscal_quarter_offset": 0,
        "data_source": "yahooquery",
        "last_updated": moment,
    }


def _copy_rows(database: psycopg.Connection, table: str, rows: list[Row]) -> None:
    columns = list(rows[0])
    with database.cursor().copy(_copy_statement(table, columns)) as copy:
        for row in rows:
            copy.write_row([_copied(row[column]) for column in columns])


def _copied(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


def _copy_statement(table: str, columns: Iterable[str], options: str = "") -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(options),
    )


def _copy_prices(database: psycopg.Connection, prices: PriceHistory, moment: datetime) -> int:
    """COPY every row of the history; rows without a usable price go by text. Their number."""
    columns = _price_columns(prices, moment)
    statement = _copy_statement("market_data_cache", columns, "(FORMAT binary)")
    with database.cursor().copy(statement) as copy:
        for piece in copy_stream(list(columns.values())):
            copy.write(piece)
    flawed = [
        {
            "id": uuid4(),
            "symbol": row.symbol,
            "date": row.day,
            "close": row.close,
            "data_source": _data_source(prices),
        }
        for row in prices.flawed
    ]
    if flawed:
        _copy_rows(database, "market_data_cache", _stamped(flawed, moment))
    return len(columns["id"]) + len(flawed)


def _data_source(prices: PriceHistory) -> str:
    return prices.source[:50]


def _price_columns(prices: PriceHistory, moment: datetime) -> dict[str, Column]:
    """Columns of the rows that exist, symbol by symbol and day by day."""
    symbols, days = np.nonzero(~np.isnan(prices.close.T))
    count = len(days)
    return {
        "id": uuids(time_ordered_uuids(count)),
        "symbol": Text(symbols, prices.symbols),
        "date": dates(prices.dates[days]),
        "open": Numeric(prices.open[days, symbols], 12, 4),
        "high": Numeric(prices.high[days, symbols], 12, 4),
        "low": Numeric(prices.low[days, symbols], 12, 4),
        "close": Numeric(prices.close[days, symbols], 12, 4),
        "volume": integers(prices.volume[days, symbols]),
        "data_source": constant_text(_data_source(prices), count),
        "created_at": constant_timestamp(moment, count),
        "updated_at": constant_timestamp(moment, count),
    }
