"""What Core itself says of the move, read in one short session."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg.rows import DictRow
from sqlalchemy.engine import URL

from ops.books.backups import Backup, backups_in
from ops.books.cutovers import Cutover, known_cutovers
from ops.books.follows import follow_ended
from ops.books.ledger import Ledger, last_changes, read_ledger
from ops.books.run_lock import under_way
from ops.books.tombstones import Tombstone, last_tombstone
from ops.evidence.cutovers import in_force
from ops.status.session import brief_session, known, row, rows


@dataclass(frozen=True)
class Schema:
    """What is built in a database: None where the database has no marker of ours yet.

    Attributes:
        fenced: whether a rollback has fenced it off against late writes.
    """

    tables: int
    vector: str | None
    role: str | None
    fenced: bool
    revision: str | None


@dataclass(frozen=True)
class CoreFacts:
    """What was read; None or empty is what is not there yet.

    Attributes:
        server: the server's version.
        cutovers, backups: newest first.
        changes: when each act last changed what a verification looks at.
        window: when and why the account of who uses the old database began anew after the swap.
        follow_ended: since when the swap's old database is followed no longer.
        running: which of the phases' locks are held right now.
    """

    server: str
    schema: Schema | None
    seeded: DictRow | None
    copied: list[DictRow]
    ledger: Ledger | None
    changes: Mapping[str, datetime]
    prices_until: date | None
    cutovers: list[Cutover]
    backups: list[Backup]
    tombstone: Tombstone | None
    window: DictRow | None
    follow_ended: datetime | None
    running: tuple[str, ...]

    @property
    def swap_in_force(self) -> Cutover | None:
        """See `ops.evidence.cutovers.in_force`."""
        return in_force(self.cutovers)

    @property
    def fenced(self) -> bool:
        """Whether Core is fenced off against what a backend writes."""
        return self.schema is not None and self.schema.fenced

    @property
    def unfinished(self) -> Cutover | None:
        """The swap or rollback that has not ended, if any."""
        return next((one for one in self.cutovers if one.state == "running"), None)

    @property
    def cleaned_up(self) -> bool:
        """Whether the old database was removed."""
        return self.tombstone is not None and self.tombstone.state == "done"


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
            schema=_schema(session, "revision"),
            seeded=row(session, "seeded"),
            copied=rows(session, "copied") or [],
            ledger=known(session, read_ledger),
            changes=known(session, last_changes) or {},
            prices_until=prices["last"] if prices else None,
            cutovers=known(session, known_cutovers) or [],
            backups=known(session, backups_in) or [],
            tombstone=known(session, last_tombstone),
            window=row(session, "access_window"),
            follow_ended=known(session, follow_ended),
            running=tuple(known(session, under_way) or []),
        )


def ai_schema(url: URL, *, shared: bool) -> tuple[str, Schema | None]:
    """The version of AI's server, and what is built there."""
    with brief_session(url) as session:
        version = session.info.parameter_status("server_version") or "?"
        return version, _schema(session, "shared_ai_revision" if shared else "revision")


def _schema(session: psycopg.Connection[DictRow], revision: str) -> Schema | None:
    built, found = row(session, "schema"), row(session, revision)
    if built is None:
        return None
    return Schema(**built, revision=found["revision"] if found else None)
