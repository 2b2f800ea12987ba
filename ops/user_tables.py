"""What belongs to users: the tables whose rows a cutover must not lose, and what of a row counts.

Left out of a row's content is what changes without a user: clock times that the application keeps,
and what each batch rolls forward; of an asset without a market, which no batch marks, the value is
content too. Left out of the rows are the documents that every backend seeds
by itself, and what verification's own chat has written.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import psycopg
from psycopg import errors as pg
from psycopg import sql
from sqlalchemy import JSON, Table

from app.agent.bounds import VERIFICATION_ROUTE
from app.agent.knowledge.documents import BUILTIN
from app.models import AiBase, Base
from ops.content_hash import canonical
from ops.demo.marker import DEMO_USERS
from ops.settings import operator_settings
from ops.sql_files import statement
from ops.table_groups import OWNED

Half = Literal["core", "ai"]

# A row's digest is the hash of its content, in hex, followed by one piece for each counted column,
# which tells what of a row changed.
CONTENT_DIGITS, _PIECE_DIGITS = 64, 16

_CLOCK = frozenset({"created_at", "updated_at"})
# By table, what a batch or a start of the backend writes on its own; and when a tag was put on,
# which seeding decides.
_APART: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "portfolios": frozenset({"equity_balance"}),
        "position_tags": frozenset({"assigned_at"}),
        "ai_kb_documents": frozenset({"embedding"}),
    }
)
# What a batch rolls forward where an asset has a market, and leaves alone where it has none.
_MARKED: Mapping[str, frozenset[str]] = MappingProxyType(
    {"positions": frozenset({"last_price", "market_value", "unrealized_pnl"})}
)
CLASS_COLUMN = "investment_class"
_NEVER_MARKED = "PRIVATE"
# Which model made a document's vector is no more the author's than the vector.
_KEYS_APART: Mapping[tuple[str, str], str] = MappingProxyType(
    {("ai_kb_documents", "metadata"): "embedding_model"}
)


@dataclass(frozen=True)
class UserTable:
    """A table whose rows belong to users. Its key is `id`.

    Attributes:
        database: which half of the pair holds it.
        group: the copy group that moves it.
        columns: all of them, in declared order.
        apart: those in which rows of equal content can differ.
        marked: those that every batch rolls forward, but of a row that `never_marked` is true of:
            there they are content.
    """

    name: str
    database: Half
    group: str
    columns: tuple[str, ...]
    apart: frozenset[str]
    marked: frozenset[str] = frozenset()

    @property
    def counted(self) -> tuple[str, ...]:
        """The columns of every row's content, without its key."""
        left_out = {"id", *self.apart}
        return tuple(name for name in self.columns if name not in left_out)

    def is_json(self, column: str) -> bool:
        """Whether a column holds JSON."""
        return isinstance(_model(self.name).columns[column].type, JSON)


@dataclass(frozen=True)
class Leftovers:
    """The rows of verification's own chat, as ids in text; usually none."""

    conversations: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


NO_LEFTOVERS = Leftovers()


def _table(name: str, group: str) -> UserTable:
    columns = tuple(column.name for column in _model(name).columns)
    half: Half = "ai" if name in AiBase.metadata.tables else "core"
    apart = _CLOCK | _APART.get(name, frozenset())
    return UserTable(name, half, group, columns, apart, _MARKED.get(name, frozenset()))


def _model(name: str) -> Table:
    return AiBase.metadata.tables.get(name, Base.metadata.tables.get(name))  # type: ignore[return-value]


# In the order of their references.
USER_TABLES: tuple[UserTable, ...] = tuple(
    _table(name, group) for group, names in OWNED.items() for name in names
)


def user_table(name: str) -> UserTable | None:
    """The user-owned table of this name, if it is one."""
    return next((table for table in USER_TABLES if table.name == name), None)


def user_tables(database: Half) -> tuple[UserTable, ...]:
    """The user-owned tables of one half, in the order of their references."""
    return tuple(table for table in USER_TABLES if table.database == database)


def row_digests(
    table: UserTable, leftovers: Leftovers = NO_LEFTOVERS, only: sql.Composable | None = None
) -> sql.Composed:
    """A query of (key uuid, digest text) for every row of a table of the new pair that counts.

    Digests can be compared within one database, over connections of `ops.connection.connect`.

    Args:
        only: a condition that takes some of the rows; by default all.
    """
    return sql.SQL("SELECT id AS key, {} AS digest FROM {} WHERE {} AND {}").format(
        content_digest(table),
        sql.Identifier("public", table.name),
        counts(table.name, leftovers) or sql.SQL("true"),
        only or sql.SQL("true"),
    )


