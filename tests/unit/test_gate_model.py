"""The gate in small: every order of the steps of a command that may die at any of them, a deadline,
and two backends that may be cut off from Core. `test_gate_switch.py` shows the same on real parts;
each step names the code that it stands for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pytest

Pair = Literal["old", "new"]
COURSES: dict[Pair, tuple[str, ...]] = {
    "new": ("hold", "rest", "lock", "commit", "flip", "release", "seal"),
    "old": ("hold", "rest", "flip", "unlock", "release"),
}


@dataclass(frozen=True)
class Backend:
    """Attributes:
    pair: from which something may be answered; None at rest.
    admits: whether another request may begin.
    cut: off from Core. It goes by what it has read until that is not believed any more.
    """

    pair: Pair | None
    admits: bool = True
    cut: bool = False
    believes: bool = True


@dataclass(frozen=True)
class World:
    """Attributes:
    state, pair: the row.
    lock: of the old database; `begun` is an open transaction, for which writers wait.
    step: what the command does next; None once it has ended in whatever way.
    overdue: the deadline has passed.
    hold: counts the holds; `locked_in` is that of the lock, while backends may take it off.
    calls: the hold that a backend knows to have been given up; it may take its time to say so.
    """

    pair: Pair
    lock: Literal["none", "begun", "committed"]
    both: tuple[Backend, Backend]
    state: Literal["open", "held", "flipped"] = "open"
    step: int | None = 0
    overdue: bool = False
    hold: int = 0
    locked_in: int | None = None
    calls: int | None = None

    def writes(self) -> set[Pair]:
        """Where a user's write could be acknowledged at this moment."""
        may = {one.pair for one in self.both if one.pair is not None and one.believes}
        return {pair for pair in may if pair == "new" or self.lock == "none"}


# So that what was known of one hold is said in the next.
_MOST_HOLDS = 2


def begun(to: Pair) -> World:
    pair: Pair = "old" if to == "new" else "new"
    return World(pair, "none" if pair == "old" else "committed", (Backend(pair), Backend(pair)))


def next_worlds(world: World, to: Pair) -> Iterator[World]:
    if world.step is not None:
        yield from carry_out(world, to)
        yield ended(world)  # SIGKILL: sessions end, and with them a lock that is only begun
    if world.state != "open":
        yield replace(world, overdue=True)
        if world.overdue or world.step is None:  # `ops.settle_gate`
            yield replace(world, state="open", overdue=False)
    if world.step is None:
        yield settled(world)
        if world.state == "open" and world.pair != to and world.hold < _MOST_HOLDS:
            yield replace(settled(world), step=0)  # the command is given again
    if reads_given_up(world):  # `Replica.release_given_up`
        yield replace(world, calls=world.hold)
    if world.calls is not None:  # `sigmasight_release.given_up`, in legacy, which knows no row
        if is_given_up(world):
            yield unlocked(replace(world, calls=None))
        yield replace(world, calls=None)
    for number, one in enumerate(world.both):
        for changed in backend(one, world):
            both = (changed, world.both[1]) if number == 0 else (world.both[0], changed)
            yield replace(world, both=both)


def ended(world: World) -> World:
    return replace(unlocked(world) if world.lock == "begun" else world, step=None)


def unlocked(world: World) -> World:
    return replace(world, lock="none", locked_in=None)


def settled(world: World) -> World:
    """`recovery.settle`, by the next command."""
    lock: Literal["none", "committed"] = "committed" if world.pair == "new" else "none"
    return replace(world, lock=lock, locked_in=None)


def carry_out(world: World, to: Pair) -> Iterator[World]:
    """The command's next step; or it fails, and puts back what can be."""
    course, step = COURSES[to], world.step
    assert step is not None
    after = replace(world, step=step + 1 if step + 1 < len(course) else None)
    match course[step]:
        case "hold":
            yield replace(after, state="held", hold=world.hold + 1)
        case "rest" if all(at_rest(one) for one in world.both):
            yield after
        case "lock":
            yield replace(after, lock="begun", locked_in=world.hold)
        case "commit":
            yield replace(after, lock="committed")
        case "flip" if holds(world):  # `ops.books.gate.flip` compares state and deadline
            yield replace(after, state="flipped", pair=to)
        case "unlock":
            yield unlocked(after)
        case "seal":
            yield replace(after, locked_in=None)
        case "release":
            yield replace(after, state="open", overdue=False)
    yield put_back(world, to)


