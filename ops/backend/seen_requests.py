"""What a backend's log says of requests: when each came, how long it took, how it ended."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_MOST_BYTES = 8 * 2**20
_TIME = "%Y-%m-%d %H:%M:%S,%f"


@dataclass(frozen=True)
class SeenRequest:
    """A request that has ended.

    Attributes:
        came: seconds of the epoch.
        seconds: until its answer was complete.
    """

    came: float
    seconds: float
    status: int


def requests_between(log: Path, first: float, last: float) -> list[SeenRequest]:
    """Those that came or were under way from `first` to `last`, in seconds of the epoch.

    Raises:
        OSError: the log cannot be read.
    """
    with open(log, "rb") as file:
        file.seek(max(0, file.seek(0, 2) - _MOST_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [one for one in _read(lines) if one.came <= last and one.came + one.seconds >= first]


def _read(lines: list[str]) -> Iterator[SeenRequest]:
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):  # another line
            said = json.loads(line)
            ended = datetime.strptime(said["time"], _TIME).timestamp()
            seconds = said["ms"] / 1000
            yield SeenRequest(ended - seconds, seconds, said["status"])
