"""Whom a verification and a cutover log in as: the accounts that the operator names, else the
demo's own where the installation is the demo's."""

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from getpass import getpass
from pathlib import Path
from uuid import UUID

import psycopg
from pydantic import SecretStr
from sqlalchemy.engine import URL

from app.security import sign_token
from ops.connection import session_at
from ops.demo.marker import DEMO_USERS, is_demo
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.settings import OperatorSettings

UNNAMED = (
    "no probe account is named; set PROBE_ACCOUNTS to e-mail addresses of this installation's users"
)
_FILE = "PROBE_PASSWORDS_FILE"


@dataclass(frozen=True)
class ProbeAccount:
    """A user to log in as: with a password, or without one by a token that was signed for him.

    Attributes:
        token: None where he has a password, or where the database has no user of this address.
    """

    email: str
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ProbeAccounts:
    """Attributes:
    accounts: none where there is nobody to log in as.
    reason: why there is nobody, and what to do.
    setting: what to correct where a password is refused.
    """

    accounts: tuple[ProbeAccount, ...] = ()
    reason: str = UNNAMED
    setting: str = _FILE

    @property
    def emails(self) -> list[str]:
        """Their addresses."""
        return [account.email for account in self.accounts]


def demo_accounts(password: str) -> ProbeAccounts:
    """Those of the demo."""
    accounts = tuple(ProbeAccount(email, password) for email in DEMO_USERS)
    return ProbeAccounts(accounts, setting="DEMO_PASSWORD")


def probe_accounts(settings: OperatorSettings, legacy: URL | None, database: URL) -> ProbeAccounts:
    """Whom to log in as. A password comes from the file, else the user gets a signed token where
    the operator allows that, else the terminal is asked.

    Args:
        legacy: the old database, which tells whether the installation is the demo's.
        database: what the backend serves from that will be asked; it has the users.

    Raises:
        ConfigurationError: an account has no password and no token may be signed, or the file
            cannot be used. No password is ever shown.
        DatabaseUnavailableError: a database does not answer.
    """
    if not settings.PROBE_ACCOUNTS:
        known = is_demo(legacy, database)
        return demo_accounts(settings.demo_password()) if known else ProbeAccounts()
    passwords = _passwords(settings.PROBE_PASSWORDS_FILE)
    users = _users(database, settings.PROBE_ACCOUNTS)
    return ProbeAccounts(
        tuple(_account(settings, email, passwords, users) for email in settings.PROBE_ACCOUNTS)
    )


def reachable_accounts(
    settings: OperatorSettings, legacy: URL | None, database: URL
) -> ProbeAccounts:
    """The same; nobody where a database that must be asked does not answer."""
    try:
        return probe_accounts(settings, legacy, database)
    except DatabaseUnavailableError as error:
        return ProbeAccounts(reason=f"it is not known whom to log in as: {error}")


def _account(
    settings: OperatorSettings,
    email: str,
    passwords: Mapping[str, str],
    users: Mapping[str, tuple[UUID, str]],
) -> ProbeAccount:
    user = users.get(email) or users.get(email.lower())
    stored = user[1] if user else email
    password = passwords.get(email.lower())
    if password is None and settings.PROBE_SIGNING:
        key = _signing_key(settings)
        return ProbeAccount(stored, token=sign_token(*user, None, key) if user else None)
    return ProbeAccount(stored, password if password is not None else _asked_for(email))


def _signing_key(settings: OperatorSettings) -> SecretStr:
    """What the backend's own tokens are signed with; only a backend of ours has a generated key."""
    if settings.SECRET_KEY is None and not settings.backend_is_ours:
        raise ConfigurationError(
            "PROBE_SIGNING needs the key that the backend signs its tokens with; set SECRET_KEY"
        )
    return SecretStr(settings.secret_key())


@cache
def _asked_for(email: str) -> str:
    """A password from the terminal; asked for once."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            f"there is no password of the probe account {email}; add a line `{email}:PASSWORD` to "
            f"the file that {_FILE} names, or set PROBE_SIGNING=1"
        )
    return getpass(f"password of the probe account {email}: ")


def _passwords(path: Path | None) -> dict[str, str]:
    """Address in small letters → password, of the lines of a file that only its owner reads."""
    if path is None:
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_private_lines(path), start=1):
        email, colon, password = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or not password or "@" not in email:
            raise ConfigurationError(f"{_FILE}: line {number} of {path} is not `e-mail:password`")
        found[email.strip().lower()] = password
    return found


def _private_lines(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(
                    f"{_FILE}: others may read or write {path}; chmod 600 it first"
                )
            return file.read().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{_FILE}: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{_FILE}: {path} is no text in UTF-8") from None


def _users(database: URL, emails: Sequence[str]) -> dict[str, tuple[UUID, str]]:
    """Id and stored spelling of these addresses' users, by both spellings; of what is written in
    the same way but for capitals, the exact one."""
    small = [email.lower() for email in emails]
    query = "SELECT id::text, email::text FROM users WHERE lower(email::text) = ANY(%s)"
    with session_at(database, "probes", read_only=True) as session:
        try:
            rows = session.execute(query, [small]).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return {}
    found = [(UUID(id_), email) for id_, email in rows]
    return {user[1].lower(): user for user in found} | {user[1]: user for user in found}
