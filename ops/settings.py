"""What the phases are told from outside: the environment, or `.env` in the current folder."""

import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.config import CommaSeparated, DatabaseUrl, SigningKey, fault_of
from ops.books.declared_stack import Target, declared, declared_target
from ops.errors import ConfigurationError
from ops.price_files import ACCEPTABLE
from ops.state_folder import StateFolder


def _listed(text: object) -> object:
    """Folders as the environment lists them: separated by colons, like PATH."""
    if not isinstance(text, str):
        return text
    return tuple(part for part in text.split(":") if part)


def _addresses(text: object) -> object:
    """E-mail addresses as the environment lists them: separated by commas."""
    if not isinstance(text, str):
        return text
    listed = tuple(part.strip() for part in text.split(",") if part.strip())
    if wrong := [each for each in listed if not re.fullmatch(r"[^@\s:]+@[^@\s:]+", each)]:
        raise ValueError(f"{wrong[0][:80]!r} is no e-mail address; separate them by commas")
    return tuple(dict.fromkeys(listed))


def _accepted(text: object) -> object:
    """Names of errors in prices as the environment lists them: separated by commas."""
    if not isinstance(text, str):
        return text
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if wrong := [name for name in names if name not in ACCEPTABLE]:
        raise ValueError(f"{wrong[0][:80]!r} is unknown; accept {', '.join(ACCEPTABLE)}")
    return names


def _no_file(path: Path) -> Path:
    """The place of a folder, which may be made later."""
    if path.expanduser().is_file():
        raise ValueError(f"{path} is a file; name a folder")
    return path


def _backend_address(text: str) -> str:
    """`text` as the base of a backend's addresses, without a slash at its end.

    Raises:
        ValueError: it is no http(s) address, or holds more than one. The text is not repeated,
            since it may hold a password.
    """
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL; write http(s)://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("is not a URL of a backend; write http(s)://HOST:PORT")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("holds more than an address; write http(s)://HOST:PORT alone")
    return text.strip().rstrip("/")


Folder = Annotated[Path, AfterValidator(_no_file)]


