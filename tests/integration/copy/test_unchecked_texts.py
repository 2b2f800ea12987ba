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
def unchecked_url(server: EmbeddedServer) -> Iterator[URL]:
    """The old database of the world in `owned_world`, without an encoding."""
    name = sql.Identifier("unchecked")
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C'"
                " LC_CTYPE 'C'"
            ).format(name)
        )
        url = server.url("unchecked")
        make_legacy(url.update_query_dict({"client_encoding": "utf8"}))
        with connect(url, application_name="tests") as legacy:
            legacy.execute((WORLD + PRICES).encode())
        yield url
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.mark.parametrize("typed", [True, *soaked(False)])
def test_a_row_that_is_no_text_is_rejected_and_the_rest_is_copied(
    run: Run, unchecked_url: URL, core_url: URL, ai_url: URL, typed: bool
) -> None:
    run(unchecked_url, f"UPDATE tags_v2 SET name = 'Zürich 株' WHERE id = '{A_TAG}'")
    run(
        unchecked_url,
        "UPDATE agent_messages SET content = convert_from('\\x636166e9', 'SQL_ASCII')"
        f" WHERE id = '{QUESTION}';"
        "UPDATE market_data_cache SET data_source = convert_from('\\xe9', 'SQL_ASCII')"
        " WHERE symbol = 'SYM7';"
        "UPDATE market_data_cache SET close = 'NaN' WHERE symbol = 'SYM6';"
        "INSERT INTO ai_kb_documents (scope, title, content, metadata) VALUES ('global',"
        " convert_from('\\x636166e9', 'SQL_ASCII'), 'Ours.', '{\"seed\": \"builtin\"}')",
    )
    if not typed:
        run(
            unchecked_url,
            "ALTER TABLE agent_messages ALTER role TYPE text;"
            "ALTER TABLE market_data_cache ALTER volume TYPE bigint",
        )
    found = copied(unchecked_url, core_url, ai_url)
    assert found["agent_messages"].rejected == {"content is not text in UTF-8": 1}
    assert counts(core_url, ai_url) == {**ROWS, "agent_messages": 1, "ai_feedback": 1}
    assert run(core_url, f"SELECT name FROM tags_v2 WHERE id = '{A_TAG}'") == [("Zürich 株",)]
    price = swap_price(unchecked_url, core_url, ai_url)
    assert (price.total, price.edited) == (2, ("caf\ufffd",))
    prices = copy_group(unchecked_url, core_url).tables[0]
    assert (prices.path, prices.accepted) == ("direct" if typed else "staged", 900)
    price = swap_price(unchecked_url, core_url, ai_url)
    assert (price.tables["market_data_cache"].rejected, price.lasting(("market",))) == (50, 52)
    assert all(one.holds for one in parity(unchecked_url, core_url))
    assert run(
        core_url,
        "SELECT row_data ->> 'id', row_data ->> 'content' FROM ops.copy_rejects"
        " WHERE table_name = 'agent_messages'",
    ) == [(QUESTION, "caf?")]
