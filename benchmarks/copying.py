"""A copy with its proof, part by part, and what it is compared with."""

import os
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.connection import connect
from ops.copy import TableProgress, copy_delta, delta_parity
from ops.embedded.account import server_account
from ops.embedded.binaries import program_folder

_PARTS = {"indexing": "indexes", "hashing": "proof"}


class Seconds(defaultdict[str, float]):
    """The seconds of a copy by part: copy, indexes (with the analysis after them), proof."""

    def __init__(self) -> None:
        super().__init__(float)
        self._part, self._since = "copy", time.monotonic()

    def enter(self, part: str) -> None:
        """End one part and begin another."""
        now = time.monotonic()
        self[self._part] += now - self._since
        self._part, self._since = part, now

    @property
    def whole(self) -> float:
        return sum(self.values())

    def watch(self, progress: TableProgress) -> None:
        """Follow the steps of a copy."""
        self.enter(_PARTS.get(progress.step, "copy"))


def copied_and_proved(legacy: URL, core: URL, ai: URL | None, groups: Sequence[str]) -> Seconds:
    """A copy's whole call, until its proof has read the new pair's committed rows."""
    seconds = Seconds()
    copy_delta(legacy, core, ai, groups, on_progress=seconds.watch)
    seconds.enter("proof")
    found = delta_parity(legacy, core, ai, groups)
    seconds.enter("")
    if not all(table.holds for table in found):
        raise RuntimeError(f"the copy is not what legacy has: {found}")
    return seconds


def compared(name: str, ours: Sequence[Seconds], peer: Sequence[float]) -> dict[str, Any]:
    """A line of the table: medians, and of ours its parts."""
    whole = statistics.median(one.whole for one in ours)
    floor = statistics.median(peer)
    parts = {
        f"{part}_seconds": round(statistics.median(one[part] for one in ours), 2)
        for part in ("copy", "indexes", "proof")
    }
    line = {"benchmark": name, "ours_seconds": round(whole, 2), "peer_seconds": round(floor, 2)}
    return line | {"ratio": round(whole / floor, 2)} | parts


def change(url: URL, query: str) -> None:
    """Execute a statement."""
    with connect(url, application_name="benchmark", autocommit=True) as connection:
        connection.execute(query.encode())


def pipe(table: str, legacy: URL, target: URL, form: str = "binary") -> float:
    """Copy a table by two psql in a pipe; the seconds that it took."""
    model = {**Base.metadata.tables, **AiBase.metadata.tables}[table]
    rows = f"{table} ({', '.join(column.name for column in model.columns)})"
    return _piped(
        ["psql", "-X", "-q", "-c", f"COPY {rows} TO STDOUT (FORMAT {form})"],
        legacy,
        ["psql", "-X", "-q", "-c", f"COPY {rows} FROM STDIN (FORMAT {form})"],
        target,
    )


def dumped_and_restored(legacy: URL, empty: URL) -> float:
    """The seconds of pg_dump | pg_restore of all tables into a database that is emptied before."""
    change(empty, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    dump = ["pg_dump", "-Fc", "--exclude-extension=vector"]  # none of the tables has a vector
    return _piped(dump, legacy, ["pg_restore", "--no-owner", "--no-acl"], empty)


def _piped(source: list[str], legacy: URL, sink: list[str], target: URL) -> float:
    started = time.monotonic()
    with (
        _started(source, legacy, stdout=subprocess.PIPE) as reading,
        _started(sink, target, stdin=reading.stdout) as writing,
    ):
        pass
    if reading.returncode or writing.returncode:
        raise RuntimeError(f"{source[0]} | {sink[0]} failed; the message stands above")
    return time.monotonic() - started


def _started(words: list[str], url: URL, **pipes: Any) -> subprocess.Popen[bytes]:
    program = program_folder(server_account()) / words[0]
    address = ["-h", url.host, "-p", str(url.port), "-U", url.username, "-d", url.database]
    arguments = [str(program), *words[1:], *map(str, address)]
    return subprocess.Popen(arguments, env={**os.environ, "PGPASSWORD": str(url.password)}, **pipes)
