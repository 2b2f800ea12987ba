"""The demo book: what it holds, and the counts that follow from it by the rules."""

import csv
from collections import Counter
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

import bcrypt
import numpy as np
import pytest

from app.calculations.factors import REQUIRED_ETFS
from ops.demo.book import DemoPosition, demo_book
from ops.demo.book_rows import book_rows, password_hash
from ops.demo.catalogue import catalogue
from ops.demo.prices import generate_prices
from ops.errors import BadInputError
from ops.trading_calendar import trading_days

FIRST, LAST = date(2025, 7, 1), date(2025, 12, 19)
CLOSES_SAFELY = Decimal(10)
WEIGHTS_SAFELY = Decimal("0.00001")


def test_the_book_has_the_sizes_of_the_plan() -> None:
    book = demo_book()
    eligible = [one for one in book.positions if one.is_eligible]
    classes = Counter(one.investment_class for one in book.positions)
    assert (len(book.portfolios), len(book.positions)) == (11, 144)
    assert (len(eligible), len(book.held_symbols)) == (116, 73)
    assert classes == {"PUBLIC": 116, "OPTIONS": 8, "PRIVATE": 20}


def test_the_four_documented_users_own_portfolios() -> None:
    book = demo_book()
    owners = {one.user_id for one in book.portfolios.values()}
    documented = ("individual", "hnw", "hedgefundstyle", "familyoffice")
    wanted = {f"demo_{name}@sigmasight.com" for name in documented}
    assert wanted <= {user.email for user in book.users if user.id in owners}
    assert owners == {user.id for user in book.users}


def test_eligible_positions_are_open_before_the_first_day_at_whole_shares_and_known_prices() -> (
    None
):
    eligible = [one for one in demo_book().positions if one.is_eligible]
    assert max(one.entry_date for one in eligible) <= date(2025, 6, 30)
    assert len({one.entry_date for one in eligible}) >= 10
    assert all(one.quantity == int(one.quantity) for one in eligible)
    assert all(
        one.entry_price == Decimal(str(catalogue()[one.symbol].anchor_close)) for one in eligible
    )


def test_the_sign_of_the_quantity_says_long_or_short() -> None:
    for one in demo_book().positions:
        is_short = one.position_type in ("SHORT", "SC", "SP")
        assert (one.quantity < 0) == is_short, one.symbol
    kinds = Counter(one.position_type for one in demo_book().positions)
    assert set(kinds) == {"LONG", "SHORT", "LC", "LP", "SC", "SP"}


def test_options_carry_their_contract_and_some_expire_inside_the_range() -> None:
    options = [one for one in demo_book().positions if one.investment_class == "OPTIONS"]
    for one in options:
        assert one.underlying_symbol is not None
        assert one.strike_price is not None
        assert one.expiration_date is not None
        flag = one.position_type[1]
        contract = f"{one.expiration_date:%y%m%d}{flag}{int(one.strike_price * 1000):08d}"
        assert one.symbol == one.underlying_symbol + contract
        assert one.underlying_symbol in catalogue()
        assert one.entry_price == 0
    inside = [one for one in options if FIRST <= (one.expiration_date or LAST) <= LAST]
    assert 0 < len(inside) < len(options)


def test_every_symbol_fits_its_column() -> None:
    assert max(len(one.symbol) for one in demo_book().positions) <= 20


def test_one_portfolio_holds_private_assets_only() -> None:
    by_portfolio: dict[object, set[str]] = {}
    for one in demo_book().positions:
        by_portfolio.setdefault(one.portfolio_id, set()).add(one.investment_class)
    assert sum(classes == {"PRIVATE"} for classes in by_portfolio.values()) == 1


def test_ids_are_unique_and_the_same_every_time() -> None:
    ids = [one.id for one in demo_book().positions]
    assert len(set(ids)) == len(ids)
    assert str(demo_book().users[0].id) == "1c5a8f3a-ed34-5e6e-8be4-1754241a63d8"


def test_every_position_carries_a_tag_of_its_owner() -> None:
    book = demo_book()
    owner = {one.id: one.user_id for one in book.portfolios.values()}
    tagged = {one: tag.user_id for tag in book.tags for one in book.carriers[tag.id]}
    assert tagged == {one.id: owner[one.portfolio_id] for one in book.positions}


def test_the_catalogue_names_real_factors_and_required_etfs() -> None:
    held = set(demo_book().held_symbols)
    assert held | set(REQUIRED_ETFS) < set(catalogue())
    assert all(one.is_etf or one.sector for one in catalogue().values())
    missing_beta = [one for one in held if not catalogue()[one].profile_beta]
    assert 0 < len(missing_beta) < len(held)


