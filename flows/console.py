"""What a terminal shows of a run: our own lines and retries, not the engine's bookkeeping."""

import logging
from pathlib import Path

import prefect
from prefect.logging.handlers import PrefectConsoleHandler

from flows.commands.output import err, shown

_ENGINE = Path(prefect.__file__).parent


class _OwnLines(logging.Filter):
    """Failures are shown by the command itself, in one line; the dashboard keeps the rest."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is not None:
            return False
        own = _ENGINE not in Path(record.pathname).parents
        return own or "Retry" in record.getMessage()


def show_own_lines() -> None:
    """Have Prefect's console handlers write where the command does, so that its bars stay below,
    and our own lines alone, unless the engine's are wanted too. What goes to its server stays
    whole."""
    names = ("", "prefect", "prefect.flow_runs", "prefect.task_runs")
    for handler in {handler for name in names for handler in logging.getLogger(name).handlers}:
        if isinstance(handler, PrefectConsoleHandler):
            handler.console = err()
            if not shown.verbose:
                handler.addFilter(_OwnLines())
            if shown.quiet:
                handler.setLevel(logging.WARNING)
    if not shown.verbose:  # a hundred lines where the server goes away, which is told in one
        logging.raiseExceptions = False
        # Of connections that are given up on purpose; what comes of it is told in one line, too.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
