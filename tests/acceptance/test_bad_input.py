"""Bad input ends in one line that says what to do, and changes nothing."""

import gzip
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.connection import conninfo
from ops.embedded.server import free_port
from tests.acceptance.command_line import CommandLine
from tests.acceptance.scene import (
    PASSWORD,
    Arrange,
    Environment,
    Scene,
    fingerprint,
    may_mount,
)
from tests.integration.legacy_shape import make_legacy

GOOD_HEADER = "symbol,date,open,high,low,close,volume"
INVOICES = ("CREATE TABLE invoices (id int)", "INSERT INTO invoices VALUES (1)")


def given(**environment: str) -> Arrange:
    """An environment that needs no database."""
    return lambda scene: {**environment}


def core_is(change: Callable[[Scene, URL], URL]) -> Arrange:
    """A sound pair, but for the address of Core."""
    return lambda scene: scene.pair(core=change(scene, scene.database("seeded")))


def core_url(text: str) -> Arrange:
    return given(DATABASE_URL=text, AI_DATABASE_URL=text)


def embedded(**documents: str) -> Arrange:
    """No URL: the embedded servers of a state folder with these documents."""
    return lambda scene: {"SIGMASIGHT_HOME": scene.state(**documents)}


def prices(text: str) -> Arrange:
    def arrange(scene: Scene) -> Environment:
        return {"SIGMASIGHT_HOME": scene.folder / "new", "PRICES": scene.file("prices.csv", text)}

    return arrange


def swapped(scene: Scene) -> Environment:
    return scene.pair(core=scene.database("ai"), ai=scene.database("core"))


def foreign(scene: Scene) -> Environment:
    core = scene.execute(
        scene.database(), "CREATE TABLE invoices (id int)", "INSERT INTO invoices VALUES (1)"
    )
    return scene.pair(core=core, ai=scene.database())


def foreign_ai(scene: Scene) -> Environment:
    ai = scene.execute(
        scene.database(), "CREATE TABLE invoices (id int)", "INSERT INTO invoices VALUES (1)"
    )
    return scene.pair(ai=ai)


def legacy_as_core(scene: Scene) -> Environment:
    core = scene.database()
    make_legacy(core)
    return scene.pair(core=core)


def legacy_is_core(scene: Scene) -> Environment:
    pair = scene.pair()
    return {**pair, "LEGACY_DATABASE_URL": pair["DATABASE_URL"]}


def legacy_absent(scene: Scene) -> Environment:
    core = scene.database("seeded")
    gone = core.set(database="gone")
    return {**scene.pair(core=core), "LEGACY_DATABASE_URL": conninfo(gone)}


def legacy_without_symbol(scene: Scene) -> Environment:
    legacy = scene.execute(scene.database(), "CREATE TABLE market_data_cache (date date)")
    return {**scene.pair(), "LEGACY_DATABASE_URL": conninfo(legacy)}


def without_vector(scene: Scene) -> Environment:
    ai = scene.database()
    grants = ("CREATE ON SCHEMA public", f"CREATE ON DATABASE {ai.database}")
    return scene.pair(ai=scene.role(ai, *grants))


def full_disk(scene: Scene) -> Environment:
    return scene.pair(core=scene.on_full_disk("core"))


def read_only(scene: Scene, core: URL) -> URL:
    statement = f"ALTER DATABASE {core.database} SET default_transaction_read_only = on"
    return scene.execute(core, statement)


def new_pair_read_only(scene: Scene) -> Environment:
    return scene.pair(core=read_only(scene, scene.database()))


def unpriced(scene: Scene) -> Environment:
    return scene.pair(core=scene.database("seeded"))


def unseeded(scene: Scene) -> Environment:
    return scene.pair()


def unmigrated(scene: Scene) -> Environment:
    return scene.pair(scene.database(), scene.database())


def below_a_file(scene: Scene) -> Environment:
    return {"SIGMASIGHT_HOME": scene.file("taken", "") / "home"}


REFUSED_WORDS = [
    (
        "range reversed",
        "backfill --first 2025-12-19 --last 2025-07-01",
        "give the earlier day first",
    ),
    ("range without trading day", "backfill --first 2025-07-05 --last 2025-07-06", "widen"),
    ("range on a holiday", "verify --first 2025-07-04 --last 2025-07-04", "widen the range"),
    ("range beyond the calendar", "backfill --last 2199-01-01", "leaves the NYSE calendar"),
    ("range before the calendar", "rebuild --first 1901-01-01", "leaves the NYSE calendar"),
    ("empty day", ("backfill", "--first", ""), "'--first': .*does not match the formats"),
    ("malformed day", "backfill --first 1/7/2025", "'--first': .*does not match the formats"),
    ("impossible day", "verify --last 2025-02-30", "'--last': .*does not match the formats"),
    ("unknown mode", "backfill --mode everything", "use missing, failed or all"),
    ("unknown option", "seed --twice", "No such option.*see `sigmasight --help`"),
    ("unknown command", "teleport", "No such command.*see `sigmasight --help`"),
    ("unknown database", "dsn moon", "not one of 'core', 'ai', 'legacy'"),
]

