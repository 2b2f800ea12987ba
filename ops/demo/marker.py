"""By what the demo is known, wherever it lies: its generator's mark, and its users' derived ids."""

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect, first_value, session_at
from ops.demo.book import demo_book

MARK = "demo prices"
# Those whom a verification and a cutover of the demo log in as.
DEMO_USERS = (
    "demo_individual@sigmasight.com",
    "demo_hnw@sigmasight.com",
    "demo_hedgefundstyle@sigmasight.com",
)


def generated_prices(database: psycopg.Connection) -> str | None:
    """What the generator wrote of the prices of the old database that it made; None of a foreign
    one, whatever tables that has."""
    commented = "SELECT obj_description(to_regclass('market_data_cache'), 'pg_class')"
    mark, _, described = str(first_value(database, commented)).partition(": ")
    return described if mark == MARK else None


def mark(database: psycopg.Connection, described: str) -> None:
    """Have the old database be known as the demo's, with these prices."""
    text = sql.Literal(f"{MARK}: {described}")
    database.execute(sql.SQL("COMMENT ON TABLE market_data_cache IS {}").format(text))


def keep_mark(source: URL, copied: URL) -> None:
    """A copy of the demo is the demo's too; a dump leaves comments out."""
    with (
        connect(source, application_name="demo", read_only=True) as old,
        connect(copied, application_name="demo") as new,
    ):
        described = generated_prices(old)
        if described is not None:
            mark(new, described)


def is_demo(legacy: URL | None, core: URL) -> bool:
    """Whether an installation is the demo's. Every old database without the generator's mark is
    foreign; where there is none any more, a Core that holds users and none of the demo's.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    url = legacy if legacy is not None else core
    with session_at(url, "demo", read_only=True) as database:
        if legacy is not None:
            return generated_prices(database) is not None
        ids = [user.id for user in demo_book().users]
        theirs = "SELECT count(*) = 0 OR bool_or(id = ANY(%s)) FROM users"
        return bool(first_value(database, theirs, [ids]))
