"""Where commands write: results to standard output, everything else to standard error."""

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from ops.errors import SigmaSightError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

T = TypeVar("T")


class _Unheeding(io.FileIO):
    """Output whose loss stops nobody: a reader that left, a terminal that is gone, a full disk."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """What cannot be written counts as written."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Let what this process does, and how it ends, not depend on who reads its output. Rich would
    end it in the middle of a step, and others would fail there. Idempotent.

    Streams that are not the interpreter's own are left as they are.
    """
    for name in ("stdout", "stderr"):
        given = getattr(sys, name)
        if given is None:  # closed from the start
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif given is getattr(sys, f"__{name}__"):
            given.flush()
            setattr(sys, name, _unheeding(given))


def _unheeding(given: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, that never fails."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Unheeding(given.fileno(), "w", closefd=False)),
        given.encoding,
        given.errors,
        line_buffering=given.line_buffering,
        write_through=given.write_through,
    )


@lru_cache
def out() -> "Console":
    """Standard output."""
    from rich.console import Console

    return Console()


def say(*lines: str) -> None:
    """Print a command's words as they are: they may come from databases, and hold brackets."""
    for line in lines:
        out().print(line, markup=False, highlight=False, soft_wrap=True)


@lru_cache
def err() -> "Console":
    """Standard error, which shows words as they are: they come from logs and databases."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


def report(document: object, following: str | None = None) -> None:
    """Print a command's result, a dataclass or a mapping, as one JSON object for programs.

    Args:
        following: the command that comes `next`.
    """
    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(document, fallback=_plain)
    out().print_json(data={**plain, "next": following})


def answer(done: T, following: str, show: Callable[[T], None], *, as_json: bool) -> None:
    """Print a command's result: `report` it for programs, else have it shown."""
    if as_json:
        report(done, following)
    else:
        show(done)


def sentence(error: Exception) -> str:
    """What happened, and what to do; of what nobody has foreseen, how to see more."""
    if isinstance(error, SigmaSightError):
        return str(error)
    import psycopg  # only now: it takes a moment, and most commands do not fail

    said = next(iter(str(error).splitlines()), "no message")
    if isinstance(error, psycopg.Error):
        return f"the database refused: {said}"
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}; correct that first"
    return f"unexpected {type(error).__name__}: {said}; the same with --debug shows the trace"


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


@dataclass
class Shown:
    """How much this command shows.

    Attributes:
        command: what was asked for.
        quiet: results and errors alone.
        verbose: the engine's own lines too.
        debug: the trace of a failure.
        as_json: the result for programs, a failure too.
        history_lost: the Prefect server went away meanwhile.
    """

    command: str = ""
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    as_json: bool = False
    history_lost: bool = False


shown = Shown()
