"""The equity of every kind of portfolio, against the rules worked out in decimals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from tests.integration.backfill.book import DAYS, Book
from tests.integration.backfill.cases import CASES, STARTING_EQUITY

CENT = Decimal("0.01")
NOTHING = Decimal(0)


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def session(day: date) -> date:
    """The session that a trade or flow counts to."""
    return next((one for one in DAYS if one >= day), day) if day >= DAYS[0] else day


@dataclass
class Lot:
    """One position as the rules see it."""

    kind: str
    entry: date
    price: Decimal
    left: Decimal
    multiplier: int
    end: date
    book_value: Decimal
    closes: Mapping[date, Decimal]
    sales: list[tuple[date, Decimal, Decimal]] = field(default_factory=list)

    def open_on(self, day: date) -> bool:
        return self.entry <= day <= self.end

    def units_during(self, day: date) -> Decimal:
        """What is left, and every lot that is sold on the day or later."""
        return self.left + sum((units for sold, units, _ in self.sales if sold >= day), NOTHING)

    def sold_on(self, day: date) -> Decimal:
        return sum((units for sold, units, _ in self.sales if sold == day), NOTHING)

    def last_close(self, day: date) -> tuple[date, Decimal] | None:
        known = [one for one in self.closes if one <= day]
        return (max(known), self.closes[max(known)]) if known else None

    def value(self, day: date) -> Decimal:
        if not self.open_on(day):
            return NOTHING
        if self.kind == "PRIVATE":
            return self.units_during(day) * self.book_value
        close = self.last_close(day)
        return NOTHING if close is None else self.units_during(day) * close[1] * self.multiplier

    def gain(self, day: date) -> Decimal:
        """What the day adds: the move of what is kept, less what earlier days had given to the
        lots that are sold on it."""
        before = self.last_close(day - timedelta(days=1))
        rolled = before is not None and before[0] >= self.entry
        total = NOTHING
        if self.open_on(day) and day in self.closes:
            base = before[1] if before is not None and rolled else self.price
            if not rolled or (before is not None and (day - before[0]).days <= 10):
                kept = self.units_during(day) - self.sold_on(day)
                total += (self.closes[day] - base) * kept
        if rolled and before is not None:
            total -= (before[1] - self.price) * self.sold_on(day)
        return total * self.multiplier


def lots_of(book: Book, portfolio: UUID) -> list[Lot]:
    rows = book.frame("SELECT * FROM positions WHERE portfolio_id = %s", [portfolio])
    events = book.frame(
        "SELECT * FROM position_realized_events WHERE portfolio_id = %s", [portfolio]
    )
    return [
        _lot(book, row, events[events["position_id"] == row["id"]])
        for row in rows.to_dict("records")
    ]


def _lot(book: Book, row: Mapping[Any, Any], events: pd.DataFrame) -> Lot:
    exit_day = session(row["exit_date"]) if row["exit_date"] else date.max
    deleted = row["deleted_at"].date() if row["deleted_at"] else date.max
    expires = row["expiration_date"] or date.max
    sign = 1 if row["quantity"] >= 0 else -1
    lot = Lot(
        kind=row["investment_class"],
        entry=row["entry_date"],
        price=row["entry_price"],
        left=row["quantity"],
        multiplier=100 if row["investment_class"] == "OPTIONS" else 1,
        end=min(exit_day, deleted, expires),
        book_value=_book_value(row),
        closes=_closes(book, row),
    )
    for event in events.sort_values("trade_date").to_dict("records"):
        sold = min(session(event["trade_date"]), exit_day)
        lot.sales.append((sold, sign * event["quantity_closed"], event["realized_pnl"]))
    at_exit = lot.sold_on(exit_day)
    if exit_day != date.max and not at_exit and row["exit_price"] is not None:
        gain = (row["exit_price"] - row["entry_price"]) * row["quantity"] * lot.multiplier
        lot.sales.append((exit_day, row["quantity"], gain))
        at_exit = row["quantity"]
    if at_exit:
        lot.left = NOTHING
    return lot


def _book_value(row: Mapping[Any, Any]) -> Decimal:
    stored: Decimal | None = row["market_value"]
    return stored / row["quantity"] if stored is not None and stored > 0 else row["entry_price"]


def _closes(book: Book, row: Mapping[Any, Any]) -> dict[date, Decimal]:
    if row["investment_class"] == "PRIVATE":
        return {}
    query = "SELECT date, close FROM market_data_cache WHERE symbol = %s"
    return dict(book.frame(query, [row["symbol"]]).itertuples(index=False, name=None))


def expected_snapshots(book: Book, portfolio: UUID, start: Decimal) -> Iterator[dict[str, Any]]:
    """What each day's snapshot must say."""
    lots = lots_of(book, portfolio)
    flows = book.frame(
        "SELECT * FROM equity_changes WHERE portfolio_id = %s AND deleted_at IS NULL", [portfolio]
    )
    equity, total = start, dict.fromkeys(("pnl", "realized_pnl", "capital_flow"), NOTHING)
    for day in DAYS:
        realized = sum((g for lot in lots for d, _, g in lot.sales if d == day), NOTHING)
        flow = sum(
            (
                row["amount"] if row["change_type"] == "CONTRIBUTION" else -row["amount"]
                for row in flows.to_dict("records")
                if session(row["change_date"]) == day
            ),
            NOTHING,
        )
        gain = NOTHING if day == DAYS[0] else sum((lot.gain(day) for lot in lots), NOTHING)
        before, equity = equity, cents(equity + gain + realized + flow)
        today = {"pnl": cents(gain + realized), "realized_pnl": realized, "capital_flow": flow}
        total = {name: total[name] + today[name] for name in total}
        yield _snapshot(lots, day, before, equity, today, total)


