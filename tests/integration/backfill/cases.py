"""Portfolios in which something happens, each built by one function on an empty portfolio."""

from collections.abc import Callable, Mapping
from datetime import date
from uuid import UUID

from tests.integration.backfill.book import DAYS, LONG_AGO, Book
from tests.integration.backfill.market import STOCKS

Build = Callable[[Book, UUID], None]

FRIDAY, SATURDAY, MONDAY = date(2025, 7, 11), date(2025, 7, 12), date(2025, 7, 14)
HOLE = "S11"
"""Has no price on DAYS[5] and DAYS[6]; `punch_holes` takes them away."""


def punch_holes(book: Book) -> None:
    for day in DAYS[5:7]:
        book.set_close(HOLE, day, None)


def _held(book: Book, p: UUID) -> None:
    book.position(p, "S00", 1000)
    book.position(p, "S01", 250.5)


def _short(book: Book, p: UUID) -> None:
    book.position(p, "S02", -700)


def _long_and_short_of_one_symbol(book: Book, p: UUID) -> None:
    book.position(p, "S03", 900)
    book.position(p, "S03", -400)


def _two_lots_of_one_symbol(book: Book, p: UUID) -> None:
    book.position(p, "S04", 300)
    book.position(p, "S04", 200, entry=DAYS[4], price="77.1234")


def _market_neutral(book: Book, p: UUID) -> None:
    price = book.closes.loc[DAYS[0]]
    book.position(p, "S05", round(100_000 / price["S05"], 4))
    book.position(p, "S06", -round(100_000 / price["S06"], 4))


