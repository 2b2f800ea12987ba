"""Every spelling of a PostgreSQL address becomes one URL; what is none is refused unrepeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL, make_url

from app.database_url import (
    InvalidDatabaseUrlError,
    parse_database_url,
    refuse_readable,
    same_database,
)

ACCEPTED = ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"]
ADDRESS = "u:p@db.example:6000/core"


@pytest.mark.parametrize("scheme", ACCEPTED)
def test_normalises_the_scheme(scheme: str) -> None:
    url = parse_database_url(f" {scheme}://{ADDRESS}?sslmode=require\n")
    assert url == make_url(f"postgresql+psycopg://{ADDRESS}?sslmode=require")


def test_keeps_a_password_that_might_pass_for_several_hosts() -> None:
    assert parse_database_url("postgresql://u:a:1,b?c@h/d").password == "a:1,b?c"


@given(password=st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_keeps_any_password_that_is_percent_encoded(password: str) -> None:
    url = URL.create("postgres", "u", password, "h", 5432, "d")
    assert parse_database_url(url.render_as_string(hide_password=False)).password == password


REFUSED = {
    "mysql://u:secret@h/d": "scheme 'mysql'",
    "sqlite:///secret.db": "scheme 'sqlite'",
    "postgresql://u:secret@h": "add /DATABASE",
    "postgresql://u:secret@h/": "add /DATABASE",
    "postgresql://u:secret@h:port/d": "is not a URL",
    "secret": "is not a URL",
    "": "is not a URL",
    "postgresql://u:se@secret@h/d": "as %40",
    "postgresql://u:se@h/secret@h/d": "as %40",
    "postgresql://u:se@h/d?secret@h/d": "as %40",
    "postgresql://u:secret@h1:1,h2:2/d": "several hosts, which is not",
    "postgresql://h1,h2/secret": "several hosts, which is not",
    "postgresql://u:secret@h/d%00x": "control characters",
    "postgresql://u%1b[31m:secret@h/d": "control characters",
    "postgresql://u:secret@h%0a/d": "control characters",
    "postgresql://u:secret@h\x1b[2J/d": "control characters",
    "postgresql://u:secret@h/d?host=/run%1b[2J": "control characters",
    "postgresql://u:secret@h/d%E2%80%AEx": "control characters",
}


@pytest.mark.parametrize(("text", "complaint"), REFUSED.items())
def test_refuses_without_repeating_the_text(text: str, complaint: str) -> None:
    with pytest.raises(InvalidDatabaseUrlError, match=complaint) as refused:
        parse_database_url(text)
    assert "secret" not in str(refused.value)


SAME = [
    ("localhost/d", "127.0.0.1:5432/d", True),
    ("DB.example/d", "someone:else@db.example/d", True),
    ("h/d", "h/e", False),
    ("h:1/d", "h:2/d", False),
    ("h/d", "i/d", False),
    ("/d?host=/run/a", "/d?host=/run/b", False),
    ("/d?host=/run/a", "u@/d?host=/run/a", True),
    ("/d?host=/run/a&port=1", "/d?host=/run/a&port=2", False),
    ("h:1/d", "/d?host=h&port=1", True),
]


@pytest.mark.parametrize(("first", "second", "same"), SAME)
def test_tells_whether_two_addresses_are_one_database(first: str, second: str, same: bool) -> None:
    urls = [parse_database_url(f"postgresql://{rest}") for rest in (first, second)]
    assert same_database(*urls) is same


GUARDED = [
    "127.0.0.1/d",
    "127.8.8.8/d",
    "[::1]/d",
    "LOCALHOST:5441/d",
    "/d",
    "/d?host=/run/postgresql",
    "db.example/d?sslmode=require",
    "db.example/d?sslmode=verify-full&sslrootcert=own.crt",
    "db.example/d?sslrootcert=system",
    "Core.Internal/d",
]
READABLE = [
    "db.example/d",
    "10.0.0.5/d",
    "[2001:db8::1]/d",
    "db.example/d?sslmode=prefer",
    "/d?host=db.example",
    "/d?host=127.0.0.1&host=db.example",
    "/d?host=localhost,db.example",
    "localhost/d?hostaddr=10.0.0.5",
    "core.internal.example/d",
    "/d?service=production",
]


@pytest.mark.parametrize("rest", GUARDED)
def test_what_nobody_can_read_on_its_way_is_accepted(rest: str) -> None:
    refuse_readable(parse_database_url(f"postgresql://{rest}"), ["core.internal"])


@pytest.mark.parametrize("rest", READABLE)
def test_an_address_beyond_this_machine_asks_for_tls(rest: str) -> None:
    with pytest.raises(InvalidDatabaseUrlError, match="HOSTS_WITHOUT_TLS"):
        refuse_readable(parse_database_url(f"postgresql://{rest}"), ["core.internal"])


@pytest.mark.parametrize("name", ["PGHOST", "PGHOSTADDR", "PGSERVICE"])
def test_a_host_that_only_libpqs_environment_names_asks_for_tls(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_readable(parse_database_url("postgresql:///d"), [])
    monkeypatch.setenv(name, "10.0.0.5")
    with pytest.raises(InvalidDatabaseUrlError, match="HOSTS_WITHOUT_TLS"):
        refuse_readable(parse_database_url("postgresql:///d"), [])


def test_what_libpq_is_told_by_its_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    refuse_readable(parse_database_url("postgresql://db.example/d"), [])
