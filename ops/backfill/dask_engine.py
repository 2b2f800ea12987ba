"""The blocks of a batch on Dask workers: other processes, also those of other machines.

A worker gets the address of Core and a block of portfolios; it reads, computes and writes by itself
and answers with counts. Dask may carry out a task several times, even one that has ended, so each
portfolio is written once in a run, whoever tries.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from ops.backfill import Engine
from ops.backfill.batch import STREAMS, BlockReport, run_block
from ops.backfill.starts import PortfolioStart
from ops.books.run_lock import Fence
from ops.errors import BadInputError, ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

ANSWER_SECONDS = 5
LOOK_SECONDS = 5
# For how long there may be no worker: those that a cluster starts again need some seconds.
ALONE_SECONDS = 60


def require_engine(engine: Engine, scheduler: str | None) -> None:
    """See that an engine can be had, before anything begins.

    Raises:
        BadInputError: a scheduler without Dask, or what is no address of one.
        ConfigurationError: Dask is not installed, or what answers there cannot do the work.
    """
    if engine == "local":
        if scheduler is not None:
            raise BadInputError("--scheduler is for the engine dask; add --engine dask")
        return
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "Dask is not installed here; run `pip install distributed`, or leave --engine out"
        ) from None
    if scheduler is not None:
        with dask_client(scheduler):
            pass


@contextmanager
def dask_client(scheduler: str | None) -> Iterator["Client"]:
    """A client of the scheduler at an address; without one, of worker processes of our own, which
    are as many as there are streams and end with the client.

    Raises:
        BadInputError: that is no address of a scheduler.
        ConfigurationError: what answers there, if anything does, cannot do the work.
    """
    from distributed import Client

    if scheduler is None:
        with _own_workers() as cluster, Client(cluster, set_as_default=False) as client:
            yield client
        return
    _require_scheduler(scheduler)
    with Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False) as client:
        _require_our_release(client, scheduler)
        yield client


def _own_workers() -> "LocalCluster":
    from distributed import LocalCluster

    # Of its coming and going, and of workers that it starts again, there are many lines.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    return LocalCluster(
        n_workers=STREAMS,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        # With certificates, because who reaches a scheduler can have it run anything.
        protocol="tls://",
        security=True,
    )


def _require_scheduler(address: str) -> None:
    """See that a scheduler with workers answers, without a client: one that finds none hangs."""
    try:
        found = asyncio.run(_identity(address))
    except ValueError:
        raise BadInputError(
            f"{address!r} is no address of a Dask scheduler; write it as tcp://HOST:8786"
        ) from None
    except (OSError, TypeError):  # of TLS without certificates
        found = {}
    if found.get("type") != "Scheduler":
        raise ConfigurationError(
            f"no Dask scheduler answers at {address}; start one or correct --scheduler "
            "(tls:// wants certificates in Dask's configuration)"
        )
    if not found["workers"]:
        raise ConfigurationError(f"the Dask scheduler at {address} has no workers; start some")


async def _identity(address: str) -> Mapping[str, Any]:
    from distributed.core import rpc

    async with asyncio.timeout(ANSWER_SECONDS), rpc(address) as place:
        found: Mapping[str, Any] = await place.identity()
        return found


def _require_our_release(client: "Client", scheduler: str) -> None:
    """See that all who work for us there have our code."""
    ours = _release()
    try:
        found = {client.run_on_scheduler(_release), *client.run(_release).values()}
    except Exception as error:  # whatever came of their trying to load our module
        found = {f"none ({type(error).__name__})"}
    if others := found - {ours}:
        raise ConfigurationError(
            f"the Dask scheduler at {scheduler} or a worker has SigmaSight {', '.join(others)}, "
            f"not {ours}; install this release there and start them again"
        )


def _release() -> str:
    return version("sigmasight")


def run_on_dask(
    client: "Client", core: URL, blocks: Sequence[Sequence[PortfolioStart]], fence: Fence
) -> Iterator[BlockReport]:
    """Yield the report of each block as it ends.

    Raises:
        ConfigurationError: workers die at a block, each time that it is tried, or none is left.
        DatabaseUnavailableError: the scheduler went away, or a worker does not reach Core.
        FencedOutError: a newer run has taken over.
    """
    from distributed import KilledWorker

    # As part of the function, for Dask looks for futures in arguments. Each call has a key of its
    # own (`pure`): one that was used before would get the answer of that time.
    works = [partial(run_block, core, block, fence.check, once=True) for block in blocks]
    futures = [client.submit(work, pure=False) for work in works]
    try:
        for future in _as_they_end(client, futures):
            yield future.result()
            future.release()
    except KilledWorker:
        raise ConfigurationError(
            "Dask workers die at a block of portfolios, each time; their logs say why (memory?)"
        ) from None
    except CancelledError:
        raise DatabaseUnavailableError(
            "the Dask scheduler went away; start it again and run the command again"
        ) from None


def _as_they_end(client: "Client", futures: "Sequence[Future]") -> "Iterator[Future]":
    """Dask itself would wait for workers without an end, and without a word."""
    from distributed import wait

    left, seen_at = set(futures), time.monotonic()
    while left:
        try:
            with client.as_current():
                done, left = wait(left, LOOK_SECONDS, "FIRST_COMPLETED")
        except TimeoutError:
            done = set()
        if done or client.ncores():
            seen_at = time.monotonic()
        elif time.monotonic() - seen_at > ALONE_SECONDS:
            raise ConfigurationError(
                "the Dask scheduler has no workers any more; start some and run this again, which "
                "goes on with what is missing"
            )
        yield from done
