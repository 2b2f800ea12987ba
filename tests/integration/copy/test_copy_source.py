"""One old database and no other: whoever answers at its address must be the one that was copied."""

from collections.abc import Callable

import pytest
from sqlalchemy.engine import URL

from ops.carrying.changes import pair_sessions
from ops.carrying.swap_price import swap_price
from ops.copy import copy_delta, copy_group, delta_parity, parity
from ops.copy.errors import OtherLegacyError
from ops.copy.sessions import copy_sessions
from ops.copy.source import accept_source
from ops.database_identity import same_identity
from ops.errors import FencedOutError
from tests.databases import NewDatabase
from tests.groups import soaked
from tests.integration.copy.conftest import PRICES, Copied, Run
from tests.integration.copy.owned_world import ANSWER, B_USER, OWNED, copied, counts

Act = Callable[[URL, URL, URL], object]
ACTS: dict[str, Act] = {
    "copy": lambda legacy, core, ai: copy_delta(legacy, core, ai, OWNED),
    "copy of prices": lambda legacy, core, _: copy_group(legacy, core),
    "parity": lambda legacy, core, ai: delta_parity(legacy, core, ai, OWNED),
    "parity of prices": lambda legacy, core, _: parity(legacy, core),
    "price": swap_price,
}


@pytest.fixture
def restored(run: Run, new_database: NewDatabase, world_copied: Copied) -> URL:
    """A copy of the old database, made when its rows had been copied: what a restore leaves."""
    legacy, core, _ = world_copied
    run(legacy, PRICES)
    copy_group(legacy, core)
    return new_database(legacy.database)


def test_another_old_database_is_refused_until_it_is_accepted(
    restored: URL, world_copied: Copied
) -> None:
    legacy, *pair = world_copied
    before = counts(*pair)
    names = f"{restored.database!r} .* came from {legacy.database!r} .*--accept-legacy"
    for act in ACTS.values():
        with pytest.raises(OtherLegacyError, match=names) as refusal:
            act(restored, *pair)
        assert "\n" not in str(refusal.value)
    accept_source(restored, *pair)
    for act in ACTS.values():
        act(restored, *pair)
        with pytest.raises(OtherLegacyError):
            act(legacy, *pair)
    assert counts(*pair) == before
    assert swap_price(restored, *pair).total == 0


LACKING = {
    "a message": (f"DELETE FROM agent_messages WHERE id = '{ANSWER}'", "1 rows of agent_messages"),
    "a user by another id": (
        "DELETE FROM position_greeks; DELETE FROM portfolio_snapshots;"
        "DELETE FROM agent_conversations; DELETE FROM position_tags;"
        "DELETE FROM tags_v2; DELETE FROM portfolio_target_prices;"
        "DELETE FROM position_realized_events; DELETE FROM equity_changes;"
        f"DELETE FROM positions; DELETE FROM portfolios; UPDATE users SET id = gen_random_uuid()"
        f" WHERE id = '{B_USER}'",
        "1 rows of users",
    ),
    "prices": ("DELETE FROM market_data_cache WHERE symbol = 'SYM1'", "50 rows of market_data_"),
    "a table": ("DROP TABLE ai_feedback", "1 rows of ai_feedback"),
    "everything": ("TRUNCATE users CASCADE", "2 rows of users"),
}


@pytest.mark.parametrize(
    "lacking",
    [
        ("a user by another id", "prices", "a table"),  # by its keys, by its rows, as a whole
        *soaked((("a message", "everything"),)),
    ],
    ids=" and ".join,
)
def test_what_lacks_copied_rows_is_not_accepted(
    run: Run,
    restored: URL,
    new_database: NewDatabase,
    world_copied: Copied,
    lacking: tuple[str, ...],
) -> None:
    _, *pair = world_copied
    for story, rows in map(LACKING.__getitem__, lacking):
        other = new_database(restored.database)
        run(other, story)
        with pytest.raises(OtherLegacyError, match=f"lacks what was copied before .*{rows}"):
            accept_source(other, *pair)
    with pytest.raises(OtherLegacyError, match="accept it once"):
        swap_price(other, *pair)


def test_rows_that_users_deleted_meanwhile_are_accepted_by_their_number(
    run: Run, restored: URL, world_copied: Copied
) -> None:
    _, core, ai = world_copied
    run(restored, f"DELETE FROM ai_feedback; DELETE FROM agent_messages WHERE id = '{ANSWER}'")
    with pytest.raises(OtherLegacyError, match=r"--accept-deleted 2$"):
        accept_source(restored, core, ai, deleted=1)
    accept_source(restored, core, ai, deleted=2)
    copied(restored, core, ai)
    assert swap_price(restored, core, ai).total == 0
    assert run(core, "SELECT count(*) FROM agent_messages") == [(1,)]


@pytest.mark.soak
def test_a_run_that_was_overtaken_accepts_nothing(restored: URL, world_copied: Copied) -> None:
    def overtaken(_core: object) -> None:
        raise FencedOutError("a newer run has taken over")

    _, *pair = world_copied
    with pytest.raises(FencedOutError):
        accept_source(restored, *pair, overtaken)
    with pytest.raises(OtherLegacyError):
        swap_price(restored, *pair)


@pytest.mark.soak
def test_before_the_first_copy_every_old_database_will_do(
    owned_url: URL, old_shape: URL, core_url: URL, ai_url: URL
) -> None:
    assert swap_price(old_shape, core_url, ai_url).total == 0
    accept_source(old_shape, core_url, ai_url)
    assert swap_price(owned_url, core_url, ai_url).total > 0


SHOWN = {"system_identifier": "7", "database_oid": 5, "database_name": "old"}
HIDDEN = {**SHOWN, "system_identifier": "not shown by the server; oldest relation 16385"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (SHOWN, dict(SHOWN), True),
        (SHOWN, HIDDEN, True),  # a role that is not shown the identifier
        (HIDDEN, {**SHOWN, "database_oid": 6}, False),
        (SHOWN, {**SHOWN, "system_identifier": "8"}, False),
        (HIDDEN, {**HIDDEN, "system_identifier": HIDDEN["system_identifier"] + "1"}, False),
    ],
)
def test_one_database_is_known_by_whoever_may_see_less(
    one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    assert (same_identity(one, other), same_identity(other, one)) == (same, same)


def test_no_look_is_compiled_where_the_server_would(
    owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    compiling = [
        url.update_query_dict({"options": "-c jit=on"}) for url in (owned_url, core_url, ai_url)
    ]
    with copy_sessions(*compiling, ["ai"]) as copy, pair_sessions(*compiling[1:], "tests") as pair:
        for session in (copy.legacy.connection, copy.core, copy.ai, *pair):
            assert session.execute("SHOW jit").fetchone() == ("off",)
