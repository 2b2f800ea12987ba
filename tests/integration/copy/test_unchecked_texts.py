"""An old database that never asked for an encoding: what is text is copied, the rest is named."""

from collections.abc import Iterator

import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.carrying.swap_price import swap_price
from ops.connection import connect
from ops.copy import copy_group, parity
from ops.embedded.server import EmbeddedServer
from tests.groups import soaked
from tests.integration.copy.conftest import PRICES, Run
from tests.integration.copy.owned_world import A_TAG, QUESTION, ROWS, WORLD, copied, counts
from tests.integration.legacy_shape import make_legacy


@pytest.fixture
def unchecked_url(server: EmbeddedServer, encoding: str) -> Iterator[URL]:
    """The old database of the world in `owned_world`, in an encoding of its own."""
    name = sql.Identifier("unchecked")
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
            ).format(name, encoding)
        )
        url = server.url("unchecked")
        make_legacy(url.update_query_dict({"client_encoding": "utf8"}))
        with connect(url, application_name="tests") as legacy:
            legacy.execute((WORLD + PRICES).encode())
        yield url
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


OTHER_TYPES = (
    "CREATE DOMAIN words AS text; ALTER TABLE agent_messages ALTER content TYPE words;"
    "ALTER TABLE market_data_cache ALTER volume TYPE bigint;"
)


@pytest.mark.parametrize(
    ("encoding", "byte", "name", "story"),
    [
        ("SQL_ASCII", "e9", "Zürich 株", ""),
        ("WIN1252", "81", "Zürich €", OTHER_TYPES),
        *soaked(("SQL_ASCII", "e9", "Zürich 株", OTHER_TYPES), ("WIN1252", "81", "Zürich €", "")),
    ],
)
def test_a_row_that_is_no_text_is_rejected_and_the_rest_is_copied(
    run: Run, unchecked_url: URL, core_url: URL, ai_url: URL, byte: str, name: str, story: str
) -> None:
    run(unchecked_url, f"UPDATE tags_v2 SET name = '{name}' WHERE id = '{A_TAG}'")
    run(
        unchecked_url,
        f"{story} UPDATE agent_messages SET content = '{{}}' WHERE id = '{QUESTION}';"
        "UPDATE market_data_cache SET data_source = '{}' WHERE symbol = 'SYM7';"
        "UPDATE market_data_cache SET close = 'NaN' WHERE symbol = 'SYM6';"
        "INSERT INTO ai_kb_documents (scope, title, content, metadata) VALUES ('global', '{}',"
        " 'Ours.', '{\"seed\": \"builtin\"}');"
        "UPDATE portfolio_snapshots SET sector_exposure = '{\"caf\\u00e9\": 1}'".replace(
            "'{}'", f"convert_from('\\x636166{byte}', getdatabaseencoding())"
        ),
    )
    found = copied(unchecked_url, core_url, ai_url)
    assert found["agent_messages"].rejected == {"content is not text in UTF-8": 1}
    assert counts(core_url, ai_url) == {**ROWS, "agent_messages": 1, "ai_feedback": 1}
    assert run(core_url, f"SELECT name FROM tags_v2 WHERE id = '{A_TAG}'") == [(name,)]
    price = swap_price(unchecked_url, core_url, ai_url)
    assert (price.total, [title[:3] for title in price.edited]) == (2, ["caf"])
    prices = copy_group(unchecked_url, core_url).tables[0]
    assert (prices.path, prices.accepted) == ("staged" if story else "direct", 900)
    price = swap_price(unchecked_url, core_url, ai_url)
    assert price.tables["market_data_cache"].rejected == 50
    assert price.lasting(("market",)).total == 52
    assert all(one.holds for one in parity(unchecked_url, core_url))
    assert run(
        core_url,
        "SELECT row_data ->> 'id', row_data ->> 'content' FROM ops.copy_rejects"
        " WHERE table_name = 'agent_messages'",
    ) == [(QUESTION, "caf?")]