REFUSED_URLS = [
    (
        "wrong scheme",
        core_url(f"mysql://u:{PASSWORD}@127.0.0.1/d"),
        "DATABASE_URL: .*scheme 'mysql'",
    ),
    ("no database", core_url(f"postgresql://u:{PASSWORD}@127.0.0.1:5432"), "add /DATABASE"),
    ("no URL at all", core_url(f"{PASSWORD} at home"), "DATABASE_URL: is not a URL; write"),
    ("empty URL", core_url(""), "DATABASE_URL: is not a URL"),
    ("port is no number", core_url(f"postgresql://u:{PASSWORD}@h:port/d"), "is not a URL; write"),
    (
        "raw @ in the password",
        core_url(f"postgresql://u:p@{PASSWORD}@h/d"),
        "write one in the password as %40",
    ),
    (
        "raw @ and /",
        core_url(f"postgresql://u:p@x/{PASSWORD}@h/d"),
        "write one in the password as %40",
    ),
    (
        "raw @ and ?",
        core_url(f"postgresql://u:p@x/y?{PASSWORD}@h/d"),
        "write one in the password as %40",
    ),
    ("raw @ and :", core_url(f"postgresql://u:p@x:{PASSWORD}@h/d"), "as %40"),
    (
        "unknown parameter",
        core_url(f"postgresql://u:{PASSWORD}@127.0.0.1/d?sslmodus=no"),
        "127.0.0.1:5432/d: libpq does not know a parameter of the URL.*correct",
    ),
    (
        "AI without Core",
        given(AI_DATABASE_URL=f"postgresql://u:{PASSWORD}@127.0.0.1/d"),
        "AI_DATABASE_URL is set without DATABASE_URL; set both",
    ),
    (
        "nothing listens",
        core_url(f"postgresql://u:{PASSWORD}@127.0.0.1:{free_port()}/d"),
        r"no PostgreSQL server answers at 127.0.0.1:\d+/d; start it or correct the URL",
    ),
    (
        "unknown host",
        core_url(f"postgresql://u:{PASSWORD}@nowhere.invalid/d"),
        "no PostgreSQL server answers at nowhere.invalid:5432/d",
    ),
    (
        "transaction pooler by port",
        core_url(f"postgresql://u:{PASSWORD}@127.0.0.1:6543/d"),
        "transaction pooler.*set DATABASE_ADMIN_URL",
    ),
    (
        "transaction pooler by name",
        core_url(f"postgresql://u:{PASSWORD}@ep-1-pooler.eu.example/d"),
        "transaction pooler.*set DATABASE_ADMIN_URL",
    ),
]