def content_digest(table: UserTable, row: str | None = None) -> sql.Composed:
    """The digest of `row_digests`, of a row that goes by the name `row`."""
    columns = [content_expression(table, name, row) for name in table.counted]
    pieces = (
        sql.SQL(
            "coalesce(left(md5(convert_to(({})::text, 'UTF8')), {digits}), repeat('-', {digits}))"
        ).format(column, digits=_PIECE_DIGITS)
        for column in columns
    )
    return sql.SQL("encode(sha256(convert_to(ROW({})::text, 'UTF8')), 'hex') || {}").format(
        sql.SQL(", ").join(columns), sql.SQL(" || ").join(pieces)
    )


def piece_of(digest: sql.Composable, table: UserTable, column: str) -> sql.Composed:
    """What a digest says of one counted column alone; nothing in one of an earlier version."""
    first = CONTENT_DIGITS + table.counted.index(column) * _PIECE_DIGITS + 1
    return sql.SQL("substr({}, {}, {})").format(digest, first, _PIECE_DIGITS)


def content_expression(table: UserTable, column: str, row: str | None = None) -> sql.Composable:
    """A column in the form in which equal content has equal texts."""
    own = sql.Identifier(row, column) if row else sql.Identifier(column)
    if column in table.marked:
        return sql.SQL("CASE WHEN {} THEN {} END").format(
            never_marked(row), canonical(own, is_json=False)
        )
    key = _KEYS_APART.get((table.name, column))
    if key is not None:
        return sql.SQL(
            "CASE WHEN jsonb_typeof({0}::jsonb) = 'object' THEN {0}::jsonb - {1}::text"
            " ELSE {0}::jsonb END"
        ).format(own, sql.Literal(key))
    return canonical(own, is_json=table.is_json(column))


def never_marked(row: str | None = None) -> sql.Composed:
    """A condition: the position has no market, so that no batch rolls its value forward."""
    own = sql.Identifier(row, CLASS_COLUMN) if row else sql.Identifier(CLASS_COLUMN)
    return sql.SQL("{}::text IS NOT DISTINCT FROM {}").format(own, sql.Literal(_NEVER_MARKED))


# The column by which it is told whether a row of a table counts.
_TOLD_BY: Mapping[str, str] = MappingProxyType(
    {
        "agent_conversations": "id",
        "agent_messages": "conversation_id",
        "ai_memories": "tags",
        "ai_feedback": "message_id",
        "ai_kb_documents": "metadata",
    }
)


def counts(
    table: str, leftovers: Leftovers = NO_LEFTOVERS, present: Collection[str] | None = None
) -> sql.Composable | None:
    """A condition over a table's own columns, of whatever types: the row counts. None if all do.

    Args:
        present: the columns that a foreign table has; by default it has all.
    """
    column = _TOLD_BY.get(table, "")
    if not column or (present is not None and column not in present):
        return None
    text = sql.SQL("coalesce({}::text, '')").format(sql.Identifier(column))
    if table == "ai_kb_documents":
        # At the top alone: an object within belongs to the author.
        pattern = rf'^\s*\{{[^{{}}]*"seed"\s*:\s*"{BUILTIN}"[^{{}}]*\}}\s*$'
        return sql.SQL("{} !~ {}").format(text, sql.Literal(pattern))
    ids = leftovers.messages if table == "ai_feedback" else leftovers.conversations
    if not ids:
        return None
    if table == "ai_memories":
        pattern = rf'"conversation_id"\s*:\s*"({"|".join(ids)})"'
        return sql.SQL("{} !~ {}").format(text, sql.Literal(pattern))
    return sql.SQL("{} <> ALL({})").format(text, sql.Literal(list(ids)))


def leftovers_of(core: psycopg.Connection) -> Leftovers:
    """What verification's chat has left in a Core or legacy database; none where that has no such
    tables or columns. Reads in a savepoint, or in a transaction of its own."""
    emails = [*DEMO_USERS, *operator_settings().PROBE_ACCOUNTS]
    marked = {"emails": emails, "route": VERIFICATION_ROUTE}
    try:
        with core.transaction():
            conversations = _texts(core.execute(statement("leftovers"), marked))
            if not conversations:
                return NO_LEFTOVERS
            messages = core.execute(
                "SELECT id::text FROM agent_messages WHERE conversation_id::text = ANY(%s)",
                [list(conversations)],
            )
            return Leftovers(conversations, _texts(messages))
    except (pg.UndefinedTable, pg.UndefinedColumn):
        return NO_LEFTOVERS


def _texts(found: psycopg.Cursor) -> tuple[str, ...]:
    return tuple(sorted(row[0] for row in found if row[0] is not None))
