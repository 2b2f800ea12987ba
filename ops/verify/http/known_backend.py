"""Which backend a verification asks."""

from ops.backend.supervised import SupervisedBackend
from ops.settings import OperatorSettings
from ops.verify.http.checks import http_checks, unasked_checks
from ops.verify.http.exchange import HttpTarget
from ops.verify.report import Check


def backend_checks(settings: OperatorSettings) -> tuple[Check, ...]:
    """The checks of the backend that BACKEND_URL names, else of the one that runs beside the
    embedded databases; without any they are skipped, saying what to do."""
    target = known_backend(settings)
    if target is not None:
        return http_checks(target)
    if settings.embedded:
        return unasked_checks("no backend runs here; run `sigmasight rebuild`, or set BACKEND_URL")
    return unasked_checks("set BACKEND_URL to the backend that serves from these databases")


def known_backend(settings: OperatorSettings) -> HttpTarget | None:
    """The backend of the new pair to ask, if any is known: the served one after the swap, before
    it the one that stands by."""
    own = SupervisedBackend(settings.state)
    here = _here(own) if settings.embedded else None
    url = settings.BACKEND_URL or here
    if url is None:
        return None
    log = settings.BACKEND_LOG or (own.log if url == here else None)
    return HttpTarget(url, settings.demo_password(), log)


def _here(own: SupervisedBackend) -> str | None:
    return own.url if own.pair == "new" else own.staged("new")
