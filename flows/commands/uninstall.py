"""`sigmasight uninstall`."""

from typing import Annotated

import typer

from flows.commands.options import AsJson
from flows.commands.output import out, report, say
from flows.commands.runner import settings_now


def uninstall(
    execute: Annotated[
        bool, typer.Option("--execute", help="Remove it; else it is only shown.")
    ] = False,
    account: Annotated[
        bool,
        typer.Option("--account", help="The servers' system account and /var/lib/sigmasight too."),
    ] = False,
    as_json: AsJson = False,
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
    word = "goes" if execute else "would go"
    say(*(f"{word}: {line}" for line in (() if as_json else goes)))
    if goes:
        installed.refuse()
    if goes and execute:
        installed.remove()
    if as_json:
        ready = "sigmasight uninstall --execute" if goes and not execute else None
        report({"goes": goes, "removed": bool(goes and execute)}, ready)
    elif not goes:
        out().print("nothing is here; packages stay in .venv, which you may remove")
    elif execute:
        out().print("removed; packages stay in .venv, which you may remove")
    else:
        out().print("nothing was removed; `sigmasight uninstall --execute` removes it")
