#!/usr/bin/env bash
# Prefect 3.9.1 with whenever 0.10.5, which its metadata allow (>=0.10.5), on Python 3.11 and 3.12: a
# cron schedule plans no run, whatever its cron line and time zone.
#
# What most expect: a deployment with an active cron schedule gets its next runs planned, with every
# version of a dependency that the package allows.
# What happens: below Python 3.13 the server computes with pendulum, whose time zones are a subclass
# of ZoneInfo; whenever takes them from 0.11 on, and refuses them before. The server logs "Error
# scheduling deployment" once a minute, the dashboard shows an active schedule without a run, and an
# rrule is planned as ever. An environment that is upgraded from 3.8 in place, or a lock file that
# keeps what it holds, stays at 0.10.5.
# Output seen: "whenever 0.10.5: cron ValueError, rrule 1 date(s)", then
# "whenever 0.11.0: cron 1 date(s), rrule 1 date(s)".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PREFECT_HOME="$folder/home"
for python in python3.12 python3.11 python3; do
  "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))' 2> /dev/null && break
done
"$python" -m venv "$folder/venv"
planned() { # WHENEVER
  "$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check prefect==3.9.1 "whenever==$1"
  "$folder/venv/bin/python" - <<'PY'
import asyncio

from prefect.server.schemas.schedules import CronSchedule, RRuleSchedule


def dates(schedule):
    try:
        return f"{len(asyncio.run(schedule.get_dates(1)))} date(s)"
    except ValueError as error:
        return type(error).__name__


print(f"cron {dates(CronSchedule(cron='0 20 * * 1-5', timezone='America/New_York'))},", end=" ")
print(f"rrule {dates(RRuleSchedule(rrule='FREQ=DAILY', timezone='America/New_York'))}")
PY
}
older=$(planned 0.10.5)
newer=$(planned 0.11.0)
echo "whenever 0.10.5: $older"
echo "whenever 0.11.0: $newer"
[ "$older" = "cron ValueError, rrule 1 date(s)" ] && [ "$newer" = "cron 1 date(s), rrule 1 date(s)" ]
