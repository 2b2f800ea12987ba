"""What verify looks at: the pair, the legacy database if there is one, and the range of days."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Any, Self, TypeVar

import psycopg
from sqlalchemy.engine import URL

from ops.books.ledger import read_ledger
from ops.connection import first_value, session_at
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.sql_files import statement
from ops.state_folder import StateFolder
from ops.trading_calendar import last_finished_session, trading_days

T = TypeVar("T")

# The longest look-back of a figure is a year; its first price may lie ten days before.
LOOKBACK_DAYS = 376


@dataclass(frozen=True)
class Subject:
    """The databases and days that every check is about. Each check opens its own connection, so
    that what breaks one leaves the others alone.

    Attributes:
        state: where an expensive finding is kept for the next verification; None keeps none.
    """

    core_url: URL
    ai_url: URL
    legacy_url: URL | None
    first: date
    last: date
    state: StateFolder | None = None
    _found: dict[Callable[[Self], Any], Any] = field(default_factory=dict, init=False, repr=False)
    _finding: Lock = field(default_factory=Lock, init=False, repr=False)

    def once(self, find: Callable[[Self], T]) -> T:
        """What several checks ask for: the first one finds it, the others wait for it."""
        with self._finding:
            if find not in self._found:
                self._found[find] = find(self)
            found: T = self._found[find]
            return found

    @property
    def days(self) -> list[date]:
        """The trading days of the range, ascending."""
        return list(trading_days(self.first, self.last))

    @property
    def sessions(self) -> list[date]:
        """The trading days whose prices any figure of the range can use, ascending."""
        return list(trading_days(self.first - timedelta(days=LOOKBACK_DAYS), self.last))

    def core(self) -> AbstractContextManager[psycopg.Connection]:
        """A read-only connection to Core.

        Raises:
            DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
        """
        return session_at(self.core_url, "verify", snapshot=True)

    def row(self, name: str, **parameters: Any) -> tuple[Any, ...]:
        """What `verify/NAME` finds in Core, in its one row. Raises what `core` raises."""
        with self.core() as connection:
            found = connection.execute(statement(f"verify/{name}"), parameters or None).fetchone()
        return found or ()

    def ai(self) -> AbstractContextManager[psycopg.Connection]:
        """A read-only connection to AI. Raises what `core` raises."""
        return session_at(self.ai_url, "verify", snapshot=True)


def days_to_verify(core_url: URL) -> tuple[date, date]:
    """The first and the last day of a verification for which nobody names others: what was computed
    and, where prices reach further, what should have been. Raises what `Subject.core` raises."""
    with session_at(core_url, "verify", snapshot=True) as core:
        ledger = read_ledger(core)
        newest = first_value(core, "SELECT max(date) FROM market_data_cache")
    if ledger is None:
        return FIRST_DAY, LAST_DAY
    reach = min(newest or ledger.last, last_finished_session(datetime.now(UTC)))
    return ledger.first, max(ledger.last, reach)
