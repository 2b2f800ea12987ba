"""The demo book: users, portfolios, positions and tags, read from `book.toml` and `book.csv`.

Ids are derived from natural keys, so every database that holds the book holds the same ids.
"""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid5

from ops.demo.catalogue import catalogue

_NAMESPACE = UUID("5f0c3f0e-6c1d-5d0f-9a53-0c6a4be7c1d2")

# When the book was set up. Columns that content hashes compare must not hold the clock's time.
BOOK_TIME = datetime(2025, 6, 30, 21, 0, tzinfo=UTC)


@dataclass(frozen=True)
class DemoUser:
    """Someone who logs in; all demo users share one password."""

    id: UUID
    email: str
    full_name: str


@dataclass(frozen=True)
class DemoPortfolio:
    """An account of a user. `equity_balance` is its starting capital in dollars."""

    id: UUID
    user_id: UUID
    name: str
    account_name: str
    account_type: str
    description: str
    equity_balance: Decimal


@dataclass(frozen=True)
class DemoPosition:
    """A lot. Shorts have a negative quantity; options and private assets are never eligible.

    `entry_price` is in dollars per unit. A listed position carries the close of 30 June 2025
    whatever its entry date, because the book was marked to market when it was taken over.
    `market_value` is set where no market gives a price: private assets.
    """

    id: UUID
    portfolio_id: UUID
    symbol: str
    position_type: str
    quantity: Decimal
    entry_price: Decimal
    entry_date: date
    investment_class: str
    investment_subtype: str
    underlying_symbol: str | None
    strike_price: Decimal | None
    expiration_date: date | None
    market_value: Decimal | None

    @property
    def is_eligible(self) -> bool:
        """Whether the position gets factor exposures: listed, and no option."""
        return self.investment_class == "PUBLIC" and self.position_type in ("LONG", "SHORT")


@dataclass(frozen=True)
class DemoTag:
    """A user's label."""

    id: UUID
    user_id: UUID
    name: str
    color: str
    description: str
    display_order: int
    usage_count: int


@dataclass(frozen=True)
class DemoBook:
    """The whole book: portfolios by their keys in its file, `carriers` of each tag by its id."""

    users: tuple[DemoUser, ...]
    portfolios: Mapping[str, DemoPortfolio]
    positions: tuple[DemoPosition, ...]
    tags: tuple[DemoTag, ...]
    carriers: Mapping[UUID, Sequence[UUID]]

    @property
    def held_symbols(self) -> tuple[str, ...]:
        """The symbols of eligible positions, in alphabetical order."""
        return tuple(sorted({one.symbol for one in self.positions if one.is_eligible}))


@lru_cache
def demo_book() -> DemoBook:
    """Read the book."""
    people = tomllib.loads(_text("book.toml"))
    lots = list(csv.DictReader(_text("book.csv").splitlines()))
    users = tuple(
        DemoUser(derived_id("user", one["email"]), one["email"], one["full_name"])
        for one in people["users"]
    )
    portfolios = {one["key"]: _portfolio(one) for one in people["portfolios"]}
    owners = {one["key"]: one["user"] for one in people["portfolios"]}
    positions = tuple(_position(portfolios[lot["portfolio"]], lot) for lot in lots)
    carriers: dict[UUID, list[UUID]] = {}
    for lot, position in zip(lots, positions, strict=True):
        tag = derived_id("tag", owners[lot["portfolio"]], lot["tag"])
        carriers.setdefault(tag, []).append(position.id)
    tags = _tags(people["tags"], users, carriers)
    return DemoBook(users, portfolios, positions, tags, carriers)


def _portfolio(row: dict[str, str]) -> DemoPortfolio:
    return DemoPortfolio(
        id=derived_id("portfolio", row["user"], row["account_name"]),
        user_id=derived_id("user", row["user"]),
        name=row["name"],
        account_name=row["account_name"],
        account_type=row["account_type"],
        description=row["description"],
        equity_balance=Decimal(row["equity"]),
    )


def _position(portfolio: DemoPortfolio, lot: dict[str, str]) -> DemoPosition:
    quantity = Decimal(lot["quantity"])
    price = _entry_price(lot)
    private = lot["investment_class"] == "PRIVATE"
    return DemoPosition(
        id=derived_id("position", str(portfolio.id), lot["symbol"], lot["lot"]),
        portfolio_id=portfolio.id,
        symbol=lot["symbol"],
        position_type=lot["position_type"],
        quantity=quantity,
        entry_price=price,
        entry_date=date.fromisoformat(lot["entry_date"]),
        investment_class=lot["investment_class"],
        investment_subtype=lot["investment_subtype"],
        underlying_symbol=lot["underlying_symbol"] or None,
        strike_price=Decimal(lot["strike_price"]) if lot["strike_price"] else None,
        expiration_date=date.fromisoformat(lot["expiration_date"])
        if lot["expiration_date"]
        else None,
        market_value=quantity * price if private else None,
    )


def _entry_price(lot: dict[str, str]) -> Decimal:
    """Listed positions leave the column empty: their symbol's close of the anchor date holds."""
    if lot["entry_price"]:
        return Decimal(lot["entry_price"])
    return Decimal(str(catalogue()[lot["symbol"]].anchor_close))


def _tags(
    definitions: list[dict[str, Any]],
    users: tuple[DemoUser, ...],
    carriers: Mapping[UUID, Sequence[UUID]],
) -> tuple[DemoTag, ...]:
    """One tag per user and label that the user's positions carry."""
    return tuple(
        DemoTag(
            id=id_,
            user_id=user.id,
            name=tag["name"],
            color=tag["color"],
            description=tag["description"],
            display_order=order,
            usage_count=len(carriers[id_]),
        )
        for user in users
        for order, tag in enumerate(definitions)
        if (id_ := derived_id("tag", user.email, tag["name"])) in carriers
    )


def derived_id(*natural_key: str) -> UUID:
    """The id that belongs to a natural key of the demo."""
    return uuid5(_NAMESPACE, "/".join(natural_key))


def _text(name: str) -> str:
    return files("ops.demo").joinpath(name).read_text(encoding="utf-8")