def _late_entry(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.position(p, "S07", 400, entry=DAYS[4], price=float(book.closes["S07"][DAYS[4]]) + 1.5)


def _entry_on_a_weekend(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.position(p, "S08", 100, entry=SATURDAY, price="50")


def _entry_on_a_day_without_price(book: Book, p: UUID) -> None:
    book.position(p, HOLE, 100, entry=DAYS[5], price="60")


def _first_position_late(book: Book, p: UUID) -> None:
    book.flow(p, DAYS[2], 2500)
    book.position(p, "S01", 100, entry=DAYS[6], price="100.25")


def _exit_with_event(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    sold = book.position(p, "S01", 500, price="90", exit_date=DAYS[5], exit_price="120")
    book.sale(p, sold, DAYS[5], 500, 15_000)


def _exit_without_event(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.position(p, "S01", 500, price="90", exit_date=DAYS[5], exit_price="120")


def _none_of_it(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.position(p, "S01", 0)


def _exit_of_a_short(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    covered = book.position(p, "S02", -300, price="90", exit_date=DAYS[5], exit_price="80")
    book.sale(p, covered, DAYS[5], 300, 3000)


def _exit_without_price_or_event(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.position(p, "S01", 500, exit_date=DAYS[5])


def _exit_on_a_weekend(book: Book, p: UUID) -> None:
    sold = book.position(p, "S01", 500, price="90", exit_date=SATURDAY, exit_price="120")
    book.sale(p, sold, SATURDAY, 500, 15_000)
    book.position(p, "S02", 10, price="90", exit_date=SATURDAY, exit_price="70")


def _event_booked_after_the_exit(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    sold = book.position(p, "S01", 500, price="90", exit_date=DAYS[4], exit_price="120")
    book.sale(p, sold, DAYS[5], 500, 15_000)


def _partial_close(book: Book, p: UUID) -> None:
    sold = book.position(p, "S01", 300, price="90")
    book.sale(p, sold, DAYS[5], 200, 4321.09)


def _partial_closes_then_exit(book: Book, p: UUID) -> None:
    sold = book.position(p, "S01", 100, price="90", exit_date=DAYS[9], exit_price="111")
    book.sale(p, sold, DAYS[3], 200, 4000)
    book.sale(p, sold, DAYS[6], 50, -12.34)
    book.sale(p, sold, DAYS[9], 100, 2100)
    book.position(p, "S00", 100)


def _last_lots_on_the_day_of_the_exit(book: Book, p: UUID) -> None:
    sold = book.position(p, "S01", 60, price="90", exit_date=DAYS[6], exit_price="111")
    book.sale(p, sold, DAYS[6], 40, 800)
    book.sale(p, sold, DAYS[6], 60, 1260)


def _re_entry(book: Book, p: UUID) -> None:
    sold = book.position(p, "S01", 100, price="90", exit_date=DAYS[3], exit_price="111")
    book.sale(p, sold, DAYS[3], 100, 2100)
    book.position(p, "S01", 150, entry=DAYS[8], price="101.5")


def _soft_deleted(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.position(p, "S01", 100, deleted_at=f"{DAYS[6]} 15:00+00")
    book.position(p, "S02", 100, deleted_at="2025-05-05")


def _everything_closed_then_a_flow_then_open_again(book: Book, p: UUID) -> None:
    sold = book.position(p, "S01", 100, price="90", exit_date=DAYS[3], exit_price="111")
    book.sale(p, sold, DAYS[3], 100, 2100)
    book.flow(p, DAYS[6], -10_000)
    book.position(p, "S03", 100, entry=DAYS[9], price="70")


def _options(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.option(p, "OPT-LIVE", 10, expiration_date=date(2025, 12, 19))
    book.option(p, "OPT-OVER", -5, position_type="SC", expiration_date=FRIDAY)


def _option_with_prices(book: Book, p: UUID) -> None:
    book.option(p, "S05", 3, position_type="LP", expiration_date=date(2025, 12, 19))


def _option_settled_after_its_expiration(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    over = book.option(p, "OPT-OVER", 5, expiration_date=FRIDAY)
    book.sale(p, over, MONDAY, 5, -1250)


def _private_only(book: Book, p: UUID) -> None:
    book.private(p, "HOUSE", 400_000)
    book.private(p, "FUND", 90_000, market_value=120_000)
    book.private(p, "DEBT", 1_000, market_value=-5_000)
    book.private(p, "NIL", 2_000, market_value=0)


def _flows(book: Book, p: UUID) -> None:
    book.position(p, "S00", 100)
    book.flow(p, DAYS[0], 1000)
    book.flow(p, DAYS[3], 5000.55)
    book.flow(p, DAYS[3], -0.05)
    book.flow(p, SATURDAY, -2000)
    book.flow(p, date(2025, 7, 26), 777)
    book.flow(p, DAYS[4], 9999, deleted_at="2025-07-09")


def _stops_trading(book: Book, p: UUID) -> None:
    book.position(p, "GONE", 1000)
    book.position(p, "S00", 10)


def _hole_in_the_prices(book: Book, p: UUID) -> None:
    book.position(p, HOLE, 1000)


def _many_small_cents(book: Book, p: UUID) -> None:
    for number, symbol in enumerate(STOCKS):
        book.position(p, symbol, f"{number + 1}.3333", entry=LONG_AGO, price="55.5555")


def _nothing(book: Book, p: UUID) -> None:
    book.flow(p, DAYS[5], 100)


CASES: Mapping[str, Build] = {
    name.strip("_").replace("_", " "): build
    for name, build in list(globals().items())
    if name.startswith("_") and callable(build) and getattr(build, "__module__", "") == __name__
}

STARTING_EQUITY: Mapping[str, float | None] = {
    "held": 1_000_000.01,
    "stops trading": 0,
    "short": -250_000,
    "flows": None,
}


def build_all(book: Book) -> None:
    """One portfolio per case, in the same database."""
    with book.kept_open() as kept:
        for name, build in CASES.items():
            build(kept, kept.portfolio(name, STARTING_EQUITY.get(name, 500_000)))
        punch_holes(kept)


def two_portfolios(book: Book) -> tuple[UUID, UUID]:
    """Two ordinary portfolios."""
    with book.kept_open() as kept:
        first, second = kept.portfolio("one"), kept.portfolio("two")
        for portfolio, units in ((first, 500), (second, 900)):
            kept.position(portfolio, "S00", units)
            kept.position(portfolio, "S01", -units)
            kept.position(portfolio, "S02", units / 2, entry=DAYS[3], price="80")
    return first, second
