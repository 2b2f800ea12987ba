"""What the fork server has ready before the first command: every import, the calendar, and the
certificates that httpx otherwise reads for each client, of plain HTTP too."""

from functools import lru_cache

import httpx._transports.default

import flows.crashed_runs
import flows.plots
import flows.rebuild
import ops.drift.refusal
import ops.status
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.trading_calendar import trading_days

__all__ = ["flows", "ops"]

trading_days(FIRST_DAY, LAST_DAY)

_transports = httpx._transports.default
_transports.create_ssl_context = lru_cache(_transports.create_ssl_context)
_transports.create_ssl_context(verify=True, cert=None, trust_env=False)
