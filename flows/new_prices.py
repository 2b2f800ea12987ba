"""What a nightly backfill begins with: new prices from a folder, from legacy, or from Yahoo."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import get_run_logger
from sqlalchemy.engine import URL

from flows.progress import moved
from flows.retrying import phase_task
from ops.books.run_lock import Fence, exclusive_run
from ops.endpoints import Endpoints, resolve_endpoints
from ops.errors import ConfigurationError
from ops.evidence.cutovers import users_may_write_to_new
from ops.new_prices import TakenFile, price_files, take_prices
from ops.price_sources import (
    ask_yahoo,
    prepare_yfinance,
    wanted_prices,
    write_legacy_prices,
    write_prices,
)
from ops.settings import operator_settings
from ops.trading_calendar import last_finished_session

YAHOO = "ask Yahoo"


def take_new_prices() -> None:
    """Bring what the files of PRICES_FOLDER and the source PRICES_FROM have and Core lacks."""
    settings = operator_settings()
    if settings.PRICES_FOLDER is None and settings.PRICES_FROM is None:
        return
    endpoints = resolve_endpoints(settings)
    if settings.PRICES_FROM == "yfinance":
        prepare_yfinance(settings.state.root)
    with exclusive_run(endpoints.core) as fence:
        files = price_files(settings.PRICES_FOLDER) if settings.PRICES_FOLDER else []
        files += _fetched(endpoints)
        taken = new_prices_task(endpoints.core, files, settings.PRICES_ACCEPT, fence)
    for one in taken:
        for doubt in one.doubts:
            get_run_logger().warning("%s: %s", one.name, doubt)
        days = f", days from {one.first} on are computed" if one.first else ""
        get_run_logger().info("%s: %d new prices%s", one.name, one.rows, days)


def _fetched(endpoints: Endpoints) -> list[Path]:
    """The file into which the source's prices were written; none where it gave none."""
    settings = operator_settings()
    if settings.PRICES_FROM is None:
        return []
    path = settings.state.root / f"{settings.PRICES_FROM}.csv"
    if settings.PRICES_FROM == "yfinance":
        return [path] if yahoo_task(endpoints.core, path) else []
    if users_may_write_to_new(endpoints.core):
        get_run_logger().warning(
            "PRICES_FROM=legacy ends with the swap: nothing new is written there; name yfinance, "
            "or a PRICES_FOLDER"
        )
        return []
    legacy_task(endpoints.legacy, path)
    return [path]


@phase_task(YAHOO)
def yahoo_task(core: URL, path: Path) -> int:
    """Write what Yahoo answers as a price file, and say what it did not; returns the rows."""
    symbols, first = wanted_prices(core)
    answers = ask_yahoo(
        symbols,
        first,
        last_finished_session(datetime.now(UTC)),
        lambda done: moved(YAHOO, done, len(symbols), "symbols"),
    )
    if answers.missing:
        symbol, reason = next(iter(answers.missing.items()))
        get_run_logger().warning(
            "no prices of %d of %d symbols (%s), first %s: %s; the next night asks again",
            len(answers.missing),
            len(symbols),
            ", ".join(answers.missing),
            symbol,
            reason,
        )
    write_prices(path, answers.rows)
    return len(answers.rows)


@phase_task("read the prices of legacy")
def legacy_task(legacy: URL | None, path: Path) -> None:
    """Write them as a price file."""
    if legacy is None:
        raise ConfigurationError("PRICES_FROM=legacy: no old database is known; name another")
    write_legacy_prices(legacy, path)


@phase_task("new prices")
def new_prices_task(
    core: URL, files: Sequence[Path], accept: Sequence[str], fence: Fence
) -> list[TakenFile]:
    """Judge the files, compare them with what is stored, and write what is new."""
    return take_prices(core, files, accept, fence.check)
