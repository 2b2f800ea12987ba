"""A small world of users' rows on both halves of a pair, and what users do to it."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4
from zipfile import ZipFile

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.carrying.changes import bring_to_ai, changes_since_swap
from ops.carrying.export import export_changes
from ops.carrying.rollback_price import RollbackPrice, price_of, recomputable
from ops.connection import connect
from ops.user_tables import Half, content_digest, user_tables
from ops.write_lock.lock import lock_writes, release_lock_in

ALICE, BOB = (UUID(int=n) for n in (1, 2))
BOOK, CLOSED_BOOK = (UUID(int=n) for n in (11, 12))
APPLE, TESLA = (UUID(int=n) for n in (21, 22))
GROWTH = UUID(int=31)
TAGGED = UUID(int=41)
CHAT = UUID(int=51)
QUESTION, ANSWER = (UUID(int=n) for n in (61, 62))
MEMORY = UUID(int=71)
RATING = UUID(int=81)
DOCUMENT = UUID(int=91)
MOMENT = "2025-12-01 09:30:00.123456+00"


Statement = tuple[str, tuple[object, ...]]


class Pair(NamedTuple):
    """The addresses of Core and AI."""

    core: URL
    ai: URL


# By address, of the databases that stay.
_kept: dict[URL, psycopg.Connection] = {}


@contextmanager
def kept_open(urls: Sequence[URL]) -> Iterator[None]:
    """Keep a session open in each database, for what tests do and see there themselves: to open one
    takes longer than what it is for."""
    with ExitStack() as sessions:
        for url in urls:
            _kept[url] = sessions.enter_context(connect(url, application_name="tests"))
            _kept[url].prepare_threshold = None  # tables change their shape
        yield
        _kept.clear()


@contextmanager
def session_of(url: URL) -> Iterator[psycopg.Connection]:
    """The session that is kept open there, or a new one, in a transaction."""
    if (kept := _kept.get(url)) is None:
        with connect(url, application_name="tests") as session:
            yield session
    else:
        with kept.transaction():
            yield kept


def rollback_price(core: URL, ai: URL) -> RollbackPrice:
    """Compare what users own on the new pair with what the swap left; nothing is carried."""
    with changes_since_swap(core, ai) as changes:
        price = price_of(changes)
        return replace(price, recomputable=recomputable(changes.core, changes.since))


def export_losses(core: URL, ai: URL, path: Path) -> int:
    """Write what users wrote since the swap into a new file; how many rows."""
    with changes_since_swap(core, ai) as changes:
        bring_to_ai(changes)
        return export_changes(changes, path)


_CORE = (
    (
        "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
        " updated_at) VALUES (%s, 'alice@example.com', 'a$1', 'Alice', true, %s, %s),"
        " (%s, 'bob@example.com', 'b$1', 'Bob', true, %s, %s)",
        [ALICE, MOMENT, MOMENT, BOB, MOMENT, MOMENT],
    ),
    (
        "INSERT INTO portfolios (id, user_id, name, account_name, account_type, currency,"
        " equity_balance, created_at, updated_at)"
        " VALUES (%s, %s, 'Main', 'main', 'taxable', 'USD', 1000000.00, %s, %s)",
        [BOOK, ALICE, MOMENT, MOMENT],
    ),
    (
        "INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price,"
        " entry_date, market_value, created_at, updated_at) VALUES"
        " (%s, %s, 'AAPL', 'LONG', 100.5, 150.25, '2025-01-02', 15000, %s, %s),"
        " (%s, %s, 'TSLA', 'SHORT', -20, 240.1234, '2025-02-03', -4800, %s, %s)",
        [APPLE, BOOK, MOMENT, MOMENT, TESLA, BOOK, MOMENT, MOMENT],
    ),
    (
        "INSERT INTO tags_v2 (id, user_id, name, created_at, updated_at)"
        " VALUES (%s, %s, 'growth', %s, %s)",
        [GROWTH, ALICE, MOMENT, MOMENT],
    ),
    (
        "INSERT INTO position_tags (id, position_id, tag_id) VALUES (%s, %s, %s)",
        [TAGGED, APPLE, GROWTH],
    ),
    (
        "INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
        " metadata) VALUES (%s, %s, 'green', 'openai', %s, %s, %s)",
        [CHAT, ALICE, MOMENT, MOMENT, Jsonb({"route": "/home", "n": 1.50})],
    ),
    (
        "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)"
        " VALUES (%s, %s, 'user', 'What do I hold?', '[]', %s),"
        " (%s, %s, 'assistant', 'Shares.', '[]', %s)",
        [QUESTION, CHAT, MOMENT, ANSWER, CHAT, MOMENT],
    ),
)
_AI = (
    (
        "INSERT INTO ai_memories (id, user_id, scope, content, tags)"
        " VALUES (%s, %s, 'user', 'prefers tables', '{}')",
        [MEMORY, ALICE],
    ),
    ("INSERT INTO ai_feedback (id, message_id, rating) VALUES (%s, %s, 'up')", [RATING, ANSWER]),
    (
        "INSERT INTO ai_kb_documents (id, scope, title, content, metadata, created_at, embedding)"
        " VALUES (%s, 'global', 'A note', 'Text.', '{}', %s,"
        " array_fill(0.1::real, ARRAY[1536])::vector)",
        [DOCUMENT, MOMENT],
    ),
)


def fill(core: URL, ai: URL) -> None:
    """Write the world: two users, a book of two positions, a chat, what the agent learned of it."""
    for url, statements in ((core, _CORE), (ai, _AI)):
        with session_of(url) as session:
            for query, values in statements:
                session.execute(query, values)


_TEXT = 'line\n\\.\nnext\ttab \\N \\. "quoted" \u2028 żółć 🜚 \x01'


def write_everything(core: URL, ai: URL) -> None:
    """Inserts, updates and deletes of many tables, with values that are easily lost."""
    carol, chat = uuid4(), uuid4()
    of_core: tuple[Statement, ...] = (
        (
            "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
            " updated_at) VALUES (%s, 'carol@example.com', 'c', %s, true, now(), now())",
            (carol, _TEXT),
        ),
        (
            "INSERT INTO portfolios (id, user_id, name, account_name, account_type, currency,"
            " equity_balance, created_at, updated_at)"
            " VALUES (%s, %s, '', 'main', 'taxable', 'USD', 0.10, now(), now())",
            (carol, carol),
        ),
        ("UPDATE users SET full_name = 'Alice B.', updated_at = now() WHERE id = %s", (ALICE,)),
        (
            "INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price,"
            " entry_date, notes, created_at, updated_at) VALUES"
            " (%s, %s, 'O:AAPL', 'SC', -0.0001, 'NaN', '2025-12-09', %s, now(), now())",
            (carol, carol, _TEXT),
        ),
        ("UPDATE positions SET quantity = 99999999.9999, market_value = 1 WHERE id = %s", (APPLE,)),
        ("UPDATE positions SET deleted_at = now(), notes = '' WHERE id = %s", (TESLA,)),
        ("DELETE FROM tags_v2 WHERE id = %s", (GROWTH,)),
        ("INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'growth')", (carol, ALICE)),
        (
            "INSERT INTO position_tags (id, position_id, tag_id) VALUES (%s, %s, %s)",
            (carol, APPLE, carol),
        ),
        (
            "INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
            " metadata) VALUES (%s, %s, 'green', 'openai', '2025-12-09 10:00:00.000001+05',"
            " now(), %s)",
            (chat, carol, Jsonb({"deep": [{"n": 12345678901234567890.123, "t": _TEXT}]})),
        ),
        (
            "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, error,"
            " created_at) VALUES (%s, %s, 'user', %s, '[]', 'null', now())",
            (carol, chat, _TEXT * 1000),
        ),
        ("DELETE FROM agent_messages WHERE id = %s", (QUESTION,)),
    )
    of_ai: tuple[Statement, ...] = (
        ("DELETE FROM ai_memories WHERE id = %s", (MEMORY,)),
        ("UPDATE ai_feedback SET rating = 'down', comment = ''", ()),
        (
            "INSERT INTO ai_kb_documents (id, scope, title, content, embedding) VALUES"
            " (%s, 'global', 'T', %s, (SELECT array_agg(1 / n::real)::vector"
            " FROM generate_series(3, 1538) AS n))",
            (carol, _TEXT),
        ),
        ("UPDATE ai_kb_documents SET content = 'x', embedding = NULL WHERE id = %s", (DOCUMENT,)),
        ("INSERT INTO ai_feedback (message_id, rating) VALUES (%s, 'up')", (carol,)),
    )
    for url, statements in ((core, of_core), (ai, of_ai)):
        with session_of(url) as session:
            for query, values in statements:
                session.execute(query.encode(), values)


def run(url: URL, query: str, *values: object) -> None:
    """One statement, committed."""
    with session_of(url) as session:
        session.execute(query.encode(), values)


def rows_of(url: URL, query: str, *values: object) -> list[tuple[object, ...]]:
    """What a query gives."""
    with session_of(url) as session:
        return session.execute(query.encode(), values).fetchall()


def reshape(legacy: URL, *statements: str, lock: bool = True) -> None:
    """Take the lock off the old database, run statements, and lock it again."""
    with session_of(legacy) as session:
        release_lock_in(session)
        for query in statements:
            session.execute(query.encode())
        if lock:
            lock_writes(session)


def contents(core: URL, ai: URL) -> dict[str, set[tuple[object, ...]]]:
    """Table → key and content digest of every row."""
    found = {}
    for half, url in (("core", core), ("ai", ai)):
        with session_of(url) as session:
            for name, query in _digests(half):  # type: ignore[arg-type]
                found[name] = set(session.execute(query))
    return found


@cache
def _digests(half: Half) -> list[tuple[str, bytes]]:
    return [
        (
            table.name,
            sql.SQL("SELECT t.id, {} FROM {} AS t")
            .format(content_digest(table, "t"), sql.Identifier(table.name))
            .as_bytes(),
        )
        for table in user_tables(half)
    ]


def exported(path: Path) -> dict[str, list[dict[str, str]]]:
    """Table → the rows of its CSV in a file of losses."""
    with ZipFile(path) as archive:
        return {
            name.removesuffix(".csv"): list(
                csv.DictReader(io.StringIO(archive.read(name).decode()))
            )
            for name in archive.namelist()
            if name.endswith(".csv")
        }


def empty(core: URL, ai: URL) -> None:
    """Take everything out again that tests and cutovers have left."""
    _delete_all(core, *_ANALYTICS, *_owned("core"), *_CUTOVER)
    _delete_all(ai, *_owned("ai"))


def empty_legacy(url: URL) -> None:
    """The same of an old database."""
    _delete_all(url, *_owned("ai"), *_ANALYTICS, *_owned("core"))


_ANALYTICS = (
    "pairwise_correlations",
    "correlation_calculations",
    "portfolio_snapshots",
    "position_greeks",
)
_CUTOVER = ("ops.cutovers", "ops.cutover_baseline", "ops.cutover_baseline_moment")


def _owned(half: Half) -> list[str]:
    return [table.name for table in reversed(user_tables(half))]


def _delete_all(url: URL, *tables: str) -> None:
    with session_of(url) as session:
        for table in tables:
            session.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table.split("."))))
