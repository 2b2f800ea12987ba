"""What a command shows while it works."""

import io
import re

import pytest
from rich.console import Console

from flows.commands import display as shows
from flows.commands.output import Shown
from flows.progress import moved, phase, step

MANNERS = [
    pytest.param(
        False,
        False,
        r"^..:..:.. 4/8 copy: copy tables …\n..:..:.. 4/8 copy: copy tables: "
        r"0\.\d s\n$",
        id="lines where there is no terminal",
    ),
    pytest.param(
        True, False, r"(?s)4/8 copy .*3/8 phases.*copy tables .*5/10 rows", id="bars in one"
    ),
    pytest.param(False, True, "^$", id="quiet"),
    pytest.param(True, True, "^$", id="quiet in a terminal"),
]


@pytest.mark.parametrize(("terminal", "quiet", "seen"), MANNERS)
def test_shows_each_step_as_it_begins_and_ends(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool, seen: str
) -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=terminal, width=120, color_system=None)
    monkeypatch.setattr(shows, "err", lambda: console)
    monkeypatch.setattr(shows, "shown", Shown(quiet=quiet))
    with shows.display("rebuild"):
        phase("copy", 4, 8)
        with step("copy tables"):
            moved("copy tables", 5, 10, "rows")
            if terminal and not quiet:
                console._live_stack[-1].refresh()
    assert re.search(seen, said.getvalue()), said.getvalue()
    before = said.tell()
    with step("unwatched"):
        pass
    assert said.tell() == before
