"""The stack that was brought up here last, and what cutover and cleanup do to it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from infra.stack_secrets import LEGACY_ADDRESSES
from infra.topology import stack_on_host
from ops.backend.serving import serving_pair
from ops.books.declared_stack import declared
from ops.errors import RefusedError
from ops.settings import OperatorSettings

if TYPE_CHECKING:  # half a second of imports, which only a declared stack needs
    from infra.automation import DrivenStack

Log = Callable[[str], None]


def last_stack(settings: OperatorSettings, log: Log) -> "DrivenStack | None":
    """The stack that was brought up here last, if any.

    Args:
        log: is told the engine's changes, a line each.
    """
    last = declared(settings.state)
    if last.target is None:
        return None
    from infra.automation import DrivenStack

    name = settings.SIGMASIGHT_STACK or last.name or last.target
    return DrivenStack(settings.state, last.target, name, log)


def forget_legacy(settings: OperatorSettings, log: Log) -> tuple[str, ...]:
    """Take the old database out of the stack that was brought up here, so that no later `up`
    brings it back. A run that was killed is finished by the next. Without a stack nothing is done.

    Returns what remains for a person to remove, a line each.

    Raises:
        RefusedError: the backend still uses it; nothing was changed.
    """
    stack = last_stack(settings, log)
    if stack is None:
        return ()
    if serving_pair(settings) == "old":
        raise RefusedError(
            f"the backend of the stack {stack.name} serves from the old database, which is in use; "
            "swap first, by `sigmasight swap`"
        )
    stack.configure(legacy="absent", active="new")
    stack.unprotect("legacy")
    stack.up()
    left = _left_over(stack)
    if stack.target in ("external", "railway"):
        stack.forget(*LEGACY_ADDRESSES)
    return left


def goes_with_legacy(stack: "DrivenStack") -> Mapping[str, str]:
    """What `forget_legacy` will remove beside the database, by its name; an embedded server, which
    a cleanup removes by itself, not."""
    if stack.target == "docker":
        return {f"container {_on_docker(stack)}": f"of the stack {stack.name}"}
    if stack.target == "railway":
        from infra.railway.old_service import service_that_goes

        return service_that_goes(stack.configuration())
    return {}


def _on_docker(stack: "DrivenStack") -> str:
    name = stack_on_host(stack.name, stack.configuration().get("identity"))
    return f"sigmasight-{name}-legacy"


def _left_over(stack: "DrivenStack") -> tuple[str, ...]:
    if stack.target == "docker":
        volume = f"{_on_docker(stack)}-data"
        return (f"its data are in the Docker volume {volume}: `docker volume rm {volume}`",)
    if stack.target == "railway":
        from infra.railway.old_service import remove_old_service

        return remove_old_service(stack.configuration())
    if stack.target == "external":
        return ("its server is not ours to remove: on the platform, delete the service itself",)
    return ()
