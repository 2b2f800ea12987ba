"""What a nightly backfill takes from a folder of price files, and what it refuses."""

import re
from datetime import date
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.books.run_lock import exclusive_run
from ops.connection import connect
from ops.errors import BadInputError, FencedOutError
from ops.new_prices import TakenFile, price_files, take_prices
from tests.databases import NewDatabase

HEADER = "symbol,date,open,high,low,close,volume"
FRIDAY, MONDAY = date(2025, 12, 19), date(2025, 12, 22)


@pytest.fixture
def core(new_database: NewDatabase, core_template: str) -> URL:
    """SPY and T at 100 on Friday, KO without a usable price; one portfolio is done to Monday."""
    url = new_database(core_template)
    with connect(url, application_name="tests") as database:
        for symbol, close in (("SPY", 100), ("T", 100), ("KO", 0)):
            database.execute(
                "INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at,"
                " updated_at) VALUES (gen_random_uuid(), %s, %s, %s, 'tests', now(), now())",
                [symbol, FRIDAY, close],
            )
        for day in (date(2025, 12, 18), FRIDAY, MONDAY):
            database.execute(
                "INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status)"
                " VALUES ('00000000-0000-0000-0000-000000000001', %s, 'done')",
                [day],
            )
    return url


def take(core: URL, folder: Path, *accept: str, **files: tuple[str, ...]) -> list[TakenFile]:
    for name, rows in files.items():
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    with exclusive_run(core) as fence:
        return take_prices(core, price_files(folder), accept, fence.check)


def row(symbol: str, day: date, close: float) -> str:
    return f"{symbol},{day},{close},{close},{close},{close},3000000000"


def stored(core: URL) -> dict[tuple[str, date], float]:
    with connect(core, application_name="tests") as database:
        found = database.execute("SELECT symbol, date, close::float8 FROM market_data_cache")
        return {(symbol, day): close for symbol, day, close in found}


def done(core: URL) -> list[date]:
    with connect(core, application_name="tests") as database:
        found = database.execute("SELECT calculation_date FROM ops.backfill_ledger ORDER BY 1")
        return [day for (day,) in found]


BEFORE = {("SPY", FRIDAY): 100.0, ("T", FRIDAY): 100.0, ("KO", FRIDAY): 0.0}
ALL_DONE = [date(2025, 12, 18), FRIDAY, MONDAY]


def test_new_days_are_taken_once_and_what_is_stored_stays(core: URL, tmp_path: Path) -> None:
    rows = (row("SPY", FRIDAY, 100.005), row("SPY", MONDAY, 101))
    (first,) = take(core, tmp_path, monday=rows)
    assert (first.rows, first.first) == (1, MONDAY)
    assert stored(core) == {**BEFORE, ("SPY", MONDAY): 101.0}
    assert done(core) == ALL_DONE[:2]
    (again,) = take(core, tmp_path)
    assert (again.rows, again.first) == (0, None)
    assert done(core) == ALL_DONE[:2]


def test_a_hole_in_the_past_is_filled_and_its_days_are_computed_again(
    core: URL, tmp_path: Path
) -> None:
    (taken,) = take(core, tmp_path, late=(row("KO", FRIDAY, 70),))
    assert (taken.rows, taken.first) == (1, FRIDAY)
    assert stored(core)["KO", FRIDAY] == 70
    assert done(core) == ALL_DONE[:1]


def test_a_changed_past_is_shown_and_replaced_only_if_accepted(core: URL, tmp_path: Path) -> None:
    rows = (row("T", FRIDAY, 50), row("T", MONDAY, 51))
    changed = "changed-past: 1 prices differ from the stored ones: T 2025-12-19 from 100.0000 to 50"
    with pytest.raises(BadInputError, match=re.escape(changed)):
        take(core, tmp_path, split=rows)
    assert (stored(core), done(core)) == (BEFORE, ALL_DONE)
    (taken,) = take(core, tmp_path, "changed-past")
    assert (taken.rows, taken.first) == (2, FRIDAY)
    assert any("T 2025-12-19 from 100.0000 to 50" in doubt for doubt in taken.doubts)
    assert stored(core) == {**BEFORE, ("T", FRIDAY): 50.0, ("T", MONDAY): 51.0}
    assert done(core) == ALL_DONE[:1]


def test_files_that_contradict_each_other_leave_nothing(core: URL, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"b\.csv: changed-past: .* from 91\.0000 to 92"):
        take(core, tmp_path, a=(row("SPY", MONDAY, 91),), b=(row("SPY", MONDAY, 92),))
    assert (stored(core), done(core)) == (BEFORE, ALL_DONE)


def test_a_file_with_an_error_leaves_nothing_of_the_others(core: URL, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"b\.csv: high-below-low"):
        take(core, tmp_path, a=(row("SPY", MONDAY, 91),), b=(f"T,{MONDAY},99,98,100,99,1",))
    assert (stored(core), done(core)) == (BEFORE, ALL_DONE)


@pytest.mark.parametrize("close", [500, 20, 10_000])
def test_a_new_day_at_another_level_is_refused(core: URL, tmp_path: Path, close: float) -> None:
    with pytest.raises(
        BadInputError, match=rf"level-shift: .*T {MONDAY} from 100\.0000 to {close}"
    ):
        take(core, tmp_path, monday=(row("T", MONDAY, close),))
    assert (stored(core), done(core)) == (BEFORE, ALL_DONE)
    take(core, tmp_path, "level-shift")
    assert stored(core)["T", MONDAY] == close


def test_a_split_since_the_stored_prices_is_shown(core: URL, tmp_path: Path) -> None:
    (taken,) = take(core, tmp_path, monday=(row("T", MONDAY, 50),))
    (doubt,) = [doubt for doubt in taken.doubts if doubt.startswith("large-move: ")]
    assert doubt.endswith("T 2025-12-22 from 100.0000 to 50.0000")


def test_a_folder_that_is_not_there_is_refused(core: URL, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="PRICES_FOLDER: there is no folder"):
        take(core, tmp_path / "absent")


def test_a_run_that_was_overtaken_takes_nothing(core: URL, tmp_path: Path) -> None:
    def overtaken(connection: psycopg.Connection) -> None:
        raise FencedOutError("a newer run works on this database; this one stops here")

    (tmp_path / "a.csv").write_text("\n".join([HEADER, row("SPY", MONDAY, 1)]))
    with pytest.raises(FencedOutError):
        take_prices(core, price_files(tmp_path), (), overtaken)
    assert stored(core) == BEFORE
