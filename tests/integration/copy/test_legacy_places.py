"""Old databases whose tables are elsewhere, hidden or misspelt: moved whole, or refused."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import URL

from ops.carrying.swap_price import swap_price
from ops.connection import connect, within_schema
from ops.copy import copy_delta, copy_group, parity
from ops.embedded.server import EmbeddedServer
from ops.legacy_schema import LegacySchemaError, NoInstallationError
from ops.seed import seed
from tests.databases import create_database
from tests.groups import soaked
from tests.integration.copy.conftest import PRICES, Run
from tests.integration.copy.owned_world import OWNED, ROWS, copied, counts

# What a search_path would take for the truth, or an authentication's own table.
NAMESAKE = "CREATE SCHEMA IF NOT EXISTS {0}; CREATE TABLE {0}.users (id uuid, email text)"
TWICE = "CREATE SCHEMA b;" + ";".join(
    f"CREATE TABLE b.{name} AS TABLE public.{name}" for name in ("users", "portfolios", "positions")
)


def moved(schema: str) -> str:
    """Every table of the application into another schema; extensions stay where they are."""
    return f"""CREATE SCHEMA {schema};
        DO $$ DECLARE one regclass; BEGIN
            FOR one IN SELECT c.oid FROM pg_class AS c WHERE c.relkind = 'r'
                AND c.relnamespace = 'public'::regnamespace
            LOOP EXECUTE format('ALTER TABLE %s SET SCHEMA {schema}', one); END LOOP;
        END $$"""


@pytest.mark.parametrize(
    ("story", "schema", "namesakes"),
    [
        *soaked((moved("sigma"), None, ()), (moved('"Odd one"'), "Odd one", ())),
        (f"{moved('sigma')}; {NAMESAKE.format('public')}", None, ("public.users",)),
        *soaked((NAMESAKE.format("auth"), None, ("auth.users",))),
        (TWICE, "public", ("b.users",)),
    ],
    ids=["another schema", "an odd name", "a stale namesake", "an authentication's own", "chosen"],
)
def test_the_installation_is_moved_from_where_it_is(
    story: str,
    schema: str | None,
    namesakes: tuple[str, ...],
    run: Run,
    owned_url: URL,
    core_url: URL,
    ai_url: URL,
) -> None:
    run(owned_url, PRICES)
    run(owned_url, story)
    legacy = owned_url if schema is None else within_schema(owned_url, schema)
    assert copied(legacy, core_url, ai_url)["users"].namesakes == namesakes
    assert counts(core_url, ai_url) == ROWS
    assert swap_price(legacy, core_url, ai_url).total == 0
    assert copy_group(legacy, core_url).tables[0].accepted == 1000


def test_what_a_path_hides_is_still_counted(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    """A table that the installation lacks is not found as a rest of an earlier one."""
    run(owned_url, moved("sigma"))
    run(owned_url, "DROP TABLE sigma.tags_v2 CASCADE; DROP TABLE sigma.position_tags;")
    run(owned_url, "CREATE TABLE public.tags_v2 (id uuid, name text)")
    chosen = within_schema(owned_url, "sigma")
    found = copied(chosen, core_url, ai_url)["tags_v2"]
    assert (found.path, found.namesakes) == ("absent", ("public.tags_v2",))


HIDDEN = "REVOKE ALL ON SCHEMA public FROM public; GRANT SELECT ON ALL TABLES IN SCHEMA public"
REFUSALS = {
    "no use of the schema": (f"{HIDDEN} TO place_reader", "GRANT USAGE ON SCHEMA public TO place_"),
    "no right to one table": (
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO place_reader;"
        "REVOKE ALL ON agent_messages FROM place_reader",
        "may not read public.agent_messages; say there: GRANT SELECT ON public.agent_messages TO",
    ),
    "only the users moved": (
        "CREATE SCHEMA sigma; ALTER TABLE users SET SCHEMA sigma;"
        "ALTER ROLE place_reader SET search_path = sigma",
        "no schema with portfolios, positions and users",
    ),
    "nothing there": ("DROP SCHEMA public CASCADE", "no schema with portfolios, positions and"),
    "two installations": (TWICE, r"\(b and public\); say by LEGACY_SCHEMA"),
    "a quoted table": ('ALTER TABLE tags_v2 RENAME TO "Tags_v2"', 'public."Tags_v2" for tags_v2'),
    "a quoted column": ('ALTER TABLE positions RENAME notes TO "Notes"', '"Notes" of public.pos'),
    "a table elsewhere": (
        "CREATE SCHEMA sigma; ALTER TABLE tags_v2 SET SCHEMA sigma",
        "sigma.tags_v2 outside of schema public",
    ),
}


@pytest.fixture(scope="module")
def reader(server: EmbeddedServer) -> Iterator[dict[str, str]]:
    """A login role that may read nothing yet."""
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute("CREATE ROLE place_reader LOGIN PASSWORD 'place'")
        yield {"username": "place_reader", "password": "place"}
        session.execute("DROP ROLE place_reader")


@pytest.fixture(scope="module")
def empty_pair(server: EmbeddedServer, core_template: str, ai_template: str) -> list[URL]:
    """A pair that each of the refusals leaves empty."""
    return [create_database(server, template) for template in (core_template, ai_template)]


@pytest.mark.parametrize(("story", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_would_count_as_empty_is_refused(
    story: str,
    message: str,
    reader: dict[str, str],
    run: Run,
    owned_url: URL,
    empty_pair: list[URL],
) -> None:
    run(owned_url, story)
    legacy = owned_url.set(**reader) if "place_reader" in story else owned_url
    for act in (copy_delta, swap_price):
        arguments = (OWNED,) if act is copy_delta else ()
        with pytest.raises(LegacySchemaError, match=message) as refusal:
            act(legacy, *empty_pair, *arguments)  # type: ignore[operator]
        assert "\n" not in str(refusal.value)
    assert set(counts(*empty_pair).values()) == {0}
    run(owned_url, "DROP OWNED BY place_reader; ALTER ROLE place_reader RESET ALL")


def test_prices_need_no_users_beside_them(run: Run, scratch_database: URL, core_url: URL) -> None:
    legacy = scratch_database
    for act in (copy_group, parity):
        with pytest.raises(NoInstallationError, match="no schema with any of balance_sheets"):
            act(legacy, core_url)
    run(legacy, "CREATE SCHEMA prices; CREATE TABLE prices.company_profiles (symbol text)")
    assert [one.path for one in copy_group(legacy, core_url).tables].count("absent") == 5


def test_benchmark_weights_come_from_the_same_schema(
    run: Run, old_shape: URL, core_url: URL, quick_hashes: None
) -> None:
    run(old_shape, f"{moved('sigma')}; {NAMESAKE.format('public')}")
    run(
        old_shape,
        "INSERT INTO sigma.benchmarks_sector_weights (id, benchmark_code, asof_date, sector,"
        " weight, data_source, created_at, updated_at)"
        " VALUES (gen_random_uuid(), 'SP500', '2025-06-30', 'Energy', 1, 'theirs', now(), now())",
    )
    report = seed(core_url, demo_password="demo", legacy_url=old_shape)
    assert "benchmarks_sector_weights" in report.from_legacy
    run(old_shape, TWICE.replace("public.", "sigma."))
    with pytest.raises(LegacySchemaError, match="LEGACY_SCHEMA"):
        seed(core_url, demo_password="demo", legacy_url=old_shape)
