"""What a failed run says of itself: the sentence that its user would read in a terminal."""

import logging
from datetime import date
from types import MappingProxyType

import psycopg
import pytest
from prefect.states import State

from flows import backfill, heartbeat, verify
from ops.errors import BadInputError, RefusedError, VerificationError
from ops.verify.report import CheckResult

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


def test_all_that_has_to_be_mended_is_named_where_only_results_are_wanted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for phase in (backfill, verify):
        monkeypatch.setattr(phase, "get_run_logger", lambda: logging.getLogger("run"))
    monkeypatch.setattr(verify, "moved", lambda *_: None)
    caplog.set_level(logging.WARNING)
    tell = verify._teller(2)
    for name, outcome in (("betas", "pass"), ("counts", "fail")):
        tell(CheckResult(name, outcome, "3 beyond", MappingProxyType({})))  # type: ignore[arg-type]
    with pytest.raises(VerificationError):
        backfill._refuse_failures([("a", date(2026, 1, 2), "x"), ("b", date(2026, 1, 5), "y")])
    assert caplog.messages == [
        "fail: counts (3 beyond)",
        "a stopped on 2026-01-02: x",
        "b stopped on 2026-01-05: y",
    ]
