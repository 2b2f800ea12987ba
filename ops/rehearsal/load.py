"""A handful of clients that keep asking while pairs change, and count what they lose."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from ops.http_answer import PAIR_HEADER
from ops.probe_accounts import ProbeAccount

CLIENTS = 4
_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 30.0


@dataclass
class Asked:
    """What was asked during one step.

    Attributes:
        lost: connections that failed and answers of 500 or above.
        longest_seconds: the longest wait for one answer.
        pairs: answers by the pair that gave them.
    """

    requests: int = 0
    lost: int = 0
    longest_seconds: float = 0.0
    pairs: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Load:
    """Clients in threads; `step` names what their answers are counted under."""

    def __init__(self, address: str, user: ProbeAccount | None) -> None:
        self.step = ""
        self.asked: dict[str, Asked] = defaultdict(Asked)
        self._address = address
        self._user = user
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(CLIENTS)]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Ask throughout the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            for thread in self._threads:
                thread.join(_TIMEOUT_SECONDS)

    def _client(self) -> None:
        limits = {"base_url": self._address, "timeout": _TIMEOUT_SECONDS, "trust_env": False}
        with httpx.Client(**limits) as client:  # type: ignore[arg-type]
            ask = _question(client, self._user)
            while not self._ending.wait(_PAUSE_SECONDS):
                self._count(ask)

    def _count(self, ask: Callable[[], httpx.Response]) -> None:
        step, begun = self.step, time.monotonic()
        try:
            answer = ask()
            lost, pair = answer.status_code >= 500, answer.headers.get(PAIR_HEADER, "unnamed")
        except httpx.HTTPError:
            lost, pair = True, "nobody"
        waited = time.monotonic() - begun
        with self._lock:
            asked = self.asked[step]
            asked.requests += 1
            asked.lost += lost
            asked.longest_seconds = max(asked.longest_seconds, waited)
            asked.pairs[pair] += 1


def _question(client: httpx.Client, user: ProbeAccount | None) -> Callable[[], httpx.Response]:
    """A user's own portfolios; where nobody may log in, whether the databases are there."""
    token = _token(client, user) if user else None
    if token is None:
        return lambda: client.get("/ready")
    headers = {"Authorization": f"Bearer {token}"}
    return lambda: client.get("/api/v1/portfolios", headers=headers)


def _token(client: httpx.Client, user: ProbeAccount) -> str | None:
    if user.password is None:
        return user.token
    try:
        who = {"email": user.email, "password": user.password}
        login = client.post("/api/v1/auth/login", json=who)
        return str(login.json()["access_token"]) if login.is_success else None
    except (httpx.HTTPError, ValueError, KeyError):
        return None
