"""Cases of bad input by theme: what is given, and the line that refuses it."""

import gzip
from pathlib import Path

from sqlalchemy.engine import URL

from ops.embedded.server import free_port
from tests.acceptance.bad_input_scenes import (
    below_a_file,
    core_is,
    core_url,
    embedded,
    foreign,
    foreign_ai,
    full_disk,
    given,
    legacy_absent,
    legacy_as_core,
    legacy_is_core,
    legacy_without_symbol,
    new_pair_read_only,
    prices,
    read_only,
    swapped,
    unmigrated,
    unpriced,
    unseeded,
    without_vector,
)
from tests.acceptance.scene import PASSWORD, Scene

# What another case shows as well, by the same rule and at less cost, or a test of what refuses it,
# without a command: `make soak` runs these.
AT_LENGTH = {
    "halves swapped, seed",
    "Core is somebody else's",
    "legacy given as Core, migrate",
    "backfill before seed",
    "unknown role",
    "no password",
    "read-only, seed",
    "no privileges, migrate",
    "halves swapped, migrate",
    "legacy given as Core, seed",
    "legacy absent",
    "legacy unusable",
    "seed before migrate",
    "secrets are no text",
    "serve: halves swapped",
    "serve: Core is somebody else's",
    "serve: no privileges",
    "serve: nothing listens",
    "AI is somebody else's",
    "backfill before migrate",
    "role that may not log in",
    "TLS where there is none",
    "no price at all",
    "range without trading day",
    "raw @ and /",
    "raw @ and ?",
    "raw @ and :",
    "another machine without TLS",
}
GOOD_HEADER = "symbol,date,open,high,low,close,volume"

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
    ("empty day", ("backfill", "--first", ""), "'--first': '' is no day; write it as 2025-07-01"),
    ("malformed day", "backfill --first 1/7/2025", "'--first': '1/7/2025' is no day; write it as"),
    ("impossible day", "verify --last 2025-02-30", "'--last': '2025-02-30' is no day"),
    (
        "unknown mode",
        "backfill --mode everything",
        "'everything' is not one of 'missing', 'failed', 'all'",
    ),
    ("unknown engine", "backfill --engine spark", "'spark' is not one of 'local', 'dask'"),
    ("scheduler of no engine", "backfill --scheduler tcp://127.0.0.1:8786", "add --engine dask"),
    ("unknown option", "seed --twice", "No such option: --twice; see `sigmasight seed --help`"),
    ("unknown command", "teleport", "No such command.*see `sigmasight --help`"),
    ("unknown database", "dsn moon", "not one of 'core', 'ai', 'legacy'"),
    ("unknown group", "copy --group moons", "'moons' is not one of 'market', 'users'"),
    ("unknown dsn role", "dsn core --role king", "'king' is not one of 'owner', 'app', 'readonly'"),
    ("unknown pair", "import file.zip --into moon", "'moon' is not one of 'old', 'new'"),
    ("too many words", "drift today", "unexpected extra argument.*see `sigmasight drift --help`"),
    ("option without its value", "backfill --last", "'--last' requires an argument"),
    ("no folder to export to", "rollback --export /no/where.zip", "there is no folder /no; make"),
    ("negative loss", "swap --accept-loss -1", "'--accept-loss'.*see `sigmasight swap --help`"),
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
        core_url(f"postgresql://u:{PASSWORD}@nowhere.invalid/d?sslmode=require"),
        "nowhere.invalid:5432/d: no host of that name is known here; correct the URL",
    ),
    (
        "another machine without TLS",
        core_url(f"postgresql://u:{PASSWORD}@db.example/d"),
        "DATABASE_URL: leaves this machine without TLS; add sslmode=require",
    ),
]