def _snapshot(
    lots: list[Lot],
    day: date,
    before: Decimal,
    equity: Decimal,
    today: dict[str, Decimal],
    total: dict[str, Decimal],
) -> dict[str, Any]:
    values = [lot.value(day) for lot in lots]
    long, short = sum(v for v in values if v > 0), sum(v for v in values if v < 0)
    held = [lot.units_during(day) for lot in lots if lot.open_on(day)]
    pnl = today["pnl"]
    figures: dict[str, Any] = {
        "total_value": equity,
        "equity_balance": equity,
        "long_value": cents(Decimal(long)),
        "short_value": cents(Decimal(short)),
        "gross_exposure": cents(Decimal(long - short)),
        "net_exposure": cents(Decimal(long + short)),
        "cash_value": cents(max(NOTHING, equity - long - short)),
        **{f"daily_{name}": cents(value) for name, value in today.items()},
        **{f"cumulative_{name}": cents(value) for name, value in total.items()},
        "daily_return": (pnl / before if before > 0 else NOTHING).quantize(
            Decimal("0.000001"), ROUND_HALF_UP
        ),
    }
    if not held:
        figures = dict.fromkeys(figures, NOTHING)
    return {
        **figures,
        "num_positions": len(held),
        "num_long_positions": sum(units > 0 for units in held),
        "num_short_positions": sum(units < 0 for units in held),
    }


@pytest.mark.parametrize("case", CASES)
def test_snapshots_follow_the_rules(backfilled_cases: Book, case: str) -> None:
    portfolio = backfilled_cases.portfolio_named(case)
    start = Decimal(str(STARTING_EQUITY.get(case, 500_000) or 0))
    expected = pd.DataFrame(
        expected_snapshots(backfilled_cases, portfolio, start), index=pd.Index(DAYS), dtype=object
    )
    stored = backfilled_cases.snapshots(portfolio)[list(expected.columns)]
    differences = [
        f"{day} {name}: {stored.loc[day, name]} instead of {expected.loc[day, name]}"
        for day in DAYS
        for name in expected.columns
        if stored.loc[day, name] != expected.loc[day, name]
    ]
    assert list(stored.index) == list(DAYS)
    assert not differences
