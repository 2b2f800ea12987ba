"""What a run's log says of a failure: for one that its user can act on, the line that says how."""

import logging

from ops.errors import SigmaSightError

_RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


class _LikeAReport(logging.Filter):
    """A stack trace helps where something unforeseen happened, and only there; and the engine
    tells the same failure for the task, the flow and the process."""

    def __init__(self) -> None:
        super().__init__()
        self._told: SigmaSightError | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, SigmaSightError):
            return True
        if error is self._told:
            return False
        record.exc_info = record.exc_text = None
        if "Retry " not in str(record.msg):
            self._told = error
            record.msg, record.args = "stopped: %s", (str(error),)
        return True


def tell_failures_in_one_line() -> None:
    """Have the logs of runs of this process read like a report. Idempotent."""
    loggers = [logging.getLogger(name) for name in _RUN_LOGGERS]
    if not any(isinstance(known, _LikeAReport) for known in loggers[0].filters):
        report = _LikeAReport()
        for logger in loggers:
            logger.addFilter(report)
