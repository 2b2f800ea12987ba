"""What the environment says, and how it is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.config import Settings
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings, operator_settings

CORE, AI, ADMIN = (f"postgresql://u:p@localhost/{name}" for name in ("core", "ai", "admin"))


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in OperatorSettings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    operator_settings.cache_clear()
    yield
    operator_settings.cache_clear()


def test_without_anything_the_state_lies_in_the_current_folder(tmp_path: Path) -> None:
    assert operator_settings().state.root == tmp_path / ".sigmasight"


def test_prices_from_a_file_get_a_state_folder_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRICES", "../data/real_prices.csv.gz")
    assert operator_settings().state.root == tmp_path / ".sigmasight-real_prices"


def test_a_given_state_folder_holds_for_any_prices(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRICES", "real.csv")
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path / "given"))
    assert operator_settings().state.root == tmp_path / "given"


def test_reads_a_file_named_env_and_prefers_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={CORE}\nAI_DATABASE_URL={CORE}\nUNKNOWN=1\n")
    monkeypatch.setenv("AI_DATABASE_URL", AI)
    settings = Settings()
    assert settings.core_database_url.database == "core"
    assert settings.ai_database_url.database == "ai"


@pytest.mark.parametrize("emails", ["ann", "a@b,,c d@e", "a:b@c", "a@b;c@d"])
def test_probe_accounts_are_addresses(monkeypatch: pytest.MonkeyPatch, emails: str) -> None:
    monkeypatch.setenv("PROBE_ACCOUNTS", emails)
    with pytest.raises(ConfigurationError, match=r"^PROBE_ACCOUNTS: .* is no e-mail address"):
        operator_settings()


@pytest.mark.parametrize("name", ["DATABASE_URL", "AI_DATABASE_ADMIN_URL", "LEGACY_DATABASE_URL"])
def test_a_refusal_names_the_variable_and_not_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "mysql://u:secret@h/d")
    with pytest.raises(ConfigurationError, match=rf"^{name}: has the scheme 'mysql'") as refused:
        operator_settings()
    assert "secret" not in repr(refused.value)


@pytest.mark.parametrize("kind", [Settings, OperatorSettings])
def test_a_server_is_reached_without_tls_only_by_name(
    kind: type[Settings | OperatorSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@core.internal/core")
    with pytest.raises(ValidationError, match=r"DATABASE_URL\n.*leaves this machine") as refused:
        kind()
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("HOSTS_WITHOUT_TLS", "ai.internal, core.internal")
    assert kind().DATABASE_URL is not None


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@localhost/d")
    monkeypatch.setenv("DEMO_PASSWORD", "secret")
    settings = operator_settings()
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.demo_password() == "secret"


def test_the_demo_password_is_made_once_and_kept() -> None:
    settings = operator_settings()
    settings.state.create()
    made = settings.demo_password()
    assert len(made) >= 24
    assert operator_settings().demo_password() == made


ADMIN_CASES = [
    ({"DATABASE_URL": CORE}, ("core", "core")),
    ({"DATABASE_URL": CORE, "AI_DATABASE_URL": AI}, ("core", "ai")),
    ({"DATABASE_URL": CORE, "DATABASE_ADMIN_URL": ADMIN}, ("admin", "admin")),
    (
        {"DATABASE_URL": CORE, "AI_DATABASE_URL": AI, "AI_DATABASE_ADMIN_URL": ADMIN},
        ("core", "admin"),
    ),
]


@pytest.mark.parametrize(("environment", "databases"), ADMIN_CASES)
def test_migrations_take_the_owners_address_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], databases: tuple[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.core_admin_url.database, settings.ai_admin_url.database) == databases
