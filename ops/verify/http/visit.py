"""One verification's visit to a backend: what its checks share."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from ops.verify.http.exchange import Exchange, exchange
from ops.verify.http.failures import NoAnswerError, NobodyLoggedInError, UnreachableError
from ops.verify.http.logins import Login, log_in
from ops.verify.http.target import HttpTarget

T = TypeVar("T")


class Once(Generic[T]):
    """Something that is found out once, by whoever asks first; its failure is everybody's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[T] = []
        self._failure: Exception | None = None

    def __call__(self, find: Callable[[], T]) -> T:
        """What `find` returned, or raised, when it was first called."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if not self._found:
                try:
                    self._found.append(find())
                except Exception as error:
                    self._failure = error
                    raise
        return self._found[0]


class Visit:
    """A backend and what is known of it so far. Its checks run in threads, each asking on an event
    loop of its own."""

    def __init__(self, target: HttpTarget) -> None:
        self.target = target
        self._logins: Once[list[Login]] = Once()
        self._reached: Once[int] = Once()
        self._under_way = 0
        self._changed = threading.Condition()

    def ask(self, work: Callable[[Exchange], Awaitable[T]]) -> T:
        """Do some asking, within the bounds of a check.

        Raises:
            NoAnswerError: it did not come to its end.
        """
        return asyncio.run(self._bounded(work))

    def reach(self) -> None:
        """Make sure that anything answers at the address.

        Raises:
            UnreachableError: nothing does.
        """
        try:
            self._reached(lambda: self.ask(_reach))
        except NoAnswerError as error:
            raise UnreachableError(f"no backend answers at {self.target.url} ({error})") from None

    def logins(self) -> Sequence[Login]:
        """How the logins of the demo users went."""
        password = self.target.password
        return self._logins(lambda: self.ask(lambda http: log_in(http, password)))

    def tokens(self) -> Mapping[str, str]:
        """E-mail address → token of the demo users who are logged in.

        Raises:
            NobodyLoggedInError: none could log in.
        """
        logins = self.logins()
        tokens = {login.email: login.token for login in logins if login.token is not None}
        if not tokens:
            raise NobodyLoggedInError(f"nobody could log in: {logins[0].reason}")
        return tokens

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A check is being answered."""
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def wait_for_others(self) -> None:
        """Wait until no other check is under way, so that what they caused can be seen."""
        deadline = time.monotonic() + self.target.patience.check
        with self._changed:
            while self._under_way > 1 and time.monotonic() < deadline:
                self._changed.wait(1.0)

    async def _bounded(self, work: Callable[[Exchange], Awaitable[T]]) -> T:
        allowed = self.target.patience.check
        try:
            async with asyncio.timeout(allowed), exchange(self.target) as http:
                return await work(http)
        except TimeoutError:
            raise NoAnswerError(f"the check did not end within {allowed:g} s") from None


async def _reach(http: Exchange) -> int:
    return (await http.get("/health")).status
