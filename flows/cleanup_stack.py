"""The declared stack, as far as a cleanup changes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.automation import DrivenStack
from infra.driven import forget_legacy, goes_with_legacy, last_stack
from ops.settings import OperatorSettings

Log = Callable[[str], None]


@dataclass(frozen=True)
class CleanedStack:
    """What `ops.cleanup.scene.DeclaredLegacy` asks for, by the engine."""

    settings: OperatorSettings
    stack: DrivenStack
    log: Log

    def goes(self) -> Mapping[str, str]:
        return goes_with_legacy(self.stack)

    def forget_legacy(self) -> None:
        """Not brought up yet: on docker the server has to live until its database is dropped."""
        self.stack.configure(legacy="absent", active="new")
        self.stack.unprotect("legacy")

    def settle(self) -> tuple[str, ...]:
        """Bring the stack up, and forget the addresses of the old database."""
        return forget_legacy(self.settings, self.log)


def cleaned_stack(settings: OperatorSettings, log: Log) -> CleanedStack | None:
    """The stack that was brought up here last, if any."""
    stack = last_stack(settings, log)
    return None if stack is None else CleanedStack(settings, stack, log)
