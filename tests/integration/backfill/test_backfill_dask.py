"""The blocks on Dask's workers leave what threads leave, also when a worker dies at it."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

import ops.backfill.dask_engine
import ops.backfill.writer
from ops.backfill import Engine
from ops.backfill.batch import (
    BlockReport,
    finish_batch,
    merge_reports,
    plan_batch,
    run_block,
    run_symbols,
)
from ops.backfill.binary_copy import SIGNATURE, Column, copy_stream
from ops.backfill.dask_engine import dask_client, require_engine, run_on_dask
from ops.backfill.planning import BackfillRequest
from ops.books.run_lock import exclusive_run
from ops.embedded.server import free_port
from ops.errors import BadInputError, ConfigurationError, FencedOutError
from tests.integration.backfill.book import DAYS, FIRST, LAST, Book

if TYPE_CHECKING:
    from distributed import Client

# Of a portfolio there are some nine: the first of the worker's portfolios is committed by then.
COPIES_BEFORE_DEATH = 12


@pytest.fixture(scope="module")
def client() -> "Iterator[Client]":
    """Two worker processes."""
    with dask_client(None) as client:
        yield client


def backfill_on(client: "Client", book: Book) -> BlockReport:
    with exclusive_run(book.url) as fence:
        batch = plan_batch(book.url, BackfillRequest(FIRST, LAST))
        assert batch is not None
        run_symbols(book.url, batch, fence.check)
        reports = list(run_on_dask(client, book.url, batch.blocks, fence))
        finish_batch(book.url, batch, fence.check)
    return merge_reports(reports)


@pytest.mark.soak  # the next one shows it too
def test_workers_leave_what_threads_leave(
    client: "Client", cases_book: Book, backfilled_cases: Book
) -> None:
    report = backfill_on(client, cases_book)
    assert cases_book.content() == backfilled_cases.content()
    assert report.rows["portfolio_snapshots"] == report.portfolio_days > 0


def die_in_a_copy(once: Path) -> None:
    """Let the worker that is the first to come so far die in the middle of a COPY."""
    begun = iter(range(COPIES_BEFORE_DEATH))

    def dying(columns: list[Column]) -> Iterator[bytes]:
        last = next(begun, None) is None
        for piece in copy_stream(columns):
            yield piece
            if last and piece != SIGNATURE:
                os.close(os.open(once, os.O_CREAT | os.O_EXCL))  # not by the one that follows it
                os.kill(os.getpid(), signal.SIGKILL)

    ops.backfill.writer.copy_stream = dying  # type: ignore[assignment]


def test_workers_one_of_which_dies_in_a_copy_leave_what_threads_leave(
    client: "Client", cases_book: Book, backfilled_cases: Book, tmp_path: Path
) -> None:
    one = next(iter(client.scheduler_info(n_workers=-1)["workers"]))
    client.run(die_in_a_copy, tmp_path / "died", workers=[one])
    report = backfill_on(client, cases_book)
    assert (tmp_path / "died").exists()
    assert cases_book.content() == backfilled_cases.content()
    assert report.rows["portfolio_snapshots"] == report.portfolio_days > 0


def test_a_task_that_runs_again_writes_nothing_more(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    with exclusive_run(book.url) as fence:
        batch = plan_batch(book.url, BackfillRequest(FIRST, LAST))
        assert batch is not None
        first = run_block(book.url, batch.portfolios, fence.check, once=True)
        written = set(book.frame("SELECT id FROM portfolio_snapshots")["id"])
        again = run_block(book.url, batch.portfolios, fence.check, once=True)
    assert again == first
    assert set(book.frame("SELECT id FROM portfolio_snapshots")["id"]) == written
    with exclusive_run(book.url) as newer:
        with pytest.raises(FencedOutError):
            run_block(book.url, batch.portfolios, fence.check, once=True)
        run_block(book.url, batch.portfolios, newer.check, once=True)
    assert written.isdisjoint(book.frame("SELECT id FROM portfolio_snapshots")["id"])
    assert book.value("SELECT count(*) FROM portfolio_snapshots") == 2 * len(DAYS)


def test_a_scheduler_whose_workers_are_all_gone_is_not_waited_for(
    pair: tuple[Book, UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client, LocalCluster

    monkeypatch.setattr(ops.backfill.dask_engine, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(ops.backfill.dask_engine, "ALONE_SECONDS", 0.3)
    core = pair[0].url
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
        exclusive_run(core) as fence,
        pytest.raises(ConfigurationError, match="has no workers any more; start some"),
    ):
        list(run_on_dask(client, core, [[]], fence))


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of something that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("engine", "scheduler", "error", "words"),
    [
        ("local", "tcp://127.0.0.1:8786", BadInputError, "add --engine dask"),
        ("dask", "nonsense", BadInputError, r"'nonsense' is no address.*tcp://HOST:8786"),
        ("dask", "http://127.0.0.1:80", BadInputError, "is no address"),
        ("dask", "tcp://127.0.0.1:{}", ConfigurationError, "no Dask scheduler answers"),
        ("dask", "tls://127.0.0.1:{}", ConfigurationError, "wants certificates"),
    ],
)
def test_an_engine_that_cannot_be_had_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    scheduler: str,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr(ops.backfill.dask_engine, "ANSWER_SECONDS", 0.3)
    with pytest.raises(error, match=words) as refusal:
        require_engine(engine, scheduler.format(free_port()))
    assert "\n" not in str(refusal.value)


def test_what_only_listens_is_no_scheduler(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.backfill.dask_engine, "ANSWER_SECONDS", 0.3)
    with pytest.raises(ConfigurationError, match="no Dask scheduler answers"):
        require_engine("dask", silent)


def test_without_dask_the_engine_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match="pip install distributed"):
        require_engine("dask", None)
    require_engine("local", None)


def test_a_scheduler_wants_workers_of_this_release(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=0, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as it:
        with pytest.raises(ConfigurationError, match="has no workers"):
            require_engine("dask", it.scheduler_address)
        it.scale(1)
        it.wait_for_workers(1)
        require_engine("dask", it.scheduler_address)
        releases = chain(["2.0"], repeat("1.0"))
        monkeypatch.setattr(ops.backfill.dask_engine, "version", lambda _: next(releases))
        with pytest.raises(ConfigurationError, match=r"has SigmaSight 1\.0, not 2\.0"):
            require_engine("dask", it.scheduler_address)
