"""What the fork server has ready before the first command: every import, the calendar, and the
certificates that httpx otherwise reads for each client, of plain HTTP too."""

import ssl
from functools import lru_cache

import httpx

import flows.crashed_runs
import flows.plots
import flows.rebuild
import ops.drift.refusal
import ops.status
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.trading_calendar import trading_days

__all__ = ["flows", "ops"]

trading_days(FIRST_DAY, LAST_DAY)

ssl.create_default_context = lru_cache(ssl.create_default_context)
httpx.create_ssl_context(trust_env=False)
