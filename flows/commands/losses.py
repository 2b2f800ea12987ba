"""`sigmasight import`: what a rollback has exported, into the databases that serve."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import AsJson, PairName
from flows.commands.output import report, say
from flows.commands.runner import one_step, settings_now
from ops.errors import ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from ops.carrying.import_file import ImportReport
    from ops.endpoints import Endpoints
    from ops.settings import OperatorSettings


def import_file(
    file: Annotated[Path, typer.Argument(help="What `rollback --export` wrote.")],
    into: Annotated[PairName | None, typer.Option(help="By default the pair that serves.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring back what users wrote before a rollback. Idempotent; nothing is overwritten."""
    with one_step("bring the changes back"):
        done = _imported(file, into)

    from ops.carrying.import_file import refuse_conflicts

    say(*(() if as_json else done.lines()))
    refuse_conflicts(done)
    if as_json:
        report(done, "sigmasight status")


def _imported(file: Path, into: PairName | None) -> "ImportReport":
    from ops.endpoints import resolve_endpoints

    settings = settings_now()
    endpoints = resolve_endpoints(settings)
    old = (into or serving_pair(settings)) == "old"
    return _into_old(file, endpoints) if old else _into_new(file, endpoints)


def serving_pair(settings: "OperatorSettings") -> str:
    """Which pair serves: `old` or `new`.

    Raises:
        ConfigurationError: nothing here says it, or Core, which would, does not answer.
    """
    from ops.backend import serving

    try:
        serving.refuse_undeclared(settings)
        return serving.serving_pair(settings)
    except (ConfigurationError, DatabaseUnavailableError):
        raise ConfigurationError(
            "nothing here says which pair serves; say it by --into old or --into new"
        ) from None


def _into_old(file: Path, endpoints: "Endpoints") -> "ImportReport":
    """Without the phases' lock, which is Core's, that may be why there was a rollback; a swap that
    begins meanwhile locks these tables and refuses the import, or waits and copies what it made."""
    from ops.carrying.import_file import import_losses

    if endpoints.legacy is None:
        raise ConfigurationError("there is no old database to import into; set LEGACY_DATABASE_URL")
    return import_losses(file, endpoints.legacy, endpoints.legacy)


def _into_new(file: Path, endpoints: "Endpoints") -> "ImportReport":
    from ops.books.run_lock import exclusive_run
    from ops.carrying.import_file import import_losses

    with exclusive_run(endpoints.core) as fence:
        return import_losses(file, endpoints.core, endpoints.ai, guard=fence.check)
