#!/usr/bin/env bash
# Prefect 3.8.8 and 3.9.1: PREFECT_FLOWS_HEARTBEAT_FREQUENCY is an "int or None" that no environment can set to
# None, and its default is not None.
#
# What most expect: a setting that may be None is off unless it is set, or can be switched off by an
# empty value, as Prefect's other optional settings can.
# What happens: unset means 180 seconds; the empty text, "null" and "None" are no integers, 0 is too
# small. Only code can switch it off (temporary_settings). It matters because a synchronous flow ends
# by joining the thread that sends the heartbeats, which sleeps whole seconds.
# Output seen: "unset: 180", then "refused" for each of the four values, then "in code: None".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PREFECT_HOME="$folder/home"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check prefect==3.9.1
python="$folder/venv/bin/python"
read_setting='from prefect.settings import get_current_settings as s; print(s().flows.heartbeat_frequency)'
unset PREFECT_FLOWS_HEARTBEAT_FREQUENCY
default=$("$python" -c "$read_setting")
echo "unset: $default"
[ "$default" = 180 ]
for value in "" null None 0; do
  if PREFECT_FLOWS_HEARTBEAT_FREQUENCY=$value "$python" -c "$read_setting" > /dev/null 2>&1; then
    echo "'$value': taken"
    exit 1
  fi
  echo "'$value': refused"
done
in_code=$("$python" - <<'PY'
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY as FREQUENCY
from prefect.settings import temporary_settings

with temporary_settings({FREQUENCY: None}):
    print(FREQUENCY.value())
PY
)
echo "in code: $in_code"
[ "$in_code" = None ]
