"""How large the pools of a backend are, by what the servers allow."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from sqlalchemy.engine import URL

from app.database_url import server_of
from app.gate.serving_pair import Pair

Half = Literal["core", "ai"]
Pool = tuple[Pair | None, Half]

LARGEST: Mapping[Half, int] = {"core": 30, "ai": 15}
# One is kept to hear of a cutover, and a request must not wait for another one's second.
SMALLEST = 3
# Of each server: for the commands of a move, and for whoever looks at it.
KEPT = 16


def sharing(pools: Iterable[tuple[Pool, URL]]) -> list[tuple[list[Pool], list[URL]]]:
    """The pools that share a server, with their addresses there."""
    found = defaultdict[tuple[str, int], list[tuple[Pool, URL]]](list)
    for pool, url in pools:
        found[server_of(url)].append((pool, url))
    return [([pool for pool, _ in one], [url for _, url in one]) for one in found.values()]


def sizes(pools: Sequence[Pool], room: int | None, replicas: int) -> dict[Pool, int]:
    """How many connections each pool of a process may open.

    Args:
        pools: all that it has on one server.
        room: how many connections that allows; None where nothing is known of a bound.
        replicas: how many such processes there are.
    """
    largest = [LARGEST[half] for _, half in pools]
    if room is None:
        return dict(zip(pools, largest, strict=True))
    each = max(0, room - KEPT) // replicas
    return {
        pool: min(most, max(SMALLEST, most * each // sum(largest)))
        for pool, most in zip(pools, largest, strict=True)
    }
