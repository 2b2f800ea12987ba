"""What the engine tells while it works: changes, as they happen, and why it failed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pulumi.automation import OpType
from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_QUIET = (OpType.SAME, OpType.READ, OpType.REFRESH)


@dataclass(frozen=True)
class Change:
    """One resource and what the engine did, or would do, with it.

    Attributes:
        operation: create, update, delete, replace …
    """

    resource: str
    type: str
    operation: str


@dataclass
class EventRecord:
    """Follows one operation of the engine.

    Attributes:
        log: is told every change, in one line without any value, and every warning.
    """

    log: Callable[[str], None]
    changes: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, event: EngineEvent) -> None:
        """Note one event."""
        if event.resource_pre_event is not None and event.resource_pre_event.planning:
            self._change(event.resource_pre_event.metadata, "would")
        elif event.res_outputs_event is not None and not event.res_outputs_event.planning:
            self._change(event.res_outputs_event.metadata, "done")
        elif event.res_op_failed_event is not None:
            self._change(event.res_op_failed_event.metadata, "failed")
        elif event.diagnostic_event is not None:
            self._say(event.diagnostic_event)

    def _say(self, diagnostic: DiagnosticEvent) -> None:
        lines = plain_lines(diagnostic.message)
        if diagnostic.severity == "error":
            self.errors += lines
        elif diagnostic.severity == "warning":
            for line in lines:
                self.log(f"warning: {line.removeprefix('warning: ')}")

    def _change(self, step: StepEventMetadata, verb: str) -> None:
        if step.op in _QUIET or not step.urn:
            return
        change = Change(
            resource=step.urn.rsplit("::", 1)[-1],
            type=step.type.rsplit(":", 1)[-1],
            operation=str(step.op.value),
        )
        self.changes.append(change)
        self.log(f"{verb}: {change.operation} {change.type} {change.resource}")


def plain_lines(text: str) -> list[str]:
    """The lines of a message that say something, without colours."""
    return [line for part in text.splitlines() if (line := _COLOUR.sub("", part).strip())]