# A phase refuses as any command does, and is a flow run besides, which takes a second: of what
# comes of connecting, `drift` shows each case.
REFUSED_DATABASES = [
    (
        "wrong password",
        "drift",
        core_is(lambda scene, core: core.set(password=PASSWORD)),
        "refuses the password of role 'postgres'; correct it in the URL",
    ),
    (
        "unknown role",
        "drift",
        core_is(lambda scene, core: core.set(username="nobody", password=PASSWORD)),
        "refuses the password of role 'nobody'",
    ),
    (
        "no password",
        "drift",
        core_is(lambda scene, core: URL.create(**{**core._asdict(), "password": None})),
        "the server wants a password; add it to the URL",
    ),
    (
        "role that may not log in",
        "drift",
        core_is(lambda scene, core: scene.role(core, login=False)),
        "this role may not log in; use another or grant LOGIN",
    ),
    (
        "missing database",
        "drift",
        core_is(lambda scene, core: core.set(database="gone")),
        "there is no such database; create it or correct the URL",
    ),
    (
        "TLS where there is none",
        "drift",
        core_is(lambda scene, core: core.update_query_dict({"sslmode": "require"})),
        "the server offers no TLS; have it do so, or correct sslmode",
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
    ("no swap to follow", "follow", unpriced, "nothing to follow: no swap is in force"),
    ("no legacy, dsn", "dsn legacy", unpriced, "there is no legacy database; set its URL"),
    ("legacy absent", "copy", legacy_absent, "/gone: there is no such database"),
    ("legacy unusable", "copy", legacy_without_symbol, "no column 'symbol'.*add it"),
    ("vector may not be created", "migrate", without_vector, "vector"),
    ("full disk", "seed", full_disk, "its disk is full; free space and run the command again"),
    ("backfill before migrate", "backfill", unmigrated, "run `sigmasight migrate` first"),
    ("seed before migrate", "seed", unmigrated, "run `sigmasight migrate` first"),
    ("backfill before seed", "backfill", unseeded, "no portfolio.*run `sigmasight seed` first"),
    ("no price at all", "backfill", unpriced, "no price of any factor ETF.*run `sigmasight copy`"),
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
        "up",
        given(PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api"),
        "no Prefect server answers at PREFECT_API_URL .*start it, or unset",
    ),
    (
        "Prefect's address is none",
        "up",
        given(PREFECT_API_URL="http://[somewhere"),
        "no Prefect server answers at PREFECT_API_URL .*start it, or unset",
    ),
]

REFUSED_SERVES = [
    ("no databases yet", embedded(), "no databases here yet; run `sigmasight up`"),
    ("short key", given(SECRET_KEY=PASSWORD), "SECRET_KEY: is too short; use at least 32"),
    (
        "AI without Core",
        given(AI_DATABASE_URL="postgresql://localhost/d"),
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
    ("no file", given(PRICES="absent.csv"), "absent.csv: there is no such file; correct its path"),
    ("no CSV", prices("PK\x03\x04"), "a workbook or an archive; save its sheet as CSV"),
    ("missing column", prices("symbol,date,close\nSPY,2025-07-01,1\n"), "the header lacks open"),
    ("no number", prices(f"{GOOD_HEADER}\nSPY,2025-07-01,1,1,1,one,1\n"), "'one' where a number"),
    ("no price", prices(f"{GOOD_HEADER}\nSPY,2025-07-01,1,1,1,-1,1\n"), "an impossible close"),
    ("no date", prices(f"{GOOD_HEADER}\nSPY,July,1,1,1,1,1\n"), "not written as YYYY-MM-DD"),
    (
        "missing symbols",
        prices(f"{GOOD_HEADER}\nSPY,2025-07-01,1,1,1,1,1\n"),
        "symbols of the demo",
    ),
    (
        "unknown acceptance",
        given(PRICES="absent.csv", PRICES_ACCEPT="moves"),
        "PRICES_ACCEPT: 'moves' is unknown; accept high-below-low, contradiction, coverage",
    ),
]


def _binary_secrets(scene: Scene) -> Path:
    folder = scene.state()
    (folder / "secrets.json").write_bytes(gzip.compress(PASSWORD.encode()))
    return folder
