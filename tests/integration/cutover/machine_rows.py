"""Rows of each of users' tables, as the state machine's users write, change and delete them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from tests.integration.copy.owned_world import A_USER, B_USER

_FIRST, _END = 1000, 2000  # the machine's own ids
_TAGGERS = f"ARRAY[uuid '{A_USER}', '{B_USER}']"
_NOW = {"created_at": "now()", "updated_at": "now()"}
_OF_BOOK = {"portfolio_id": "{id}"}


@dataclass(frozen=True)
class RowOf:
    """How a row of a table is written.

    Attributes:
        says: the column that users change, to `1`, `2` or `3`; some tables change numbers only.
        values: the other columns, as SQL; `{id}` is the id that it shares with its parents.
        parents: tables whose row of the same id must be there.
        unique: whether no two rows may say the same.
        said, shown: how what it says is written, and read.
    """

    says: str
    values: Mapping[str, str]
    parents: tuple[str, ...] = ()
    unique: bool = False
    said: str = "'{}'"
    shown: str = "{}::text"


# Parents first.
ROWS = {
    "users": RowOf(
        "email",
        {"hashed_password": "'a$1'", "full_name": "'A'", "is_active": "true"} | _NOW,
        unique=True,
    ),
    "portfolios": RowOf(
        "description",
        {"user_id": "{id}", "name": "'Book'", "account_name": "'book'", "account_type": "'ira'"}
        | {"is_active": "true", "currency": "'USD'"}
        | _NOW,
        ("users",),
    ),
    "positions": RowOf(
        "quantity",
        {"symbol": "'AAPL'", "position_type": "'LONG'", "entry_price": "1.5"}
        | {"entry_date": "'2025-07-01'", "investment_class": "'PRIVATE'"}
        | _OF_BOOK
        | _NOW,
        ("portfolios",),
        shown="trim_scale({})::text",
    ),
    "equity_changes": RowOf(
        "notes",
        {"change_type": "'CONTRIBUTION'", "amount": "10", "change_date": "'2025-07-02'"}
        | {"created_by_user_id": "{id}"}
        | _OF_BOOK,
        ("portfolios",),
    ),
    "position_realized_events": RowOf(
        "realized_pnl",
        {"position_id": "{id}", "trade_date": "'2025-07-02'", "quantity_closed": "1"} | _OF_BOOK,
        ("positions",),
        shown="trim_scale({})::text",
    ),
    "tags_v2": RowOf("name", {"user_id": f"'{A_USER}'"}, unique=True),
    "position_tags": RowOf(
        "assigned_by",
        {"position_id": "{id}", "tag_id": "{id}"},
        ("positions", "tags_v2"),
        said=f"({_TAGGERS})[{{}}]",
        shown=f"coalesce(array_position({_TAGGERS}, {{}}), 3)::text",
    ),
    "portfolio_target_prices": RowOf(
        "analyst_notes",
        {"position_id": "{id}", "symbol": "'AAPL'", "position_type": "'LONG'"}
        | {"current_price": "2"}
        | _OF_BOOK
        | _NOW,
        ("positions",),
    ),
    "agent_conversations": RowOf(
        "provider_thread_id",
        {"user_id": "{id}", "mode": "'green'", "provider": "'openai'"}
        | {"metadata": "jsonb_build_object()"}
        | _NOW,
        ("users",),
    ),
    "agent_messages": RowOf(
        "content",
        {"conversation_id": "{id}", "role": "'user'", "tool_calls": "'[]'", "created_at": "now()"},
        ("agent_conversations",),
    ),
    "ai_memories": RowOf("content", {"user_id": "{id}", "scope": "'user'"}, ("users",)),
    "ai_feedback": RowOf("comment", {"message_id": "{id}", "rating": "'up'"}, ("agent_messages",)),
    "ai_kb_documents": RowOf("content", {"scope": "'global'", "title": "'A title'"}),
}
Key = tuple[str, int]
Told = dict[Key, str]


def write(key: Key, text: str) -> str:
    """A statement: the row says this, and is there if it was not."""
    (table, number), one = key, ROWS[key[0]]
    row = UUID(int=_FIRST + number)
    values = {"id": "{id}", one.says: one.said.format(text)} | one.values
    again = {one.says: f"EXCLUDED.{one.says}"} | {
        name: value for name, value in one.values.items() if name == "updated_at"
    }
    return (
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
        f" ON CONFLICT (id) DO UPDATE SET {', '.join(map(' = '.join, again.items()))}"
    ).replace("{id}", f"'{row}'")


def delete(key: Key) -> str:
    """A statement: the row is gone."""
    return f"DELETE FROM {key[0]} WHERE id = '{UUID(int=_FIRST + key[1])}'"


def read(table: str) -> str:
    """A query of the rows: number, what it says."""
    one = ROWS[table]
    return (
        f"SELECT id, {one.shown.format(one.says)} FROM {table}"
        f" WHERE id >= '{UUID(int=_FIRST)}' AND id < '{UUID(int=_END)}'"
    )


def number_of(row: object) -> int:
    """The number of a row's id."""
    return UUID(str(row)).int - _FIRST


def needed_by(key: Key) -> Iterator[Key]:
    """The rows that must be there before it, first ones first."""
    for parent in ROWS[key[0]].parents:
        yield from needed_by((parent, key[1]))
        yield parent, key[1]


def going_with(key: Key) -> Iterator[Key]:
    """The rows that users delete before it, in that order."""
    for table, one in ROWS.items():
        if key[0] in one.parents:
            yield from going_with((table, key[1]))
            yield table, key[1]