REFUSED_DATABASES = [
    (
        "wrong password",
        "seed",
        core_is(lambda scene, core: core.set(password=PASSWORD)),
        "refuses the password of role 'postgres'; correct it in the URL",
    ),
    (
        "unknown role",
        "seed",
        core_is(lambda scene, core: core.set(username="nobody", password=PASSWORD)),
        "refuses the password of role 'nobody'",
    ),
    (
        "no password",
        "seed",
        core_is(lambda scene, core: URL.create(**{**core._asdict(), "password": None})),
        "the server wants a password; add it to the URL",
    ),
    (
        "role that may not log in",
        "seed",
        core_is(lambda scene, core: scene.role(core, login=False)),
        "this role may not log in; use another or grant LOGIN",
    ),
    (
        "missing database",
        "seed",
        core_is(lambda scene, core: core.set(database="gone")),
        "there is no such database; create it or correct the URL",
    ),
    (
        "TLS where there is none",
        "seed",
        core_is(lambda scene, core: core.update_query_dict({"sslmode": "require"})),
        "does not accept this way of connecting",
    ),
    ("read-only, seed", "seed", core_is(read_only), "read-only .*use the primary's address"),
    ("read-only, migrate", "migrate", new_pair_read_only, "read-only .*use the primary's address"),
    (
        "no privileges, seed",
        "seed",
        core_is(lambda scene, core: scene.role(core)),
        "the role lacks a privilege; use the owner's address",
    ),
    (
        "no privileges, migrate",
        "migrate",
        lambda scene: scene.pair(scene.role(scene.database()), scene.database()),
        "the role lacks a privilege; use the owner's address",
    ),
    ("halves swapped, migrate", "migrate", swapped, "AI half of a pair.*correct DATABASE_URL"),
    ("halves swapped, seed", "seed", swapped, "AI half of a pair, not Core"),
    ("Core is somebody else's", "migrate", foreign, "invoices.*point DATABASE_URL"),
    ("AI is somebody else's", "migrate", foreign_ai, "invoices.*point AI_DATABASE_URL"),
    ("legacy given as Core, migrate", "migrate", legacy_as_core, "is a legacy database"),
    (
        "legacy given as Core, seed",
        "seed",
        legacy_as_core,
        "no Core database.*correct DATABASE_URL",
    ),
    ("legacy is Core", "copy", legacy_is_core, "LEGACY_DATABASE_URL names the"),
    ("no legacy", "copy", unpriced, "set LEGACY_DATABASE_URL"),
    ("no legacy, dsn", "dsn legacy", unpriced, "there is no legacy database; set its URL"),
    ("legacy absent", "copy", legacy_absent, "/gone: there is no such database"),
    ("legacy unusable", "copy", legacy_without_symbol, "no column 'symbol'.*add it"),
    ("unknown group", "copy --group moons", legacy_absent, "no copy group 'moons'; choose"),
    ("vector may not be created", "migrate", without_vector, "vector"),
    ("full disk", "seed", full_disk, "its disk is full; free space and run the command again"),
    ("backfill before migrate", "backfill", unmigrated, "run `sigmasight migrate` first"),
    ("seed before migrate", "seed", unmigrated, "run `sigmasight migrate` first"),
    ("backfill before seed", "backfill", unseeded, "no portfolio.*run `sigmasight seed` first"),
    ("no price at all", "backfill", unpriced, "no price of factor ETF.*run `sigmasight copy`"),
    (
        "empty demo password",
        "seed",
        lambda s: {**unseeded(s), "DEMO_PASSWORD": ""},
        "set DEMO_PASSWORD",
    ),
]

