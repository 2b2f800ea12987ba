"""A living installation, moved and computed again: users see the equity that they saw before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import pandas as pd
import pytest
from sqlalchemy.engine import URL

from ops.backfill.batch import plan_batch
from ops.backfill.planning import BackfillRequest
from ops.carrying.swap_price import SHOWN_EQUITY, Price, swap_price
from ops.copy import CopyReport, copy_delta
from ops.embedded.server import EmbeddedServer
from ops.verify import verify
from tests.databases import create_database
from tests.integration.backfill.book import DAYS, FIRST, LAST, Book
from tests.integration.backfill.cases import CASES, FRIDAY, MONDAY, SATURDAY, punch_holes

# When the old system took its first snapshots.
HISTORY_FROM = date(2025, 6, 26)
BEFORE = date(2025, 6, 30)
JOINED_LATER = "short"
NEVER_SEEN = "two lots of one symbol"
NOT_LATELY = "market neutral"
SEEN_ON_A_SATURDAY = "long and short of one symbol"
UNFINISHED = "late entry"
WITHOUT_EQUITY = "exit without event"
WITHOUT_THE_DAY_BEFORE = {JOINED_LATER, NEVER_SEEN, NOT_LATELY, SEEN_ON_A_SATURDAY, UNFINISHED}
ALLOWED = {NOT_LATELY, UNFINISHED}


@dataclass(frozen=True)
class Move:
    """An old database that its own nightly batch has computed, and the pair that took it over."""

    legacy: Book
    core: Book
    ai: URL

    def copy(self) -> CopyReport:
        [report] = copy_delta(self.legacy.url, self.core.url, self.ai, ("users",))
        return report

    def price(self) -> Price:
        return swap_price(self.legacy.url, self.core.url, self.ai)

    def equities(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """What both show of each portfolio for the last day."""
        query = (
            "SELECT p.name, s.equity_balance FROM portfolio_snapshots AS s"
            " JOIN portfolios AS p ON p.id = s.portfolio_id WHERE s.snapshot_date = %s"
        )
        before, now = (
            dict(book.frame(query, [LAST]).itertuples(index=False, name=None))
            for book in (self.legacy, self.core)
        )
        return {name: (equity, now[name]) for name, equity in before.items()}


@pytest.fixture(scope="module")
def move(
    server: EmbeddedServer,
    cases_template: str,
    market_template: str,
    ai_template: str,
    closes: pd.DataFrame,
) -> Move:
    """Moved with all that happens to portfolios; some lack the snapshot of the day before."""
    legacy, core = (
        Book(create_database(server, one), closes) for one in (cases_template, market_template)
    )
    legacy.run(HISTORY_FROM, LAST)
    take_away = "DELETE FROM portfolio_snapshots WHERE portfolio_id = %s AND snapshot_date "
    legacy.execute(take_away + "<= %s", [legacy.portfolio_named(JOINED_LATER), DAYS[6]])
    legacy.execute(take_away + "<= %s", [legacy.portfolio_named(NEVER_SEEN), LAST])
    legacy.execute(take_away + "= %s", [legacy.portfolio_named(NOT_LATELY), BEFORE])
    legacy.execute(take_away + "< %s", [legacy.portfolio_named(SEEN_ON_A_SATURDAY), FRIDAY])
    for name, day, change in (
        (SEEN_ON_A_SATURDAY, FRIDAY, "snapshot_date = snapshot_date + 1"),
        (UNFINISHED, BEFORE, "is_complete = false, equity_balance = 7, total_value = 7"),
        (WITHOUT_EQUITY, BEFORE, "equity_balance = NULL"),
    ):
        of_a_day = (
            f"UPDATE portfolio_snapshots SET {change} WHERE portfolio_id = %s AND snapshot_date"
        )
        legacy.execute(f"{of_a_day} = %s", [legacy.portfolio_named(name), day])
    punch_holes(core)
    made = Move(legacy, core, create_database(server, ai_template))
    [assumed] = made.copy().capital
    assert assumed.startswith(f"{NEVER_SEEN}: legacy has no snapshot of it")
    return made


def test_users_see_the_equity_that_they_saw_before(move: Move) -> None:
    batch = plan_batch(move.core.url, BackfillRequest(FIRST, LAST))
    assert batch is not None
    told = {each.span.name: each.assumed for each in batch.portfolios if each.assumed}
    assert set(told) == WITHOUT_THE_DAY_BEFORE
    assert "its first snapshot" in str(told[JOINED_LATER])
    assert "what it declares" in str(told[NEVER_SEEN])
    assert "its last snapshot before 2025-07-01 is of 2025-06-27" in str(told[NOT_LATELY])
    assert not move.core.run().failures
    shown = move.equities()
    assert set(shown) == set(CASES) - {NEVER_SEEN}
    apart = {name for name, (before, now) in shown.items() if abs(before - now) > Decimal("0.01")}
    assert apart <= ALLOWED
    report = verify(move.core.url, move.ai, None, FIRST, LAST)
    assert {one.name: one.detail for one in report.results if one.outcome == "fail"} == {}
    declared = "SELECT equity_balance FROM portfolios WHERE id = %s"
    portfolio = move.legacy.portfolio_named(NEVER_SEEN)
    assert move.core.value(declared, [portfolio]) == move.legacy.value(declared, [portfolio])


def history(book: Book, portfolio: UUID) -> list[tuple[object, ...]]:
    columns = "snapshot_date, equity_balance, cumulative_pnl, num_positions, sector_exposure::text"
    query = f"SELECT {columns} FROM portfolio_snapshots WHERE portfolio_id = %s ORDER BY 1"
    return list(book.frame(query, [portfolio]).itertuples(index=False, name=None))


def test_the_history_before_the_first_computed_day_is_legacys_own(move: Move) -> None:
    move.core.run()
    portfolio = move.legacy.portfolio_named("held")
    before, now = history(move.legacy, portfolio), history(move.core, portfolio)
    assert [row[0] for row in now] == [row[0] for row in before]
    assert now[: -len(DAYS)] == before[: -len(DAYS)]
    assert [row[:4] for row in now] == [row[:4] for row in before]


def test_another_equity_is_a_price_that_says_both_figures(move: Move) -> None:
    move.core.run()
    move.copy()
    allowed = {row.split(" on ")[0] for row in move.price().equities}
    assert allowed <= ALLOWED
    change = (
        "UPDATE portfolio_snapshots SET equity_balance = equity_balance + {} WHERE portfolio_id ="
        f" '{move.legacy.portfolio_named('held')}' AND snapshot_date = '{LAST}'"
    )
    move.legacy.execute(change.format("0.01"))
    assert {row.split(" on ")[0] for row in move.price().equities} == allowed
    move.legacy.execute(change.format("5"))
    move.copy()
    price = move.price()
    assert {row.split(" on ")[0] for row in price.equities} == {*allowed, "held"}
    assert price.by_table[SHOWN_EQUITY] == len(price.equities)
    history = sum(price.uncomputed.values())
    assert price.total == price.lasting(("users",)).total == len(price.equities) + history
    before, now = move.equities()["held"]
    assert f"held on {LAST}: {before}, here {now}" in price.advice()
    assert price.advice().endswith(f"; swap with --accept-loss {price.total}")
    move.legacy.execute(change.format("-5.01"))


@pytest.mark.soak
def test_twice_is_once_and_a_second_copy_leaves_computed_days_alone(move: Move) -> None:
    move.core.run()
    before = move.core.content()
    move.copy()
    move.core.run(mode="all")
    assert move.core.content() == before


def test_monday_starts_from_a_snapshot_of_the_saturday_before(book: Book) -> None:
    portfolio = book.portfolio("one")
    book.position(portfolio, "S00", 100)
    book.flow(portfolio, SATURDAY, 2500)
    shown = "SELECT equity_balance FROM portfolio_snapshots WHERE snapshot_date = %s"
    book.run(FIRST, MONDAY)
    wanted = book.value(shown, [MONDAY])
    book.execute("DELETE FROM ops.backfill_ledger")
    book.execute("DELETE FROM portfolio_snapshots WHERE snapshot_date = %s", [MONDAY])
    book.execute(
        "UPDATE portfolio_snapshots SET snapshot_date = %s, equity_balance = equity_balance + 2500"
        " WHERE snapshot_date = %s",
        [SATURDAY, FRIDAY],
    )
    book.run(MONDAY, MONDAY)
    assert book.value(shown, [MONDAY]) == wanted
