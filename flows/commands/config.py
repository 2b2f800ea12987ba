"""`sigmasight config show`."""

import typer

from flows.commands.options import AsJson
from flows.commands.output import out, report
from flows.commands.runner import settings_now

config = typer.Typer(help="Which settings are in force.")


@config.callback()
def _only_sub_commands() -> None:
    """Which settings are in force."""


@config.command()
def show(as_json: AsJson = False) -> None:
    """Show each setting, where it comes from (environment, .env, stack, default), and no secret."""
    from ops.setting_origins import settings_in_force

    found = list(settings_in_force(settings_now()))
    if as_json:
        report({"settings": found})
        return
    from rich.table import Table

    table = Table("setting", "value", "from", box=None)
    for one in found:
        table.add_row(one.name, one.value, one.origin)
    out().print(table, markup=False)
