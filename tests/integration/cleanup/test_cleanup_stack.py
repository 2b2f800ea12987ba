"""With a declared stack and the real engine: nothing brings the old database back afterwards."""

from collections.abc import Callable

import pytest

from flows.cleanup_stack import CleanedStack
from infra.automation import DrivenStack
from ops.books.marker import keep_books
from ops.cleanup.own_server import remove_server
from ops.embedded.databases import EmbeddedDatabases
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.infra.conftest import collect_loops, engine, homes, new_stack
from tests.integration.cleanup.swapped_world import World
from tests.served_pair import have_serve

__all__ = ["engine", "homes", "new_stack"]


@pytest.mark.soak
def test_the_stack_forgets_the_old_database_before_and_after_it_goes(
    new_stack: Callable[..., DrivenStack],
    homes: Callable[[], StateFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = homes()
    stack = new_stack(state)
    stack.up()
    keep_books(EmbeddedDatabases(state).url("core", "owner"), "core")
    have_serve(EmbeddedDatabases(state).url("core", "owner"), "new")
    monkeypatch.setenv("SIGMASIGHT_HOME", str(state.root))
    lines: list[str] = []
    cleaned = CleanedStack(OperatorSettings(), stack, lines.append)

    databases = EmbeddedDatabases(state)
    cleaned.forget_legacy()
    cleaned.forget_legacy()
    assert stack.configuration()["legacy"] == "absent"
    assert databases.server("legacy").process() is not None, "not brought up yet"

    world = World(*(databases.url("core", "owner"),) * 4, state.root)
    world.ask(databases.server("legacy").url(), "DROP DATABASE sigmasight")
    assert remove_server(world.scene(own_server=databases)) == "removed"
    cleaned.settle()
    cleaned.settle()
    assert stack.preview() == ()
    stack.up()
    assert databases.names() == ("core", "ai")
    assert not databases.server("legacy").folder.exists()
    collect_loops()
