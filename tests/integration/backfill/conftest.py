"""A template database with a made-up market, another with every case, and books on their clones."""

from collections.abc import Iterator
from uuid import UUID

import pandas as pd
import pytest

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from ops.reference_data import factor_definitions, stress_scenarios
from tests.databases import NewDatabase, create_database
from tests.integration.backfill.book import OWNER, Book, copy_closes, insert_row
from tests.integration.backfill.cases import build_all, two_portfolios
from tests.integration.backfill.market import made_up_closes
from tests.integration.backfill.reference import Reference, build_reference


@pytest.fixture(scope="session")
def closes() -> pd.DataFrame:
    return made_up_closes()


@pytest.fixture(scope="session")
def market_template(server: EmbeddedServer, core_template: str, closes: pd.DataFrame) -> str:
    """A Core database with prices, factor definitions, scenarios and a user, but no portfolio."""
    url = create_database(server, core_template)
    with connect(url, application_name="tests") as connection:
        copy_closes(connection, closes)
        for definition in factor_definitions():
            insert_row(connection, "factor_definitions", definition)
        for scenario in stress_scenarios():
            insert_row(connection, "stress_test_scenarios", scenario)
        insert_row(connection, "users", OWNER)
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")
    return str(url.database)


@pytest.fixture(scope="session")
def cases_template(server: EmbeddedServer, market_template: str, closes: pd.DataFrame) -> str:
    """The market with one portfolio per case."""
    url = create_database(server, market_template)
    build_all(Book(url, closes))
    return str(url.database)


@pytest.fixture(scope="session")
def backfilled_cases(
    server: EmbeddedServer, cases_template: str, closes: pd.DataFrame
) -> Iterator[Book]:
    """Every case, backfilled in one run; only to be read."""
    book = Book(create_database(server, cases_template), closes)
    report = book.run()
    assert not report.failures
    with book.kept_open() as kept:
        yield kept


@pytest.fixture(scope="session")
def reference(
    server: EmbeddedServer, market_template: str, closes: pd.DataFrame
) -> Iterator[Reference]:
    """A backfilled book with textbook references; only to be read."""
    with Book(create_database(server, market_template), closes).kept_open() as book:
        yield build_reference(book)


@pytest.fixture
def cases_book(new_database: NewDatabase, cases_template: str, closes: pd.DataFrame) -> Book:
    """Every case in a fresh database."""
    return Book(new_database(cases_template), closes)


@pytest.fixture
def book(new_database: NewDatabase, market_template: str, closes: pd.DataFrame) -> Book:
    """A book without portfolios on a fresh clone of the market."""
    return Book(new_database(market_template), closes)


@pytest.fixture
def pair(book: Book) -> tuple[Book, UUID, UUID]:
    return (book, *two_portfolios(book))