class OperatorSettings(BaseSettings):
    """Everything is optional: without a URL the embedded target is meant.

    The `…_ADMIN_URL` beside each is the owner's direct address, which phases prefer where the
    backend's own address is private or goes through a pooler.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", case_sensitive=True, hide_input_in_errors=True
    )

    SIGMASIGHT_HOME: Folder | None = None
    # Before the addresses, which are judged by it.
    HOSTS_WITHOUT_TLS: CommaSeparated = []
    DATABASE_URL: DatabaseUrl | None = None
    DATABASE_ADMIN_URL: DatabaseUrl | None = None
    AI_DATABASE_URL: DatabaseUrl | None = None
    AI_DATABASE_ADMIN_URL: DatabaseUrl | None = None
    LEGACY_DATABASE_URL: DatabaseUrl | None = None
    LEGACY_DATABASE_ADMIN_URL: DatabaseUrl | None = None
    # Where the old database's tables are; by default the one schema that holds users, portfolios
    # and positions.
    LEGACY_SCHEMA: Annotated[str, Field(min_length=1)] | None = None
    # How many backend processes are told of the same number.
    BACKEND_REPLICAS: Annotated[int, Field(ge=1)] = 2
    # With either, `up` lets Pulumi bring the declared stack up; by default nothing is declared.
    SIGMASIGHT_TARGET: Target | None = None
    SIGMASIGHT_STACK: str | None = None
    DEMO_PASSWORD: SecretStr | None = None
    PRICES: Path | None = None
    # From where a nightly backfill takes new prices: the files of a folder, and a source beside
    # it; by default neither.
    PRICES_FOLDER: Path | None = None
    PRICES_FROM: Literal["legacy", "yfinance"] | None = None
    # Which errors of price files are let pass, by their names, separated by commas.
    PRICES_ACCEPT: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_accepted)] = ()
    # Whom a verification and a cutover log in as, a file of their passwords (lines
    # `e-mail:password`), and whether tokens may be signed for those who have none there.
    PROBE_ACCOUNTS: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_addresses)] = ()
    PROBE_PASSWORDS_FILE: Path | None = None
    PROBE_SIGNING: bool = False
    # Signs the backend's tokens; without one it is generated once and kept in the state folder.
    SECRET_KEY: SigningKey | None = None
    # The backend that verify asks, where it is not the one of the state folder; and its log.
    BACKEND_URL: Annotated[str, AfterValidator(_backend_address)] | None = None
    BACKEND_LOG: Path | None = None
    # Where dumps are kept, by default `backups` in the state folder.
    BACKUP_FOLDER: Folder | None = None
    # The day of the cleanup, at 02:00 in New York; by default the 28 December after the swap.
    CLEANUP_DATE: date | None = None
    # Where a cleanup removes *.sql and *.dump: directly in these folders (a list like PATH), and
    # below them only with CLEANUP_RECURSIVE.
    CLEANUP_FOLDERS: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)] = ()
    CLEANUP_RECURSIVE: bool = False
    # The temporary repository that a cleanup removes; it lies below one of CLEANUP_FOLDERS.
    REPOSITORY_FOLDER: Path | None = None
    # From which database of the old server the old one is dropped.
    MAINTENANCE_DATABASE: str = "postgres"

    @property
    def state(self) -> StateFolder:
        """The state folder: given, or `.sigmasight` here; prices from a file get their own."""
        folder = f".sigmasight-{self.PRICES.name.split('.')[0]}" if self.PRICES else ".sigmasight"
        return StateFolder((self.SIGMASIGHT_HOME or Path(folder)).expanduser().resolve())

    @property
    def pair_is_given(self) -> bool:
        """Whether the environment says where Core is; then no stack does."""
        return (self.DATABASE_URL or self.DATABASE_ADMIN_URL) is not None

    @property
    def embedded(self) -> bool:
        """Whether the databases are the embedded ones: no address of a pair is given, and no stack
        of another target was brought up."""
        return not self.pair_is_given and declared_target(self.state) in (None, "embedded")

    @property
    def in_containers(self) -> bool:
        """Whether the databases are containers of the stack that was brought up last."""
        return not self.pair_is_given and declared_target(self.state) == "docker"

    @property
    def replicas(self) -> int:
        """How many backend processes are told of the same number, by the environment or a stack."""
        if "BACKEND_REPLICAS" in self.model_fields_set:
            return self.BACKEND_REPLICAS
        return 1 if self.embedded else declared(self.state).replicas or self.BACKEND_REPLICAS

    @property
    def least_replicas(self) -> int:
        """How many of them there must be: one where nobody has said how many there are."""
        return self.BACKEND_REPLICAS if "BACKEND_REPLICAS" in self.model_fields_set else 1

    @property
    def backend_is_ours(self) -> bool:
        """Whether the state folder runs it. Servers that are given have theirs elsewhere, and so
        has BACKEND_URL."""
        return self.embedded and self.BACKEND_URL is None

    @property
    def backend_expected(self) -> bool:
        """Whether a backend of the new pair is ours to ask: it runs beside the embedded databases,
        or its address is known."""
        return self.embedded or self.backend_address is not None

    @property
    def backend_address(self) -> str | None:
        """Where users reach a backend that the state folder does not run itself: BACKEND_URL,
        or the container of the stack that was brought up."""
        return self.BACKEND_URL or (None if self.pair_is_given else declared(self.state).backend)

    @property
    def backups(self) -> Path:
        """Where dumps are kept: given, or in the state folder."""
        return (self.BACKUP_FOLDER or self.state.root / "backups").expanduser().absolute()

    def demo_password(self) -> str:
        """The demo users' password: given, or generated once and kept in the state folder."""
        if self.DEMO_PASSWORD is not None:
            return self.DEMO_PASSWORD.get_secret_value()
        return self.state.secret("demo_password")

    def secret_key(self) -> str:
        """What the backend's tokens are signed with: given, or generated once and kept."""
        if self.SECRET_KEY is not None:
            return self.SECRET_KEY.get_secret_value()
        return self.state.secret("backend_secret_key")


@lru_cache
def operator_settings() -> OperatorSettings:
    """Return the process's settings, read once.

    Raises:
        ConfigurationError: a variable cannot be used; the message names it, not its value.
    """
    if Path(".env").is_dir():
        raise ConfigurationError(".env is a folder, of which nothing is read; move it elsewhere")
    try:
        return OperatorSettings()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f".env holds the byte {error.object[error.start]:#04x} in line {line}, which is no "
            "UTF-8; save it as UTF-8"
        ) from None
    except ValidationError as error:
        raise ConfigurationError(fault_of(error)) from None
