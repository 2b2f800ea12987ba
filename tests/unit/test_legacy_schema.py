"""Where in an old database the installation's tables are, by what its catalogue says."""

import pytest

from ops.assessment.fates import unknown_tables
from ops.legacy_schema import FoundRelation, LegacySchemaError, NoInstallationError, Search

TRIO = ("users", "portfolios", "positions")
PRICES = frozenset({"market_data_cache", "fund_holdings"})
USERS = frozenset({*TRIO, "tags_v2"})


def held(schema: str, *names: str) -> list[FoundRelation]:
    return [FoundRelation(schema, name) for name in names]


PLACES = {
    "the one schema that holds all": (held("sigma", *TRIO), USERS, None, "sigma"),
    "not a lone namesake": (
        [*held("auth", "users"), *held("public", *TRIO)],
        USERS,
        None,
        "public",
    ),
    "of two the one that is chosen": (
        [*held("a", *TRIO), *held("b", *TRIO)],
        USERS,
        "b",
        "b",
    ),
    "prices alone, where nothing else is wanted": (
        held("prices", "fund_holdings"),
        PRICES,
        None,
        "prices",
    ),
    "of prices the installation's own": (
        [*held("old", "fund_holdings"), *held("public", *TRIO, *PRICES)],
        PRICES,
        None,
        "public",
    ),
    "of prices the chosen ones": (
        [*held("old", "fund_holdings"), *held("public", *TRIO, *PRICES)],
        PRICES,
        "old",
        "old",
    ),
}


@pytest.mark.parametrize(("found", "wanted", "chosen", "home"), PLACES.values(), ids=PLACES)
def test_the_installation_is_found(
    found: list[FoundRelation], wanted: frozenset[str], chosen: str | None, home: str
) -> None:
    assert Search(found, wanted, chosen).result().name == home


def test_namesakes_are_told_by_the_table_whose_name_they_bear() -> None:
    found = [*held("auth", "users"), *held("public", *TRIO, "Users")]
    place = Search(found, USERS).result()
    assert place.namesakes_of("users") == ("auth.users", 'public."Users"')
    assert place.namesakes_of("positions") == ()
    assert place.tables == frozenset(TRIO)


REFUSED = {
    "nothing": ([], USERS, None, "or where it is new, fill it by `sigmasight restore-legacy FILE`"),
    "two of three": (held("public", *TRIO[:2]), USERS, None, "there is public.users, public.port"),
    "split": (
        [*held("sigma", "users"), *held("public", "portfolios", "positions")],
        USERS,
        None,
        "there is sigma.users, public.portfolios, public.positions",
    ),
    "no prices": (held("public", *TRIO), PRICES, "prices", "schema 'prices' of legacy does not"),
    "two installations": (
        [*held("a", *TRIO), *held("b", *TRIO)],
        USERS,
        None,
        r"more than one schema \(a and b\); say by LEGACY_SCHEMA",
    ),
    "prices in two schemas": (
        [*held("a", "fund_holdings"), *held("b", "market_data_cache")],
        PRICES,
        None,
        r"more than one schema \(a and b\)",
    ),
    "a choice without them": (held("a", *TRIO), USERS, "b", "correct LEGACY_SCHEMA"),
    "a choice in another spelling": (held("a", *TRIO), USERS, "A", "schema 'A' of legacy does not"),
    "another spelling": (held("a", "Users", *TRIO[1:]), USERS, None, 'a."Users" for users'),
    "a quoted tag table": (held("a", *TRIO, "Tags_v2"), USERS, None, 'a."Tags_v2" for tags_v2'),
    "a table elsewhere": (
        [*held("a", *TRIO), *held("b", "tags_v2")],
        USERS,
        None,
        "b.tags_v2 outside of schema a; .* or leave them out by LEGACY_SCHEMA=a",
    ),
    "another spelling of a column": (
        [*held("a", *TRIO[1:]), FoundRelation("a", "users", columns=("Email", "id"))],
        USERS,
        None,
        'otherwise than the application: "Email" of a.users;',
    ),
    "no use of the schema": (
        [*held("a", *TRIO[1:]), FoundRelation("a", "users", reachable=False)],
        USERS,
        None,
        "role 'reader' may not read a.users; say there: GRANT USAGE ON SCHEMA a TO reader$",
    ),
    "neither schema nor table": (
        [
            *held("a", "positions"),
            FoundRelation("a", "users", reachable=False, readable=False),
            FoundRelation("a", "portfolios", readable=False),
        ],
        USERS,
        None,
        "a.users and a.portfolios; say there: GRANT USAGE ON SCHEMA a TO reader; "
        "GRANT SELECT ON a.users, a.portfolios TO reader$",
    ),
}


@pytest.mark.parametrize(("found", "wanted", "chosen", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_is_refused(
    found: list[FoundRelation], wanted: frozenset[str], chosen: str | None, message: str
) -> None:
    with pytest.raises(LegacySchemaError, match=message) as refusal:
        Search(found, wanted, chosen).result()
    assert "\n" not in str(refusal.value)


def test_an_unread_table_of_the_installation_is_nobodys_business() -> None:
    found = [*held("a", *TRIO, "fund_holdings"), FoundRelation("a", "tags_v2", readable=False)]
    assert Search(found, PRICES).result().tables == {"fund_holdings"}


def test_nothing_at_all_is_told_from_what_cannot_be_decided() -> None:
    with pytest.raises(NoInstallationError):
        Search([], USERS).result()


def test_of_two_installations_no_table_is_known_until_one_is_chosen() -> None:
    rows = {f"{schema}.{table}": 5 for schema in ("a", "b") for table in TRIO}
    assert unknown_tables(rows) == list(rows)
    assert unknown_tables(rows, "a") == [name for name in rows if name.startswith("b.")]
