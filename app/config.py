"""The backend's configuration: environment variables, or `.env` beside the process."""

from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL

from app.database_url import parse_database_url


def _checked(value: SecretStr) -> SecretStr:
    parse_database_url(value.get_secret_value())
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_checked)]


class Settings(BaseSettings):
    """What the backend and the migration chains read from their environment.

    `AI_DATABASE_URL` falls back to `DATABASE_URL`, so that one local database is enough for
    development. The `…_ADMIN_URL` beside each is the owner's direct address, which migrations use
    where the backend's own address is pooled or may not change the schema.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", case_sensitive=True, hide_input_in_errors=True
    )

    DATABASE_URL: DatabaseUrl
    AI_DATABASE_URL: DatabaseUrl | None = None
    DATABASE_ADMIN_URL: DatabaseUrl | None = None
    AI_DATABASE_ADMIN_URL: DatabaseUrl | None = None

    @property
    def core_database_url(self) -> URL:
        """Where users, portfolios, market data, analytics and chat live."""
        return parse_database_url(self.DATABASE_URL.get_secret_value())

    @property
    def ai_database_url(self) -> URL:
        """Where knowledge base, memories and feedback live."""
        own = self.AI_DATABASE_URL or self.DATABASE_URL
        return parse_database_url(own.get_secret_value())

    @property
    def core_admin_url(self) -> URL:
        """The owner's address of Core, or the backend's own where none is given."""
        own = self.DATABASE_ADMIN_URL or self.DATABASE_URL
        return parse_database_url(own.get_secret_value())

    @property
    def ai_admin_url(self) -> URL:
        """The owner's address of AI, or the backend's own where none is given."""
        if self.AI_DATABASE_ADMIN_URL is not None:
            return parse_database_url(self.AI_DATABASE_ADMIN_URL.get_secret_value())
        return self.ai_database_url if self.AI_DATABASE_URL else self.core_admin_url


@lru_cache
def get_settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()  # type: ignore[call-arg]  # the environment gives DATABASE_URL
