"""Which settings are in force, from where, and what in `.env` is none of them."""

import json
import re
from pathlib import Path

import pytest

from flows.commands.config import show
from ops.errors import ConfigurationError
from ops.setting_origins import misspelt_settings
from ops.settings import operator_settings

SECRET = "geheim-und-lang-genug-fuer-alles"

IN_FORCE = [
    ("DEMO_PASSWORD", "*****", ".env"),
    ("DATABASE_URL", "h:5432/core", "environment"),
    ("LEGACY_DATABASE_URL", "old:5432/d", "stack"),
    ("BACKEND_REPLICAS", "3", "stack"),
    ("CLEANUP_DATE", "2026-12-28", "environment"),
    ("CLEANUP_FOLDERS", "/a:/b", ".env"),
    ("PROBE_ACCOUNTS", "ann@example.com,bob@example.com", ".env"),
    ("MAINTENANCE_DATABASE", "postgres", "default"),
]

MISSPELT = [
    ("DATABSE_URL", "DATABSE_URL in .env is no setting.*; is DATABASE_URL meant?"),
    ("SIGMASIGHT_HOM", "is SIGMASIGHT_HOME meant?"),
    ("SIGMA_LEVEL", "SIGMA_LEVEL in .env is no setting of this program, and not read$"),
    ("OLD_DATABASE_URL", "is LEGACY_DATABASE_URL meant?|OLD_DATABASE_URL in .env is no setting"),
    ("LLM_API_KY", "is LLM_API_KEY meant?"),
    ("DATABASE_URL", None),
    ("LLM_API_KEY", None),
    ("EDITOR", None),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.environ", {"SIGMASIGHT_HOME": str(tmp_path / "state")})
    operator_settings.cache_clear()
    return tmp_path


def test_shows_each_setting_with_its_origin_and_no_secret(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "state").mkdir()
    stack = {"target": "external", "replicas": 3, "legacy": f"postgresql://u:{SECRET}@old/d"}
    (here / "state" / "stack.json").write_text(json.dumps(stack))
    (here / ".env").write_text(
        f"DEMO_PASSWORD={SECRET}\nDATABASE_URL=postgresql://h/other\nCLEANUP_FOLDERS=/a:/b\n"
        "PROBE_ACCOUNTS=ann@example.com, bob@example.com\n"
    )
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/core?sslmode=require")
    monkeypatch.setenv("CLEANUP_DATE", "2026-12-28")
    show(as_json=True)
    said = capsys.readouterr().out
    assert SECRET not in said
    found = {(one["name"], one["value"], one["origin"]) for one in json.loads(said)["settings"]}
    assert set(IN_FORCE) <= found


@pytest.mark.parametrize(("key", "line"), MISSPELT)
def test_a_key_that_only_looks_like_a_setting_is_named(
    here: Path, key: str, line: str | None
) -> None:
    (here / ".env").write_text(f"{key}=x\n")
    found = list(misspelt_settings())
    assert len(found) == (0 if line is None else 1)
    if line is not None:
        assert re.search(line, found[0])


def test_a_file_in_another_encoding_is_refused_with_its_line(here: Path) -> None:
    (here / ".env").write_bytes("DEMO_PASSWORD=a\nDEMO_PASSWORD=café\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"byte 0xe9 in line 2.*save it as UTF-8"):
        operator_settings()
