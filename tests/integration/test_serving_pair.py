"""The pair that serves is the row in Core, also of an installation whose folder said it before."""

import json
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.backend import serving
from ops.books.active_pair import Pair
from ops.endpoints import Endpoints
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings
from tests.served_pair import have_serve


@pytest.fixture
def settings(tmp_path: Path, core_url: URL, monkeypatch: pytest.MonkeyPatch) -> OperatorSettings:
    """Of embedded servers with an old database."""
    here = Endpoints(core_url, core_url.set(database="ai"), core_url, "embedded")
    monkeypatch.setattr(serving, "resolve_endpoints", lambda _: here)
    found = OperatorSettings(SIGMASIGHT_HOME=tmp_path, _env_file=None)  # type: ignore[call-arg]
    found.state.create()
    return found


@pytest.mark.parametrize(("said", "pair"), [("new", "new"), ("old", "old"), (None, "old")])
def test_what_the_folder_said_is_taken_over_once(
    settings: OperatorSettings, core_url: URL, said: str | None, pair: Pair
) -> None:
    """Swapped, rolled back, never swapped."""
    file = settings.state.root / "active_pair.json"
    if said is not None:
        file.write_text(json.dumps({"pair": said}))
    assert serving.serving_pair(settings) == pair, "before any command that changes something"
    serving.keep_swapped(settings)
    assert (serving.serving_pair(settings), file.exists()) == (pair, False)
    have_serve(core_url, "old")
    serving.keep_swapped(settings)
    assert serving.serving_pair(settings) == "old", "what the folder said decides nothing any more"


def test_what_the_folder_said_waits_for_a_lost_core(
    settings: OperatorSettings, monkeypatch: pytest.MonkeyPatch, core_url: URL
) -> None:
    settings.state.write("active_pair", {"pair": "new"})
    lost = Endpoints(core_url.set(port=1), core_url, core_url, "embedded")
    monkeypatch.setattr(serving, "resolve_endpoints", lambda _: lost)
    serving.keep_swapped(settings)
    assert settings.state.read("active_pair") == {"pair": "new"}


def test_a_folder_that_names_no_pair_is_refused(settings: OperatorSettings) -> None:
    settings.state.write("active_pair", {"pair": "both"})
    with pytest.raises(ConfigurationError, match="names no pair; write old or new into it"):
        serving.serving_pair(settings)
