"""The run history is kept by a server that may die: what was done to the databases counts all the
same, and is told."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

import httpx
from prefect import Flow
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows.commands.output import err, shown
from flows.prefect_server import PrefectServer
from ops.errors import DatabaseUnavailableError
from ops.settings import operator_settings

P = ParamSpec("P")
R = TypeVar("R")

_LOST = "the Prefect server went away, so the run history does not say how this ended"
_CUT_OFF = "the Prefect server went away before all was done; run the same command again"
# Settings of the engine's own context, so they are left open, and kept from being tidied up.
_kept_open: list[AbstractContextManager[Any]] = []


class PhaseFlow(Flow[P, R], Generic[P, R]):
    """A flow whose outcome is that of its function, whatever becomes of its server meanwhile.

    Attributes:
        ended: gives the outcome of its function; None until that has ended.
    """

    ended: Callable[[], R] | None = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run it. Raises what its function raises.

        Raises:
            DatabaseUnavailableError: the server went away before the function had ended.
        """
        self.ended = None
        try:
            return super().__call__(*args, **options)
        except Exception as error:
            if not (isinstance(error, httpx.HTTPError) or _is_lost()):
                raise
            if self.ended is None:
                raise DatabaseUnavailableError(_CUT_OFF) from error
        _tell()
        return self.ended()

    def keep_outcome(self, work: Callable[P, R]) -> Callable[P, R]:
        """The same work, whose outcome is kept."""

        @wraps(work)
        def kept(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                result = work(*args, **kwargs)
            except Exception as error:
                self.ended = partial(_raise, error)
                raise
            self.ended = lambda: result
            return result

        return kept


def asking_no_more(work: Callable[P, R]) -> Callable[P, R]:
    """The same work, during and after which nothing asks a server for minutes that is gone."""

    @wraps(work)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        # Our own line tells of the loss, not one of the engine for each event.
        logging.getLogger("prefect._internal.concurrency").disabled = True
        if PrefectServer(operator_settings().state).ours:
            _try_events_thrice()
        try:
            return work(*args, **kwargs)
        finally:
            if _is_lost():
                _kept_open.append(_asked_once())
                _kept_open[-1].__enter__()

    return asked


def _try_events_thrice() -> None:
    """Let the engine give an event up after three tries at once. By default it tries eleven times,
    from the fourth on a second apart, so that a server which is gone holds up the end of a command
    for each event that is left. A server of ours does not go away for a moment only."""
    EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=2)


@contextmanager
def only_noted() -> Iterator[None]:
    """Go on where the run history alone lacks something; who runs the flow tells it in the end."""
    lost = _is_lost()
    try:
        with _asked_once() if lost else nullcontext():
            yield
    except httpx.TransportError:
        if not lost and not _is_lost():
            raise


def _tell() -> None:
    if not shown.history_lost:
        shown.history_lost = True
        err().print(f"warning: {_LOST}")


def _asked_once() -> AbstractContextManager[Any]:
    return temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})


def _raise(error: Exception) -> NoReturn:
    raise error


def _is_lost() -> bool:
    """Of a server that was started here its process tells: one that is busy answers late."""
    server = PrefectServer(operator_settings().state)
    return not (server.runs() if server.ours else server.answers())
