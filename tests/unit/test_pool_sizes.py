"""The pools of a backend fit what a server allows, and are never larger than they need be."""

import pytest

from app.pool_sizes import KEPT, Pool, sizes

CORE: Pool = ("new", "core")
AI: Pool = ("new", "ai")
OLD: tuple[Pool, Pool] = ("old", "core"), ("old", "ai")

CASES = [
    ("nothing is known", [CORE, AI], None, 2, [30, 15]),
    ("room for all", [CORE, AI], KEPT + 90, 2, [30, 15]),
    ("an usual server, of the old database", [*OLD], 97, 2, [26, 13]),
    ("all on an usual server", [CORE, AI, *OLD], 97, 2, [13, 6, 13, 6]),
    ("one process alone", [CORE, AI, *OLD], 97, 1, [27, 13, 27, 13]),
    ("twenty connections", [CORE, *OLD], 17, 2, [3, 3, 3]),
]


@pytest.mark.parametrize(
    ("pools", "room", "replicas", "most"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_pools_share_what_a_server_allows(
    pools: list[Pool], room: int | None, replicas: int, most: list[int]
) -> None:
    found = sizes(pools, room, replicas)
    assert [found[pool] for pool in pools] == most
