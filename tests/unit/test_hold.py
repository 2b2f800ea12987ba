"""What users saw of a hold: read off the backend's log, told in a sentence and drawn."""

import json
import time
from base64 import b64decode
from datetime import datetime
from pathlib import Path

import pytest

from flows.hold import HoldWatch, hold_lines

BEGUN, ENDED = 1_000_000.0, 1_000_002.0


def line(ended: float, seconds: float, status: int = 200) -> str:
    when = datetime.fromtimestamp(ended).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    return json.dumps({"time": when, "message": "request", "status": status, "ms": seconds * 1000})


LONG_BEFORE = line(BEGUN - 60, 0.1)
SEEN = [
    ([], "No request came while it was held."),
    ([LONG_BEFORE, line(BEGUN - 1, 0.1), line(ENDED + 5, 0.1)], "No request came while"),
    (
        ["Traceback", "{}", '{"time": 1}', line(ENDED + 0.1, 1.6), line(BEGUN + 0.1, 0.2)],
        "2 requests were under way or waited meanwhile: none failed, the longest took 1.60 s.",
    ),
    ([line(ENDED, 1, 503)], "1 requests were under way or waited meanwhile: 1 failed"),
]


@pytest.mark.parametrize(("lines", "says"), SEEN)
def test_requests_around_a_hold_are_told_and_drawn(
    tmp_path: Path, lines: list[str], says: str
) -> None:
    log = tmp_path / "backend.log"
    log.write_text("\n".join(lines))
    said, *picture = hold_lines(log, HoldWatch(lambda *_: None, BEGUN, ENDED))
    assert said.startswith(says)
    assert bool(picture) == (not says.startswith("No request"))
    if picture:
        png = b64decode(picture[-1].partition("base64,")[2].removesuffix(")"))
        assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("log", "begun"), [(None, BEGUN), (Path("/no/where"), BEGUN), (Path("/no/where"), None)]
)
def test_without_a_log_or_a_hold_nothing_is_told(log: Path | None, begun: float | None) -> None:
    assert hold_lines(log, HoldWatch(lambda *_: None, begun, ENDED)) == []


def test_the_hold_is_from_the_first_request_that_waits_to_the_release() -> None:
    told: list[str] = []
    watch = HoldWatch(lambda step, _: told.append(step))
    before = time.time()
    for step in ("lock legacy", "hold requests", "flip", "release"):
        watch(step, 3.0)
    assert told == ["lock legacy", "hold requests", "flip", "release"]
    assert watch.begun is not None
    assert watch.ended is not None
    assert before - 3 <= watch.begun <= watch.ended - 3
