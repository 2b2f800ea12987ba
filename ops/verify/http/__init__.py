"""Compare what a backend answers with the databases that it serves from."""

from ops.verify.http.checks import http_checks, unasked_checks
from ops.verify.http.exchange import HttpTarget, Patience

__all__ = ["HttpTarget", "Patience", "http_checks", "unasked_checks"]
