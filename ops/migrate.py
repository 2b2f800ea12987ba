"""The two migration chains, run from code: one after the other, and checked on the target."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy.engine import URL

from app.chain_folders import SCRIPT_LOCATIONS, ChainName
from app.migration_environment import MigrationFailedError, MigrationLockedError, version_table
from app.migration_recognition import MigrationRefusedError
from ops.connection import explained, first_value, session_at, shown_address
from ops.errors import BusyError, SigmaSightError, VerificationError, WrongDatabaseError

# Alembic keeps its environment in module globals: in two threads, one chain's statements have
# been seen to run in the other's database.
_ONE_CHAIN_AT_A_TIME = threading.Lock()

_Command = Callable[[Config, str], None]


class MigrationStoppedError(SigmaSightError):
    """A revision failed and was rolled back; the message holds the server's words."""


@dataclass(frozen=True)
class MigrationReport:
    """What a chain did to a database: its revision before and after."""

    chain: ChainName
    database: str
    before: str | None
    after: str | None

    @property
    def changed(self) -> bool:
        """Whether any revision was run."""
        return self.before != self.after


def upgrade(chain: ChainName, url: URL, *, shared: bool = False) -> MigrationReport:
    """Bring a database to the head of its chain. At head already, nothing is run.

    Args:
        chain: `core` or `ai`.
        url: the owner's direct address; the backend's role is enough where nothing is to be run.
        shared: Core and AI live in this one database.

    Raises:
        WrongDatabaseError: the database is legacy, the other half of a pair, or somebody else's.
        DatabaseUnavailableError: the server does not answer or went away.
        ConfigurationError: the server refuses the login, or the role lacks a privilege.
        BusyError: another migration holds the database and does not end.
        MigrationStoppedError: a revision failed and was rolled back.
        VerificationError: the chain ended without an error, yet the database is not at its head.
    """
    report = _run(command.upgrade, chain, url, "head", shared=shared)
    if report.after not in heads(chain):
        raise VerificationError(
            f"{report.database} is at revision {report.after} after the {chain} chain, not at "
            f"{', '.join(heads(chain))}; see the log of the migration"
        )
    return report


def downgrade(
    chain: ChainName, url: URL, *, revision: str = "base", shared: bool = False
) -> MigrationReport:
    """Take a database back to `revision`, by default to no table at all.

    Raises: what `upgrade` raises, but for VerificationError.
    """
    return _run(command.downgrade, chain, url, revision, shared=shared)


def heads(chain: ChainName) -> tuple[str, ...]:
    """The newest revisions of a chain: exactly one, as a test makes sure."""
    return tuple(ScriptDirectory(str(SCRIPT_LOCATIONS[chain])).get_heads())


def current(chain: ChainName, url: URL, *, shared: bool = False) -> str | None:
    """The revision that a database records for a chain, or None before the first one.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection.connect`.
    """
    table = version_table(chain, shared=shared)
    with session_at(url, "migrate", read_only=True) as connection:
        if first_value(connection, "SELECT to_regclass(%s)", [table]) is None:
            return None
        query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(table))
        revision: str | None = first_value(connection, query)
        return revision


def _run(
    run: _Command, chain: ChainName, url: URL, revision: str, *, shared: bool
) -> MigrationReport:
    before = current(chain, url, shared=shared)
    said = io.StringIO()
    with _ONE_CHAIN_AT_A_TIME:
        _call(run, _config(chain, url, said, shared=shared), url, revision)
    if said.getvalue():
        setting = "DATABASE_URL" if chain == "core" else "AI_DATABASE_URL"
        raise WrongDatabaseError(f"{said.getvalue().strip()}; correct {setting}")
    return MigrationReport(chain, shown_address(url), before, current(chain, url, shared=shared))


def _config(chain: ChainName, url: URL, stdout: io.StringIO, *, shared: bool) -> Config:
    config = Config(stdout=stdout)
    config.set_main_option("script_location", str(SCRIPT_LOCATIONS[chain]).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(url=url, shared=shared)
    return config


def _call(run: _Command, config: Config, url: URL, revision: str) -> None:
    try:
        run(config, revision)
    except MigrationFailedError as error:
        raise _explained_failure(error, url) from error
    except MigrationLockedError as error:
        raise BusyError(f"{shown_address(url)}: {error}") from None
    except MigrationRefusedError as error:
        raise WrongDatabaseError(f"{shown_address(url)}: {error}") from None


def _explained_failure(error: MigrationFailedError, url: URL) -> SigmaSightError:
    cause = error.__cause__
    try:
        with explained(url):
            raise getattr(cause, "orig", None) or error
    except SigmaSightError as known:
        return known
    except Exception:
        return MigrationStoppedError(f"a revision failed and was rolled back: {error}")
