"""The copy of users' rows against two psql in a pipe; a message that is deleted, against new ones.

The clock stops when parity has read the new pair's committed rows.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from app.models import Base
from benchmarks.market_copy import pipe
from benchmarks.throwaway import databases
from ops.connection import connect
from ops.copy import copy_delta, delta_parity
from ops.migrate import upgrade

ROUNDS = 3
MESSAGES = 400_000
MESSAGES_OF_A_POSITION = 5
TABLES = ("users", "portfolios", "positions", "agent_conversations", "agent_messages")
GROUPS = ("users", "chat")
_BOOKS = "ops.copy_fingerprints, ops.copied_keys, ops.copy_source, ops.starting_capital"

_BOOK = Path(__file__).parent / "sql" / "users_and_chat.sql"
_INSERT = """
INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)
SELECT gen_random_uuid(), id, 'user', 'How am I doing?', '[]', now()
FROM agent_conversations LIMIT 100
"""
_DELETE = "DELETE FROM agent_messages WHERE id = (SELECT id FROM agent_messages LIMIT 1)"


def run(messages: int = MESSAGES) -> list[dict[str, Any]]:
    """Alternate ours and what it is compared with; medians of each."""
    ours, peer, copying = [], [], []
    inserted: list[float] = []
    deleted: list[float] = []
    with databases("legacy", "core") as urls:
        legacy, core = urls["legacy"], urls["core"]
        _fill(legacy, messages)
        upgrade("core", core)
        for _ in range(ROUNDS):
            _empty(core)
            peer.append(sum(pipe(table, legacy, core) for table in TABLES))
            _empty(core)
            copied, proved = _copied_and_proved(legacy, core)
            copying.append(copied)
            ours.append(copied + proved)
        for _ in range(ROUNDS):
            for change, seconds in ((_INSERT, inserted), (_DELETE, deleted)):
                _change(legacy, change)
                seconds.append(sum(_copied_and_proved(legacy, core)))
    rows = {"messages": messages, "positions": messages // MESSAGES_OF_A_POSITION}
    return [
        _line("users' first copy, with proof, over psql | psql", ours, peer)
        | rows
        | {"copy_seconds": round(statistics.median(copying), 2)},
        _line("one message deleted, with proof, over 100 inserted", deleted, inserted) | rows,
    ]


def _line(name: str, ours: list[float], peer: list[float]) -> dict[str, Any]:
    ours_seconds, peer_seconds = statistics.median(ours), statistics.median(peer)
    return {
        "benchmark": name,
        "ours_seconds": round(ours_seconds, 2),
        "peer_seconds": round(peer_seconds, 2),
        "ratio": round(ours_seconds / peer_seconds, 2),
    }


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


def _empty(core: URL) -> None:
    _change(core, f"TRUNCATE {_BOOKS}, users, agent_conversations CASCADE")


def _change(url: URL, query: str) -> None:
    with connect(url, application_name="benchmark", autocommit=True) as connection:
        connection.execute(query.encode())


def _copied_and_proved(legacy: URL, core: URL) -> tuple[float, float]:
    started = time.monotonic()
    copy_delta(legacy, core, None, GROUPS)
    copied = time.monotonic()
    found = delta_parity(legacy, core, None, GROUPS)
    if not all(table.holds for table in found):
        raise RuntimeError(f"the copy is not what legacy has: {found}")
    return copied - started, time.monotonic() - copied


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    for line in run(parser.parse_args().messages):
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
