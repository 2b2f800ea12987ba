"""`sigmasight uninstall`."""

from typing import Annotated

import typer

from flows.commands.output import out
from flows.commands.runner import settings_now


def uninstall(
    execute: Annotated[
        bool, typer.Option("--execute", help="Remove it; else it is only shown.")
    ] = False,
    account: Annotated[
        bool,
        typer.Option("--account", help="The servers' system account and /var/lib/sigmasight too."),
    ] = False,
) -> None:
    """Show what this installation has put on the machine; remove it with --execute."""
    from flows.prefect_server import PrefectServer
    from flows.worker import Worker
    from ops.backend.supervised import SupervisedBackend
    from ops.uninstall import Installation

    settings = settings_now()
    state = settings.state
    backend = SupervisedBackend(state)
    found = {
        "worker": Worker(state).runs(),
        "backend": bool(backend.supervisor() or backend.process()),
        "prefect": PrefectServer(state).runs(),
    }
    running = tuple(name for name, runs in found.items() if runs)
    installed = Installation(settings, running, account)
    goes = installed.goes()
    for line in goes:
        out().print(f"{'goes' if execute else 'would go'}: {line}", highlight=False, soft_wrap=True)
    if not goes:
        out().print("nothing is here; packages stay in .venv, which you may remove")
        return
    installed.refuse()
    if execute:
        installed.remove()
        out().print("removed; packages stay in .venv, which you may remove")
    else:
        out().print("nothing was removed; `sigmasight uninstall --execute` removes it")
