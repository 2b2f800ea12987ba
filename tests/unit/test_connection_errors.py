"""A connection that cannot be had names its cause, and a server that starts is waited for."""

import psycopg
import pytest
from sqlalchemy.engine import make_url

from ops import connection
from ops.errors import ConfigurationError, DatabaseUnavailableError, SigmaSightError

URL = make_url("postgresql+psycopg://u:geheim@db.example:5432/d")

CAUSES: list[tuple[str, type[SigmaSightError], str]] = [
    (
        "failed to resolve host 'db.example': [Errno -2] Name or service not known",
        DatabaseUnavailableError,
        "no host of that name is known here",
    ),
    (
        'could not translate host name "db.example" to address',
        DatabaseUnavailableError,
        "no host of that name is known here",
    ),
    (
        'connection to server at "2001:db8::1", port 5432 failed: Network is unreachable',
        DatabaseUnavailableError,
        "IPv6 address alone",
    ),
    (
        'connection to server at "2001:db8::1" failed: Cannot assign requested address',
        DatabaseUnavailableError,
        "no network leads there",
    ),
    ("FATAL:  the database system is shutting down", DatabaseUnavailableError, "try again shortly"),
    (
        'connection to server at "127.0.0.1", port 5432 failed: server is not in hot standby mode',
        ConfigurationError,
        "not what target_session_attrs asks for",
    ),
    ("session is read-only", ConfigurationError, "not what target_session_attrs asks for"),
    ("connection refused", DatabaseUnavailableError, "no PostgreSQL server answers at"),
]


@pytest.mark.parametrize(("said", "kind", "line"), CAUSES)
def test_the_line_names_the_cause(
    monkeypatch: pytest.MonkeyPatch, said: str, kind: type[SigmaSightError], line: str
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(kind, match=line) as refused:
        connection.connect(URL, application_name="test")
    assert "db.example:5432/d" in str(refused.value)
    assert "geheim" not in str(refused.value)


STARTS = [
    ("the database system is starting up", 30.0, 3),
    ("the database system is in recovery mode", 30.0, 3),
    ("the database system is not yet accepting connections", 30.0, 3),
    ("the database system is in recovery mode", 0.0, 1),
    ("the database system is shutting down", 30.0, 1),
]


@pytest.mark.parametrize(("said", "patience", "asked"), STARTS)
def test_a_server_that_starts_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, said: str, patience: float, asked: int
) -> None:
    answers: list[Exception] = [
        psycopg.OperationalError(f"FATAL:  {said}"),
        psycopg.OperationalError(f"FATAL:  {said}"),
        psycopg.OperationalError("it is up, and refuses"),
    ]
    seen: list[Exception] = []

    def answer(*_args: object, **_options: object) -> None:
        seen.append(answers.pop(0))
        raise seen[-1]

    monkeypatch.setattr(psycopg, "connect", answer)
    monkeypatch.setattr(connection, "START_SECONDS", patience)
    monkeypatch.setattr(connection, "_START_PAUSE_SECONDS", 0.001)
    with pytest.raises(DatabaseUnavailableError):
        connection.connect(URL, application_name="test")
    assert len(seen) == asked


SHOWN = [
    ("u:geheim@h:1/d", "h:1/d"),
    ("u@h/d", "h:5432/d"),
    ("/d", "local socket:5432/d"),
    ("/d?host=/sock&port=55432", "/sock:55432/d"),
    ("u@/d?host=h", "h:5432/d"),
]


@pytest.mark.parametrize(("rest", "shown"), SHOWN)
def test_an_address_is_shown_as_libpq_takes_it(rest: str, shown: str) -> None:
    assert connection.shown_address(make_url(f"postgresql+psycopg://{rest}")) == shown
