"""Questions that are asked at once, and none of which is waited for beyond one common deadline."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

import psycopg

from ops.connection import first_line
from ops.errors import DatabaseUnavailableError, SigmaSightError
from ops.status.line import State

T = TypeVar("T")


class LookError(SigmaSightError):
    """What was asked could not be found out."""


class LateError(DatabaseUnavailableError):
    """The answer did not come in time, because what was asked hangs, or the machine is busy."""


WAIT_LONGER = "sigmasight status --timeout 10"


def state_after(error: Exception) -> State:
    """What is known of something whose question ended so."""
    return "unknown" if isinstance(error, LateError) else "failed"


class Answer(Generic[T]):
    """What a question will be answered with."""

    def __init__(self, subject: str, future: "Future[T]", deadline: float) -> None:
        self._subject = subject
        self._future = future
        self._deadline = deadline

    def get(self) -> T:
        """The answer, waited for until the deadline.

        Raises:
            LateError: it did not come in time.
            SigmaSightError: it cannot be had; the line says why.
        """
        try:
            return self._future.result(max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            raise LateError(
                f"{self._subject} does not answer in time: it hangs, or the machine is busy"
            ) from None
        except psycopg.Error as error:
            raise LookError(f"{self._subject} refused: {first_line(error)}") from None


class Looks:
    """Asks each question in a thread of its own.

    The threads are daemons: one that hangs on a silent server ends with the process and cannot
    hold it.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def ask(self, subject: str, question: Callable[[], T]) -> Answer[T]:
        """Begin to ask; `subject` names in messages what does not answer."""
        future: Future[T] = Future()

        def answer() -> None:
            try:
                future.set_result(question())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=answer, name=f"look at {subject}", daemon=True).start()
        return Answer(subject, future, self._deadline)
