"""What a terminal shows of a run: our own lines and retries, not the engine's bookkeeping."""

import logging
from pathlib import Path

import prefect
from prefect.logging.handlers import PrefectConsoleHandler

from flows.commands.output import err, outlive_readers, shown

_ENGINE = Path(prefect.__file__).parent


class _OwnLines(logging.Filter):
    """Failures are shown by the command itself, in one line; the dashboard keeps the rest."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is not None:
            return False
        own = _ENGINE not in Path(record.pathname).parents
        return own or "Retry" in record.getMessage()


def show_own_lines() -> None:
    """Have Prefect's console handlers show our own lines alone, unless the engine's are wanted too.
    What goes to its server stays whole."""
    for handler in write_where_commands_do():
        if not shown.verbose:
            handler.addFilter(_OwnLines())
        if shown.quiet:
            handler.setLevel(logging.WARNING)
    if not shown.verbose:  # a hundred lines where the server goes away, which is told in one
        logging.raiseExceptions = False
        # Of connections that are given up on purpose; what comes of it is told in one line, too.
        logging.getLogger("psycopg").setLevel(logging.ERROR)


def write_where_commands_do() -> list[PrefectConsoleHandler]:
    """Have Prefect's console handlers write where the command does, so that its bars stay below,
    and nobody who leaves stops a flow; which they are."""
    outlive_readers()
    names = ("", "prefect", "prefect.flow_runs", "prefect.task_runs")
    known = {handler for name in names for handler in logging.getLogger(name).handlers}
    found = [handler for handler in known if isinstance(handler, PrefectConsoleHandler)]
    for handler in found:
        handler.console = err()
    return found
