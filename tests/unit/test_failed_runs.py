"""What a failed run says of itself: the sentence that its user would read in a terminal."""

import logging

import psycopg
import pytest
from prefect.states import State

from flows import heartbeat
from ops.errors import BadInputError, RefusedError

FAILURES = [
    (BadInputError("no day; give one"), "no day; give one", None),
    (RefusedError("not swapped: why"), "not swapped: why", "swap refused"),
    (
        psycopg.errors.RaiseException("INSERT is refused\nHINT: write elsewhere"),
        "the database refused: INSERT is refused",
        None,
    ),
    (
        PermissionError(13, "Permission denied", "/dumps"),
        "/dumps: Permission denied; correct",
        None,
    ),
    (
        LookupError("no moon\nat all"),
        "unexpected LookupError: no moon; the same with --debug",
        None,
    ),
]


@pytest.mark.parametrize(("error", "says", "name"), FAILURES, ids=lambda one: type(one).__name__)
def test_a_run_fails_with_its_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str, name: str | None
) -> None:
    names: list[str] = []
    monkeypatch.setattr(heartbeat, "get_run_logger", lambda: logging.getLogger("none"))
    monkeypatch.setattr(heartbeat, "rename_run", names.append)

    def fail() -> None:
        raise error

    ended: State[None] | None = heartbeat._told("swap", fail)()
    assert ended is not None
    assert str(ended.message).startswith(says)
    assert "\n" not in str(ended.message)
    assert ended.data is error
    assert names == ([name] if name else [])
