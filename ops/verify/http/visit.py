"""One verification's visit to a backend: what its checks share, and how they ask."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ops.errors import SigmaSightError
from ops.verify.http.exchange import (
    AbsentError,
    Exchange,
    HttpTarget,
    NoAnswerError,
    UnansweredError,
    exchange,
)
from ops.verify.http.logins import Login, log_in
from ops.verify.report import Verdict, judged

T = TypeVar("T")
_SHOWN = 3


class UnaskedError(SigmaSightError):
    """Nobody is there to ask, or there is nobody to log in as. The first two checks say so; the
    others need not."""


@dataclass(frozen=True)
class Question(Generic[T]):
    """Something to ask for a user.

    Attributes:
        whose: the user or portfolio that a fault is reported of.
        shape: what `app` declares as the answer.
        judge: what is wrong with an answer of that shape, a line each.
        required: whether the backend must have the endpoint.
    """

    whose: str
    token: str
    path: str
    shape: type[T]
    judge: Callable[[T], Iterable[str]]
    required: bool = True


@dataclass
class Faults:
    """What is wrong, one line each, and how many answers are absent."""

    lines: list[str] = field(default_factory=list)
    absent: int = 0

    def finding(self, good: str, **measured: Any) -> Verdict:
        """`good` where nothing is wrong, else how much is, and what comes first."""
        if not self.lines:
            return judged(True, good, **measured)
        more = f"; and {len(self.lines) - _SHOWN} more" if len(self.lines) > _SHOWN else ""
        shown = "; ".join(self.lines[:_SHOWN])
        return judged(False, f"{len(self.lines)} faults: {shown}{more}", **measured)


def differing(name: str, found: float, expected: float, cents: int = 1) -> Iterator[str]:
    """A line where two figures differ by more than some cents, each rounded by itself."""
    if abs(found - expected) > 0.01 * cents + 1e-9 * abs(expected):
        yield f"{name}: {found:,.2f} instead of {expected:,.2f}"


class Once(Generic[T]):
    """Something that is found out once, by whoever asks first; its failure is everybody's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Future[T] | None = None

    def __call__(self, find: Callable[[], T]) -> T:
        """What `find` returned, or raised, when it was first called."""
        with self._lock:
            if self._found is None:
                self._found = Future()
                try:
                    self._found.set_result(find())
                except Exception as error:
                    self._found.set_exception(error)
        return self._found.result()


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

    def put(self, questions: Iterable[Question[Any]]) -> Faults:
        """Put questions, a few at a time. What goes wrong with one is its fault, and stops no
        other. Raises what `ask` raises."""
        faults = Faults()

        async def put_all(http: Exchange) -> None:
            await asyncio.gather(*(_put(http, question, faults) for question in questions))

        self.ask(put_all)
        return faults

    def reach(self) -> None:
        """Make sure that anything answers at the address.

        Raises:
            UnaskedError: nothing does.
        """
        try:
            self._reached(lambda: self.ask(_reach))
        except NoAnswerError as error:
            raise UnaskedError(f"no backend answers at {self.target} ({error})") from None

    def logins(self) -> Sequence[Login]:
        """How the logins of the probe accounts went.

        Raises:
            UnaskedError: there are none.
        """
        probes = self.target.probes
        if not probes.accounts:
            raise UnaskedError(probes.reason)
        return self._logins(lambda: self.ask(lambda http: log_in(http, probes)))

    def tokens(self) -> Mapping[str, str]:
        """E-mail address → token of the probe accounts that are logged in.

        Raises:
            UnaskedError: none could log in.
        """
        logins = self.logins()
        tokens = {login.email: login.token for login in logins if login.token is not None}
        if not tokens:
            raise UnaskedError(f"nobody could log in: {logins[0].reason}")
        return tokens

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a check as under way."""
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
        with self._changed:
            self._changed.wait_for(lambda: self._under_way <= 1, self.target.patience.check)

    async def _bounded(self, work: Callable[[Exchange], Awaitable[T]]) -> T:
        allowed = self.target.patience.check
        try:
            async with asyncio.timeout(allowed), exchange(self.target) as http:
                return await work(http)
        except TimeoutError:
            raise NoAnswerError(f"the check did not end within {allowed:g} s") from None


async def _reach(http: Exchange) -> int:
    return (await http.get("/health")).status


async def _put(http: Exchange, question: Question[Any], faults: Faults) -> None:
    try:
        answer = await http.get(question.path, question.token)
        lines = list(question.judge(answer.read(question.shape)))
    except UnansweredError as error:
        absent = isinstance(error, AbsentError)
        faults.absent += absent
        lines = [str(error)] if question.required or not absent else []
    faults.lines += [f"{question.whose}: {line}" for line in lines]
