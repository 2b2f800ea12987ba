"""What the phases are told from outside: the environment, or `.env` in the current folder."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.config import DatabaseUrl, SigningKey
from ops.backend.address import BackendAddress
from ops.declared_stack import declared_target
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder


class OperatorSettings(BaseSettings):
    """Everything is optional: without a URL the embedded target is meant.

    The `…_ADMIN_URL` beside each is the owner's direct address, which phases prefer where the
    backend's own address is private or goes through a pooler.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", case_sensitive=True, hide_input_in_errors=True
    )

    SIGMASIGHT_HOME: Path | None = None
    DATABASE_URL: DatabaseUrl | None = None
    DATABASE_ADMIN_URL: DatabaseUrl | None = None
    AI_DATABASE_URL: DatabaseUrl | None = None
    AI_DATABASE_ADMIN_URL: DatabaseUrl | None = None
    LEGACY_DATABASE_URL: DatabaseUrl | None = None
    LEGACY_DATABASE_ADMIN_URL: DatabaseUrl | None = None
    # With either, `up` lets Pulumi bring the declared stack up; by default nothing is declared.
    SIGMASIGHT_TARGET: Literal["embedded", "docker", "external"] | None = None
    SIGMASIGHT_STACK: str | None = None
    DEMO_PASSWORD: SecretStr | None = None
    PRICES: Path | None = None
    # Signs the backend's tokens; without one it is generated once and kept in the state folder.
    SECRET_KEY: SigningKey | None = None
    # The backend that verify asks, where it is not the one of the state folder; and its log.
    BACKEND_URL: BackendAddress | None = None
    BACKEND_LOG: Path | None = None

    @property
    def state(self) -> StateFolder:
        """The state folder: given, or `.sigmasight` here; prices from a file get their own."""
        folder = f".sigmasight-{self.PRICES.name.split('.')[0]}" if self.PRICES else ".sigmasight"
        return StateFolder((self.SIGMASIGHT_HOME or Path(folder)).expanduser().resolve())

    @property
    def embedded(self) -> bool:
        """Whether the databases are the embedded ones: no address of a pair is given, and no stack
        of another target was brought up."""
        given = self.DATABASE_URL or self.DATABASE_ADMIN_URL
        return given is None and declared_target(self.state) in (None, "embedded")

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
    try:
        return OperatorSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{name}: {first['msg']}".replace("Value error, ", "")) from None
