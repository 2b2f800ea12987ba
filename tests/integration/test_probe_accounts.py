"""Whom a verification and a cutover log in as: who is named, with which password or token."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.demo.marker import DEMO_USERS
from ops.errors import ConfigurationError
from ops.probe_accounts import UNNAMED, ProbeAccounts, probe_accounts, reachable_accounts
from ops.settings import OperatorSettings

KEY = "k" * 32
ANN, BOB = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
LINES = "# whom we ask\n\nann@Example.com:pass:word \nELSE@example.com:secret\n"


@pytest.fixture(scope="module")
def users(server: Any) -> URL:
    """A foreign database with two users, one of them under two spellings."""
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute("CREATE DATABASE probed")
    url: URL = server.url("probed")
    with connect(url, application_name="tests", autocommit=True) as session:
        session.execute("CREATE TABLE users (id uuid, email varchar(255))")
        session.execute(
            "INSERT INTO users VALUES (%s, 'Ann@Example.com'), (%s, 'bob@example.com'),"
            " (gen_random_uuid(), 'BOB@example.com')",
            [ANN, BOB],
        )
    return url


@pytest.fixture
def asked(tmp_path: Path, users: URL) -> Callable[..., ProbeAccounts]:
    def ask(emails: str, lines: str | None = None, mode: int = 0o600, **more: Any) -> ProbeAccounts:
        told: dict[str, Any] = {"SIGMASIGHT_HOME": tmp_path, "PROBE_ACCOUNTS": emails, **more}
        if lines is not None:
            path = tmp_path / "passwords"
            path.write_text(lines)
            path.chmod(mode)
            told["PROBE_PASSWORDS_FILE"] = path
        return probe_accounts(OperatorSettings.model_validate(told), users, users)

    return ask


def test_the_file_gives_passwords_and_the_database_the_spelling(
    asked: Callable[..., ProbeAccounts],
) -> None:
    found = asked("ann@example.com, ann@example.com", LINES)
    assert [(each.email, each.password) for each in found.accounts] == [
        ("Ann@Example.com", "pass:word ")
    ]
    assert "pass:word" not in repr(found)
    assert found.setting == "PROBE_PASSWORDS_FILE"


def test_tokens_are_signed_only_where_that_is_allowed_and_only_for_users(
    asked: Callable[..., ProbeAccounts],
) -> None:
    with pytest.raises(ConfigurationError, match="no password of the probe account bob@example"):
        asked("bob@example.com", LINES, SECRET_KEY=KEY)
    emails = "bob@example.com,ann@example.com,nobody@example.com"
    bob, ann, nobody = asked(emails, LINES, SECRET_KEY=KEY, PROBE_SIGNING="1").accounts
    assert jwt.decode(bob.token or "", KEY, ["HS256"])["sub"] == BOB
    assert (ann.password, ann.token) == ("pass:word ", None)
    assert (nobody.password, nobody.token) == (None, None)
    assert (bob.token or "?") not in repr(bob)


def test_a_foreign_installation_has_nobody_unless_somebody_is_named(
    asked: Callable[..., ProbeAccounts],
) -> None:
    assert asked("") == ProbeAccounts(reason=UNNAMED)
    assert "PROBE_ACCOUNTS" in UNNAMED


def test_the_demo_names_its_own(users: URL, core_url: URL, tmp_path: Path) -> None:
    told = {"SIGMASIGHT_HOME": tmp_path, "DEMO_PASSWORD": "demo"}
    found = probe_accounts(OperatorSettings.model_validate(told), None, core_url)
    assert found.emails == list(DEMO_USERS)
    assert {each.password for each in found.accounts} == {"demo"}
    assert found.setting == "DEMO_PASSWORD"
    gone = users.set(port=1)
    lost = reachable_accounts(OperatorSettings.model_validate(told), gone, core_url)
    assert not lost.accounts
    assert "no PostgreSQL server answers" in lost.reason


REFUSED = {
    "others may read it": (LINES, 0o640, r"others may read or write .*; chmod 600 it first"),
    "others may write to it": (LINES, 0o602, "others may read or write"),
    "a line without a colon": ("ann@example.com secret", 0o600, r"line 1 of .* is not `e-mail:pas"),
    "a line without a password": ("\nann@example.com:\n", 0o600, "line 2 of"),
    "a line without an address": ("secret:secret", 0o600, "line 1 of"),
    "somebody else's": ("bob@example.com:secret", 0o600, "no password of the probe account ann"),
}


@pytest.mark.parametrize(("lines", "mode", "says"), REFUSED.values(), ids=REFUSED)
def test_an_unusable_file_is_refused_in_one_line_without_its_content(
    asked: Callable[..., ProbeAccounts], lines: str, mode: int, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        asked("ann@example.com", lines, mode)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["absent", "folder", "bytes"])
def test_what_is_no_file_of_lines_is_refused(
    asked: Callable[..., ProbeAccounts], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "odd"
    if kind == "folder":
        path.mkdir()
    elif kind == "bytes":
        path.touch(0o600)
        path.write_bytes(b"ann@example.com:\xff")
    with pytest.raises(ConfigurationError, match=rf"^PROBE_PASSWORDS_FILE: {path} "):
        asked("ann@example.com", PROBE_PASSWORDS_FILE=path)


def test_signing_needs_the_key_of_the_backend_that_is_asked(
    asked: Callable[..., ProbeAccounts],
) -> None:
    assert asked("bob@example.com", PROBE_SIGNING="1").accounts[0].token
    with pytest.raises(ConfigurationError, match=r"PROBE_SIGNING needs the key .* set SECRET_KEY"):
        asked("bob@example.com", PROBE_SIGNING="1", BACKEND_URL="https://api.example.com")