def reads_given_up(world: World) -> bool:
    return world.state == "open" and world.pair == "old"


def is_given_up(world: World) -> bool:
    return world.lock == "committed" and world.locked_in == world.calls


def at_rest(one: Backend) -> bool:
    """Who is silent is not waited for once he may not serve the new pair any more; what goes by the
    old one's lock may go on, since it is refused there."""
    if one.cut:
        return one.pair != "new" or not one.believes
    return one.pair is None and not one.admits


def holds(world: World) -> bool:
    return world.state != "open" and not world.overdue


def put_back(world: World, to: Pair) -> World:
    """`_restore` of a swap and of a rollback: the pair first, if it still can be, then the lock."""
    pair: Pair = world.pair
    if pair == to and holds(world):
        pair = "old" if to == "new" else "new"
    return settled(replace(world, pair=pair, step=None))


def backend(one: Backend, world: World) -> Iterator[Backend]:
    if not one.admits and one.pair is not None:
        yield replace(one, pair=None)  # what was under way has been answered
    if one.cut:
        if one.believes:  # `Gate._doubt` breaks off what is under way
            yield replace(one, believes=False, pair=None)
        elif world.lock != "committed":  # `Replica._ask_old`: others see no open transaction
            yield replace(one, pair="old", admits=True, believes=True)
    if world.state == "open":
        yield Backend(world.pair)
    elif one.cut or one.admits:
        yield replace(one, admits=False, cut=False, believes=True)
    yield replace(one, cut=True)


def reachable(to: Pair) -> Iterator[World]:
    seen: set[World] = set()
    found = [begun(to)]
    while found:
        world = found.pop()
        if world not in seen:
            seen.add(world)
            found.extend(next_worlds(world, to))
            yield world


def is_wrong(world: World) -> bool:
    """Both pairs could be written, or the new one while the old one is not locked."""
    written = world.writes()
    return len(written) == 2 or ("new" in written and world.lock != "committed")


@pytest.fixture(scope="module")
def worlds() -> dict[Pair, list[World]]:
    return {to: list(reachable(to)) for to in COURSES}


@pytest.mark.parametrize("to", COURSES)
def test_no_order_of_steps_lets_both_pairs_be_written(
    to: Pair, worlds: dict[Pair, list[World]]
) -> None:
    assert len(worlds[to]) > 500
    assert not [world for world in worlds[to] if is_wrong(world)]


@pytest.mark.parametrize("to", COURSES)
def test_each_course_can_end_in_either_pair_and_the_next_command_settles_the_lock(
    to: Pair, worlds: dict[Pair, list[World]]
) -> None:
    ends = {world for world in worlds[to] if world.step is None and world.state == "open"}
    assert {world.pair for world in ends} == {"old", "new"}
    assert {settled(world) for world in ends} <= ends


def test_a_swap_that_was_given_up_leaves_no_lock_for_the_next_command(
    worlds: dict[Pair, list[World]],
) -> None:
    left = [
        world
        for world in worlds["new"]
        if world.step is None and world.state == "open" and world.pair == "old"
        if world.lock == "committed"
    ]
    assert left
    for world in left:
        called = replace(world, calls=world.hold)
        assert replace(unlocked(world), calls=None) in next_worlds(called, "new")


@pytest.mark.parametrize(
    ("to", "course"),
    [
        ("new", ("hold", "rest", "lock", "flip", "commit", "release")),
        ("old", ("hold", "rest", "unlock", "flip", "release")),
        ("old", ("hold", "flip", "unlock", "release")),
    ],
)
def test_the_model_sees_a_wrong_order(
    to: Pair, course: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COURSES, to, course)
    assert any(is_wrong(world) for world in reachable(to))


def serves_the_old_pair(world: World) -> bool:
    return any(one.pair == "old" and one.admits and one.believes for one in world.both)


def is_locked(world: World) -> bool:
    return world.lock == "committed"


@pytest.mark.parametrize(
    ("rule", "weaker"),
    [("reads_given_up", serves_the_old_pair), ("is_given_up", is_locked)],
)
def test_the_model_sees_a_lock_that_is_taken_off_for_less(
    rule: str, weaker: Callable[[World], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.{rule}", weaker)
    assert any(is_wrong(world) for world in reachable("new"))
