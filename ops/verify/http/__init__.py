"""What a backend answers, held against the databases that it serves from."""

from ops.verify.http.checks import http_checks, unasked_checks
from ops.verify.http.target import HttpTarget, Patience

__all__ = ["HttpTarget", "Patience", "http_checks", "unasked_checks"]