# Portfolio-days with a passing symbol, and the sum of squared numbers of passing symbols, by a
# second implementation of the rules: plain loops and decimals, straight from the files.


@cache
def closes_by_day() -> dict[str, dict[date, Decimal]]:
    """Symbol -> day -> last close on or before that day."""
    prices = generate_prices()
    days: list[date] = prices.dates.tolist()
    result: dict[str, dict[date, Decimal]] = {}
    for symbol in demo_book().held_symbols:
        last, known = None, {}
        for day, close in zip(days, prices.close[:, prices.column[symbol]], strict=True):
            last = last if np.isnan(close) else Decimal(str(close))
            if last is not None:
                known[day] = last
        result[symbol] = known
    return result


def value_on(lot: dict[str, str], day: date) -> Decimal | None:
    if lot["investment_class"] == "OPTIONS":
        return None
    if lot["investment_class"] == "PRIVATE":
        return abs(Decimal(lot["quantity"])) * Decimal(lot["entry_price"])
    return abs(Decimal(lot["quantity"])) * closes_by_day()[lot["symbol"]][day]


def lots_by_portfolio() -> dict[str, list[dict[str, str]]]:
    text = files("ops.demo").joinpath("book.csv").read_text(encoding="utf-8")
    lots: dict[str, list[dict[str, str]]] = {}
    for lot in csv.DictReader(text.splitlines()):
        lots.setdefault(lot["portfolio"], []).append(lot)
    return lots


def passing(lots: list[dict[str, str]], day: date) -> tuple[set[str], bool]:
    """The distinct symbols that pass on a day, and whether no lot is close to the border."""
    values = [value_on(lot, day) for lot in lots]
    gross = sum((value for value in values if value is not None), Decimal(0))
    symbols, is_clear = set(), True
    for lot, value in zip(lots, values, strict=True):
        if value is None or lot["investment_class"] != "PUBLIC":
            continue
        weight = value / gross
        if value >= 10_000 and weight >= Decimal("0.01"):
            symbols.add(lot["symbol"])
        near_value = abs(value - 10_000) < CLOSES_SAFELY and weight >= Decimal("0.01")
        near_weight = abs(weight - Decimal("0.01")) < WEIGHTS_SAFELY and value >= 10_000
        is_clear &= not (near_value or near_weight)
    return symbols, is_clear


@cache
def numbers_passing() -> dict[str, list[int]]:
    """Portfolio -> number of passing symbols on each day of the range."""
    result: dict[str, list[int]] = {}
    for portfolio, lots in lots_by_portfolio().items():
        outcomes = [passing(lots, day) for day in trading_days(FIRST, LAST)]
        assert all(is_clear for _, is_clear in outcomes), portfolio
        result[portfolio] = [len(symbols) for symbols, _ in outcomes]
    return result


def test_the_rules_give_the_portfolio_days_and_pairs_of_the_plan() -> None:
    counts = [number for numbers in numbers_passing().values() for number in numbers]
    assert len(counts) == 11 * 121
    assert sum(number > 0 for number in counts) == 1_067
    assert sum(number**2 for number in counts) == 169_996


def test_eight_portfolios_pass_every_day_one_on_99_days_and_two_never() -> None:
    days = Counter(sum(n > 0 for n in numbers) for numbers in numbers_passing().values())
    assert days == {121: 8, 99: 1, 0: 2}
    assert not any(numbers_passing()["starter"])
    assert not any(numbers_passing()["family_private"])


def test_a_position_is_private_by_its_market_value() -> None:
    def consistent(one: DemoPosition) -> bool:
        priced = one.quantity * one.entry_price if one.investment_class == "PRIVATE" else None
        return one.market_value == priced

    assert all(consistent(one) for one in demo_book().positions)


def test_the_shared_password_is_hashed_with_bcrypt_and_a_salt_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.demo.book_rows.BCRYPT_COST", 4)
    first, second = password_hash("correct horse"), password_hash("correct horse")
    assert first != second
    assert {row["hashed_password"] for row in book_rows(first)["users"]} == {first}
    for stored in (first, second):
        assert stored.startswith("$2b$04$")
        assert bcrypt.checkpw(b"correct horse", stored.encode())
        assert not bcrypt.checkpw(b"another", stored.encode())


@pytest.mark.parametrize("password", ["", "x" * 73, "ä" * 37, "nul\0"])
def test_a_password_that_bcrypt_cannot_take_is_refused(password: str) -> None:
    with pytest.raises(BadInputError, match="DEMO_PASSWORD"):
        password_hash(password)
