"""The copy of users' rows against pipes of PostgreSQL's programs; a deletion against new rows.

The clock stops when parity has read the new pair's committed rows.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from app.models import Base
from benchmarks.copying import (
    Seconds,
    change,
    compared,
    copied_and_proved,
    dumped_and_restored,
    pipe,
)
from benchmarks.throwaway import databases
from ops.connection import connect
from ops.migrate import upgrade

ROUNDS = 3
MESSAGES = 400_000
MESSAGES_OF_A_POSITION = 5
TABLES = ("users", "portfolios", "positions", "agent_conversations", "agent_messages")
GROUPS = ("users", "chat")
_BOOKS = "ops.copy_fingerprints, ops.copied_keys, ops.copy_source, ops.starting_capital"
_EMPTY = f"TRUNCATE {_BOOKS}, users, agent_conversations CASCADE"

_BOOK = Path(__file__).parent / "sql" / "users_and_chat.sql"
_INSERT = """
INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)
SELECT gen_random_uuid(), id, 'user', 'How am I doing?', '[]', now()
FROM agent_conversations LIMIT 100
"""
_DELETE = "DELETE FROM agent_messages WHERE id = (SELECT id FROM agent_messages LIMIT 1)"


def run(messages: int = MESSAGES) -> list[dict[str, Any]]:
    """Alternate ours and what it is compared with; medians of each."""
    ours: list[Seconds] = []
    piped: list[float] = []
    restored: list[float] = []
    inserted: list[Seconds] = []
    deleted: list[Seconds] = []
    with databases("legacy", "core", "ai") as urls:
        legacy, core = urls["legacy"], urls["core"]
        _fill(legacy, messages)
        upgrade("core", core)
        for _ in range(ROUNDS):
            change(core, _EMPTY)
            piped.append(sum(pipe(table, legacy, core) for table in TABLES))
            restored.append(dumped_and_restored(legacy, urls["ai"]))
            change(core, _EMPTY)
            ours.append(copied_and_proved(legacy, core, None, GROUPS))
        for _ in range(ROUNDS):
            for written, seconds in ((_INSERT, inserted), (_DELETE, deleted)):
                change(legacy, written)
                seconds.append(copied_and_proved(legacy, core, None, GROUPS))
    after_inserts = [one.whole for one in inserted]
    rows = {"messages": messages, "positions": messages // MESSAGES_OF_A_POSITION}
    first = "users' first copy, with proof, over"
    lines = [
        compared(f"{first} psql | psql", ours, piped),
        compared(f"{first} pg_dump -Fc | pg_restore", ours, restored),
        compared("one message deleted, with proof, over 100 inserted", deleted, after_inserts),
    ]
    return [line | rows for line in lines]


def _fill(legacy: URL, messages: int) -> None:
    engine = create_engine(legacy)
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[name] for name in TABLES])
    engine.dispose()
    with connect(legacy, application_name="benchmark", autocommit=True) as connection:
        settings = {"messages": messages, "positions": messages // MESSAGES_OF_A_POSITION}
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", [f"bench.{name}", str(value)])
        connection.execute(_BOOK.read_bytes())
        connection.execute("VACUUM ANALYZE")


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    for line in run(parser.parse_args().messages):
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
