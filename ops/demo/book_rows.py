"""The demo book as table rows, complete for COPY or INSERT, in the order of the foreign keys."""

from typing import Any

import bcrypt

from ops.demo.book import BOOK_TIME, DemoBook, demo_book, derived_id
from ops.errors import BadInputError

Row = dict[str, Any]

BCRYPT_COST = 11
LONGEST_PASSWORD_BYTES = 72  # bcrypt reads no more


def password_hash(password: str) -> str:
    """The bcrypt hash that all demo users share.

    Raises:
        BadInputError: the password is empty, too long for bcrypt, or holds a NUL character.
    """
    encoded = password.encode()
    if not encoded:
        raise BadInputError("the demo password is empty; set DEMO_PASSWORD to a text")
    if len(encoded) > LONGEST_PASSWORD_BYTES or b"\0" in encoded:
        raise BadInputError(
            f"the demo password has more than {LONGEST_PASSWORD_BYTES} bytes or a NUL character; "
            "choose another DEMO_PASSWORD"
        )
    return bcrypt.hashpw(encoded, bcrypt.gensalt(BCRYPT_COST)).decode()


def book_rows(shared_hash: str) -> dict[str, list[Row]]:
    """Rows by table for users, portfolios, positions, tags and their assignment."""
    book = demo_book()
    return {
        "users": [
            {
                "id": user.id,
                "email": user.email,
                "hashed_password": shared_hash,
                "full_name": user.full_name,
                "is_active": True,
                **_times(),
            }
            for user in book.users
        ],
        "portfolios": _portfolio_rows(book),
        "positions": _position_rows(book),
        "tags_v2": _tag_rows(book),
        "position_tags": _assignment_rows(book),
    }


def _portfolio_rows(book: DemoBook) -> list[Row]:
    return [
        {
            "id": portfolio.id,
            "user_id": portfolio.user_id,
            "name": portfolio.name,
            "account_name": portfolio.account_name,
            "account_type": portfolio.account_type,
            "is_active": True,
            "description": portfolio.description,
            "currency": "USD",
            "equity_balance": portfolio.equity,
            **_times(),
        }
        for portfolio in book.portfolios
    ]


def _position_rows(book: DemoBook) -> list[Row]:
    return [
        {
            "id": position.id,
            "portfolio_id": position.portfolio_id,
            "symbol": position.symbol,
            "position_type": position.position_type,
            "quantity": position.quantity,
            "entry_price": position.entry_price,
            "entry_date": position.entry_date,
            "underlying_symbol": position.underlying_symbol,
            "strike_price": position.strike_price,
            "expiration_date": position.expiration_date,
            "investment_class": position.investment_class,
            "investment_subtype": position.investment_subtype,
            "market_value": position.market_value,
            **_times(),
        }
        for position in book.positions
    ]


def _tag_rows(book: DemoBook) -> list[Row]:
    return [
        {
            "id": tag.id,
            "user_id": tag.user_id,
            "name": tag.name,
            "color": tag.color,
            "description": tag.description,
            "display_order": tag.display_order,
            "usage_count": len(tag.position_ids),
            "is_archived": False,
            **_times(),
        }
        for tag in book.tags
    ]


def _assignment_rows(book: DemoBook) -> list[Row]:
    return [
        {
            "id": derived_id("position tag", str(position_id), str(tag.id)),
            "position_id": position_id,
            "tag_id": tag.id,
            "assigned_at": BOOK_TIME,
            "assigned_by": tag.user_id,
        }
        for tag in book.tags
        for position_id in tag.position_ids
    ]


def _times() -> Row:
    return {"created_at": BOOK_TIME, "updated_at": BOOK_TIME}
