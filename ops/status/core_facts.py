"""What Core itself says of the move, read in one short session."""

from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg.rows import DictRow
from sqlalchemy.engine import URL

from ops.status.session import brief_session, row, rows


@dataclass(frozen=True)
class Schema:
    """What is built in a database: None where the database has no marker of ours yet."""

    tables: int
    vector: str | None
    role: str | None
    revision: str | None


@dataclass(frozen=True)
class Ledger:
    """Portfolio days of the backfill that are done and failed, and the days that they span."""

    done: int
    failed: int
    first: date
    last: date
    moment: datetime


@dataclass(frozen=True)
class CoreFacts:
    """What was read; None or empty is what is not there yet.

    Attributes:
        server: the server's version.
        cutovers: swaps and rollbacks, newest first.
        backups: newest backup by database.
        window: when and why the account of who uses the old database began anew after the swap.
        running: which of the phases' locks are held right now.
    """

    server: str
    schema: Schema | None
    seeded: DictRow | None
    copied: list[DictRow]
    ledger: Ledger | None
    prices_until: date | None
    cutovers: list[DictRow]
    backups: dict[str, DictRow]
    tombstone: DictRow | None
    window: DictRow | None
    running: tuple[str, ...]

    @property
    def swap_in_force(self) -> DictRow | None:
        """The finished swap since which no rollback has finished, if any."""
        finished = [one for one in self.cutovers if one["state"] == "done"]
        return finished[0] if finished and finished[0]["kind"] == "swap" else None

    @property
    def unfinished(self) -> DictRow | None:
        """The swap or rollback that has not ended, if any."""
        return next((one for one in self.cutovers if one["state"] == "running"), None)

    @property
    def cleaned_up(self) -> bool:
        """Whether the old database was removed."""
        return self.tombstone is not None and self.tombstone["state"] == "done"

    @property
    def changes(self) -> dict[str, datetime]:
        """When each act last changed what a verification looks at. A swap is none: it asks the
        new pair itself, before and after."""
        moments: dict[str, datetime | None] = {
            "seeding": self.seeded["moment"] if self.seeded else None,
            "copy": max((one["copied_at"] for one in self.copied), default=None),
            "backfill": self.ledger.moment if self.ledger else None,
        }
        return {name: moment for name, moment in moments.items() if moment is not None}


def core_facts(url: URL) -> CoreFacts:
    """Read them now.

    Raises:
        DatabaseUnavailableError: nothing answers.
        ConfigurationError: the server refuses the login.
    """
    with brief_session(url) as session:
        prices = row(session, "prices")
        return CoreFacts(
            server=session.info.parameter_status("server_version") or "?",
            schema=_schema(session, "core_revision"),
            seeded=row(session, "seeded"),
            copied=rows(session, "copied") or [],
            ledger=_ledger(session),
            prices_until=prices["last"] if prices else None,
            cutovers=rows(session, "cutovers") or [],
            backups={one["database"]: one for one in rows(session, "backups") or []},
            tombstone=row(session, "tombstone"),
            window=row(session, "access_window"),
            running=tuple(one["name"] for one in rows(session, "running") or []),
        )


def ai_schema(url: URL, *, shared: bool) -> tuple[str, Schema | None]:
    """The version of AI's server, and what is built there."""
    with brief_session(url) as session:
        version = session.info.parameter_status("server_version") or "?"
        return version, _schema(session, "shared_ai_revision" if shared else "ai_revision")


def _schema(session: psycopg.Connection[DictRow], revision: str) -> Schema | None:
    built, found = row(session, "schema"), row(session, revision)
    if built is None:
        return None
    return Schema(**built, revision=found["revision"] if found else None)


def _ledger(session: psycopg.Connection[DictRow]) -> Ledger | None:
    found = row(session, "ledger")
    return Ledger(**found) if found and found["moment"] is not None else None
