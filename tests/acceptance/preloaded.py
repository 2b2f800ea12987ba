"""What the fork server has ready before the first command: every import, and the calendar."""

import flows.crashed_runs
import flows.plots
import flows.rebuild
import ops.drift.refusal
import ops.status
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.trading_calendar import trading_days

__all__ = ["flows", "ops"]

trading_days(FIRST_DAY, LAST_DAY)
