"""What a copy tells: while it runs, and when it is done."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import psycopg

Path = Literal["direct", "staged", "delta", "unchanged", "absent"]
Step = Literal["hashing", "reading", "indexing", "merging", "done"]

SECONDS_BETWEEN_REPORTS = 0.5


@dataclass(frozen=True)
class TableProgress:
    """How far the copy of a table is.

    Attributes:
        rows: read so far.
        total: rows of the source.
    """

    table: str
    step: Step
    rows: int
    total: int


Guard = Callable[[psycopg.Connection], None]
OnProgress = Callable[[TableProgress], None]


@dataclass(frozen=True)
class TableReport:
    """What became of the rows of a table; `source_rows` are `accepted` plus all `rejected`.

    Attributes:
        path: `direct` into the empty table, `staged` and merged, `delta` if only what was written
            since the last copy was, `unchanged` since then, or `absent` from legacy.
        rejected: how many rows for which kind of reason; each row stands in ops.copy_rejects.
        rounded: by column, how many of the rows that were read had a number of more decimals than
            Core's type keeps.
        unchanged: accepted rows that Core held already, equal.
        deleted: rows that were copied once, that legacy has deleted since, and that are gone now.
        left_out: rows of legacy that are nobody's: documents that each backend seeds by itself, and
            what verification's own chat left. They are beside `source_rows`.
        namesakes: relations of the same name in other schemas of legacy, which were not read.
        ignored_columns: legacy has them, Core does not.
        filled_columns: Core has them, legacy does not: NULL, or a default where NULL is not
            allowed.
        seconds: without the hashing, whose time is `hashing_seconds`.
    """

    table: str
    path: Path
    source_rows: int = 0
    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    rounded: Mapping[str, int] = field(default_factory=dict)
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    left_out: int = 0
    namesakes: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    filled_columns: tuple[str, ...] = ()
    seconds: float = 0.0
    hashing_seconds: float = 0.0

    @property
    def rejected_rows(self) -> int:
        """How many rows were rejected, for whatever reason."""
        return sum(self.rejected.values())


@dataclass(frozen=True)
class CopyReport:
    """What became of a group, table by table.

    Attributes:
        capital: of each portfolio without a snapshot, where others have some, what is assumed.
    """

    group: str
    tables: tuple[TableReport, ...]
    capital: tuple[str, ...] = ()


class Meter:
    """Calls back with a table's progress, but not for every chunk of rows."""

    def __init__(self, table: str, total: int, on_progress: OnProgress) -> None:
        self._table = table
        self._total = total
        self._on_progress = on_progress
        self._rows = 0
        self._last_report = time.monotonic()

    def read(self, rows: int) -> None:
        """Count `rows` more rows as read."""
        self._rows += rows
        if time.monotonic() - self._last_report >= SECONDS_BETWEEN_REPORTS:
            self.enter("reading")

    def enter(self, step: Step) -> None:
        """Report a step, with the rows read so far."""
        self._last_report = time.monotonic()
        rows = min(self._rows, self._total)
        self._on_progress(TableProgress(self._table, step, rows, self._total))


def ignore_progress(_: TableProgress) -> None:
    """The callback of whoever does not watch."""


def no_guard(_: psycopg.Connection) -> None:
    """The guard of whoever runs alone."""
