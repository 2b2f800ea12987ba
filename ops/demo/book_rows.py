"""The demo book as table rows, complete for COPY or INSERT, in the order of the foreign keys."""

from collections.abc import Iterable
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
        "users": _rows(book.users, hashed_password=shared_hash, is_active=True),
        "portfolios": _rows(book.portfolios.values(), currency="USD", is_active=True),
        "positions": _rows(book.positions),
        "tags_v2": _rows(book.tags, is_archived=False),
        "position_tags": _assignment_rows(book),
    }


def _rows(entries: Iterable[object], **same: Any) -> list[Row]:
    """Entries are named as their columns; `same` stands in all of them."""
    same |= {"created_at": BOOK_TIME, "updated_at": BOOK_TIME}
    return [vars(entry) | same for entry in entries]


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
        for position_id in book.carriers[tag.id]
    ]
