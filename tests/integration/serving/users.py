"""Users of a backend in threads: each keeps one connection and asks again and again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

PAIR = "x-sigmasight-pair"


@dataclass
class Users:
    """What became of their requests.

    Attributes:
        answers: when each was answered, by the backend's clock, and by which pair.
        faults: connection errors, and answers other than 200.
    """

    answers: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def ask(self, url: str, pause: float, ended: threading.Event) -> None:
        with httpx.Client(base_url=url, verify=False, timeout=30, trust_env=False) as http:
            while not ended.is_set():
                try:
                    found = http.get("/page")
                except httpx.HTTPError as error:
                    self.faults.append(repr(error))
                    continue
                self.answers.append((float(found.headers["x-answered"]), found.headers[PAIR]))
                if found.status_code != 200:
                    self.faults.append(str(found.status_code))
                ended.wait(pause)


@contextmanager
def asking(url: str, number: int, pause: float = 0.01) -> Iterator[Users]:
    """Let users ask while the block runs."""
    users, ended = Users(), threading.Event()
    threads = [
        threading.Thread(target=users.ask, args=(url, pause, ended), daemon=True)
        for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    try:
        yield users
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
