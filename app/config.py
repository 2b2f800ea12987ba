"""The backend's configuration: environment variables, or `.env` beside the process."""

import secrets
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL

from app.database_url import parse_database_url, refuse_readable
from app.gate.serving_pair import Pair

_SHORTEST_SECRET = 32


def _checked(value: SecretStr, others: ValidationInfo) -> SecretStr:
    url = parse_database_url(value.get_secret_value())
    refuse_readable(url, others.data.get("HOSTS_WITHOUT_TLS", ()))
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_SECRET:
        raise ValueError(f"is too short; use at least {_SHORTEST_SECRET} random characters")
    return value


def _listed(value: object) -> object:
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


def fault_of(error: ValidationError) -> str:
    """The first thing that is wrong with settings, in one line without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return ": ".join(filter(None, (name, first["msg"].removeprefix("Value error, "))))


DatabaseUrl = Annotated[SecretStr, AfterValidator(_checked)]
SigningKey = Annotated[SecretStr, AfterValidator(_long_enough)]
CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_listed)]


class EndpointSettings(BaseSettings):
    """Any OpenAI-compatible endpoint: the part of the backend's settings that seeding needs too, so
    that both embed with the same model."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", case_sensitive=True, hide_input_in_errors=True
    )

    # Without one a rule-based responder answers.
    LLM_BASE_URL: str | None = None
    LLM_API_KEY: SecretStr | None = None
    LLM_TIMEOUT_SECONDS: float = 60.0
    # Embeddings of 1,536 dimensions from the same endpoint; without one wordllama embeds here.
    LLM_EMBEDDING_MODEL: str | None = None

    @property
    def key_header(self) -> dict[str, str]:
        """How the endpoint is told the key, where there is one."""
        key = self.LLM_API_KEY
        return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}


class Settings(EndpointSettings):
    """What the backend and the migration chains read from their environment.

    `AI_DATABASE_URL` falls back to `DATABASE_URL`, so that one local database is enough for
    development. The `…_ADMIN_URL` beside each is the owner's direct address, which migrations use
    where the backend's own address is pooled or may not change the schema.
    """

    # Servers of a private network, to which passwords and rows may go as they are. It stands before
    # the addresses, which are judged by it.
    HOSTS_WITHOUT_TLS: CommaSeparated = []

    DATABASE_URL: DatabaseUrl
    AI_DATABASE_URL: DatabaseUrl | None = None
    DATABASE_ADMIN_URL: DatabaseUrl | None = None
    AI_DATABASE_ADMIN_URL: DatabaseUrl | None = None

    # Which databases these are: the old one alone, or Core and AI. Every response names it. With
    # `gate`, Core says from moment to moment which is served: it, or the old one.
    ACTIVE_PAIR: Literal["old", "new", "gate"] | None = None
    LEGACY_DATABASE_URL: DatabaseUrl | None = None

    # How many processes serve, by which what a server allows is divided.
    BACKEND_REPLICAS: Annotated[int, Field(ge=1)] = 2

    ENVIRONMENT: Literal["development", "production"] = "development"
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    ALLOWED_ORIGINS: CommaSeparated = []

    # Signs tokens. Tokens outlive a restart, and a swap, only where it is given.
    SECRET_KEY: SigningKey = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(_SHORTEST_SECRET))
    )
    # Who may act as an administrator: the schema has no roles.
    ADMIN_EMAILS: CommaSeparated = []
    SKIP_STARTUP_VALIDATION: bool = False

    LLM_MODEL: str = "gpt-5-mini"
    LLM_FALLBACK_MODEL: str | None = None

    # Where `calculate` starts the backfill deployment.
    PREFECT_API_URL: str | None = None

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if self.ENVIRONMENT == "production" and "SECRET_KEY" not in self.model_fields_set:
            raise ValueError(
                "SECRET_KEY must be set in production; use 32 or more random characters"
            )
        return self

    @model_validator(mode="after")
    def _the_old_pair_is_one_database(self) -> Self:
        if self.ACTIVE_PAIR == "old":
            self.AI_DATABASE_URL = self.AI_DATABASE_ADMIN_URL = None
        return self

    @property
    def core_database_url(self) -> URL:
        """Where users, portfolios, market data, analytics and chat live."""
        return parse_database_url(self.DATABASE_URL.get_secret_value())

    @property
    def ai_database_url(self) -> URL:
        """Where knowledge base, memories and feedback live."""
        own = self.AI_DATABASE_URL or self.DATABASE_URL
        return parse_database_url(own.get_secret_value())

    def addresses(self, pair: Pair | None) -> tuple[URL, URL]:
        """Where Core and AI of a pair are; None: of the only pair there is.

        Raises:
            ValueError: there is no old database.
        """
        if pair != "old" or self.ACTIVE_PAIR != "gate":
            return self.core_database_url, self.ai_database_url
        if self.LEGACY_DATABASE_URL is None:
            raise ValueError("LEGACY_DATABASE_URL is not set")
        legacy = parse_database_url(self.LEGACY_DATABASE_URL.get_secret_value())
        return legacy, legacy

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