REFUSED_STATES = [
    ("no databases yet", "seed", embedded(), "no databases here yet; run `sigmasight up`"),
    ("state folder below a file", "up", below_a_file, "cannot be made .*set SIGMASIGHT_HOME"),
    ("status below a file", "dsn core", below_a_file, "set SIGMASIGHT_HOME|run `sigmasight up`"),
    ("ports are no JSON", "seed", embedded(ports="{"), "ports.json is damaged; restore it"),
    ("ports are a list", "seed", embedded(ports="[]"), "ports.json is damaged; restore it"),
    (
        "secrets are no JSON",
        "up",
        embedded(secrets=PASSWORD),
        "secrets.json is damaged; restore it",
    ),
    (
        "secrets are no text",
        "up",
        lambda scene: {"SIGMASIGHT_HOME": _binary_secrets(scene)},
        "secrets.json is damaged; restore it",
    ),
    (
        "no Prefect server",
        "seed",
        given(PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api"),
        "no Prefect server answers at PREFECT_API_URL .*start it, or unset",
    ),
    (
        "Prefect's address is none",
        "seed",
        given(PREFECT_API_URL="http://[somewhere"),
        "no Prefect server answers at PREFECT_API_URL .*start it, or unset",
    ),
    ("unknown dsn role", "dsn core --role king", unpriced, "use owner, app or readonly"),
]

REFUSED_SERVES = [
    ("no databases yet", embedded(), "no databases here yet; run `sigmasight up`"),
    ("short key", given(SECRET_KEY=PASSWORD), "SECRET_KEY: is too short; use at least 32"),
    (
        "AI without Core",
        given(AI_DATABASE_URL="postgresql://h/d"),
        "without DATABASE_URL; set both",
    ),
    ("wrong scheme", core_url(f"mysql://u:{PASSWORD}@h/d"), "DATABASE_URL: .*scheme 'mysql'"),
    (
        "nothing listens",
        core_url(f"postgresql://u:{PASSWORD}@127.0.0.1:{free_port()}/d"),
        r"127.0.0.1:\d+/d.*refused",
    ),
    ("halves swapped", swapped, "this is the AI half of a pair"),
    ("Core is somebody else's", foreign, "already holds tables that no chain made .invoices"),
    ("no privileges", lambda scene: scene.pair(scene.role(scene.database())), "permission denied"),
]

REFUSED_ADDRESSES = [
    ("port out of range", "--port 70000", "'--port'.*less than or equal to 65535"),
    ("port is no number", "--port http", "'--port'.*a valid integer"),
    ("somebody else's address", "--host 192.0.2.1", "cannot listen on port 8000 of 192.0.2.1"),
    ("unknown host", "--host nowhere.invalid", "cannot listen on port 8000 of nowhere.invalid"),
]

REFUSED_BACKENDS = [
    ("no URL", "at home", "BACKEND_URL: is not a URL of a backend; write http"),
    ("another scheme", f"ftp://u:{PASSWORD}@h", "BACKEND_URL: is not a URL of a backend"),
    ("no port", "http://h:port", "BACKEND_URL: is not a URL; write http"),
    ("with a password", f"http://u:{PASSWORD}@h", "BACKEND_URL: holds more than an address"),
    ("with a query", f"http://h/?key={PASSWORD}", "BACKEND_URL: holds more than an address"),
]

REFUSED_PRICES = [
    ("no file", given(PRICES="absent.csv"), "there is no file absent.csv; correct its path"),
    ("no CSV", prices("PK\x03\x04"), "the header lacks"),
    ("missing column", prices("symbol,date,close\nSPY,2025-07-01,1\n"), "the header lacks open"),
    ("no number", prices(f"{GOOD_HEADER}\nSPY,2025-07-01,1,1,1,one,1\n"), "'one' where a number"),
    ("no price", prices(f"{GOOD_HEADER}\nSPY,2025-07-01,1,1,1,-1,1\n"), "an impossible close"),
    ("no date", prices(f"{GOOD_HEADER}\nSPY,July,1,1,1,1,1\n"), "not written as YYYY-MM-DD"),
    (
        "missing symbols",
        prices(f"{GOOD_HEADER}\nSPY,2025-07-01,1,1,1,1,1\n"),
        "symbols of the demo",
    ),
]


def _binary_secrets(scene: Scene) -> Path:
    folder = scene.state()
    (folder / "secrets.json").write_bytes(gzip.compress(PASSWORD.encode()))
    return folder


def _cases() -> Iterator[object]:
    for name, words, error in REFUSED_WORDS:
        split = words.split() if isinstance(words, str) else words
        yield pytest.param(split, given(), error, id=name)
    for name, arrange, error in REFUSED_URLS:
        yield pytest.param(["seed"], arrange, error, id=name)
    for name, words, arrange, error in [*REFUSED_DATABASES, *REFUSED_STATES]:
        marks = [pytest.mark.skipif(not may_mount(), reason="a full disk needs root and mount")]
        yield pytest.param(
            words.split(), arrange, error, id=name, marks=marks if arrange is full_disk else []
        )
    for name, arrange, error in REFUSED_SERVES:
        yield pytest.param(
            ["serve", "--port", str(free_port())], arrange, error, id=f"serve: {name}"
        )
    for name, words, error in REFUSED_ADDRESSES:
        yield pytest.param(["serve", *words.split()], given(), error, id=f"serve: {name}")
    for name, url, error in REFUSED_BACKENDS:
        yield pytest.param(["verify"], given(BACKEND_URL=url), error, id=f"backend: {name}")
    for name, arrange, error in REFUSED_PRICES:
        yield pytest.param(["up"], arrange, error, id=f"prices: {name}")


@pytest.mark.parametrize(("words", "arrange", "error"), list(_cases()))
def test_ends_in_one_line_and_changes_nothing(
    command_line: CommandLine, scene: Scene, words: list[str], arrange: Arrange, error: str
) -> None:
    environment = {"SIGMASIGHT_HOME": scene.folder / "home", **arrange(scene)}
    before = [fingerprint(url) for url in scene.watched]
    outcome = command_line.run(*words, **environment)
    assert outcome.code != 0, outcome
    assert len(outcome.errors) == 1, outcome
    assert re.search(error, outcome.errors[0]), outcome
    assert "Traceback" not in outcome.out + outcome.err, outcome
    for secret in (PASSWORD, scene.server.password):
        assert secret not in outcome.out + outcome.err, outcome
    assert [fingerprint(url) for url in scene.watched] == before
    assert not list(scene.folder.rglob("PG_VERSION"))


def test_a_taken_port_is_refused_before_anything_is_migrated(
    command_line: CommandLine, scene: Scene
) -> None:
    core, ai = scene.database(), scene.database()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        outcome = command_line.run("serve", "--port", port, **scene.pair(core, ai))
    assert outcome.code == 1, outcome
    assert len(outcome.errors) == 1, outcome
    assert f"cannot listen on port {port} of 127.0.0.1 (Address already in use)" in outcome.err
    for url in (core, ai):
        assert fingerprint(url)["rows"] == set()
