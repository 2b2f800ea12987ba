#!/usr/bin/env bash
# exchange_calendars 4.13.2 with pandas 3.1.1 (2.3.3 too): asked for years before 1970, the New York
# calendar opens the exchange on nearly every holiday, Christmas included, and warns of nothing.
#
# What most expect: the calendar has rules that end in 1963 and 1970 (Washington's birthday, Memorial
# Day), sets no earliest date and takes any `start`, so holidays of the sixties are known to it.
# What happens: regular holidays come from pandas' AbstractHolidayCalendar, whose class attribute
# `start_date` is 1 January 1970; earlier ones are cut off, whatever `start` is. Only single closings
# that are listed by date stay. 1960 to 1969 have 91 sessions too many against the package
# `holidays`; from 1970 on the two agree to the day.
# Output seen: "Christmas, a weekday, and open: 1961 1962 1963 1964 1967 1969", "1960s: more sessions
# by 91, fewer by 1", "1971-2026: same".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  exchange_calendars==4.13.2 pandas==3.1.1 holidays==0.109
"$folder/venv/bin/python" -W ignore - <<'PY'
import sys
from datetime import date, timedelta

import exchange_calendars
import holidays


def of_exchange_calendars(first: date, last: date) -> set[date]:
    calendar = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last))
    return {day.date() for day in calendar.sessions}


def of_holidays(first: date, last: date) -> set[date]:
    closed = holidays.financial_holidays("NYSE", years=range(first.year, last.year + 1))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {day for day in days if day.weekday() < 5 and day not in closed}


sixties = date(1960, 1, 4), date(1969, 12, 31)
since = date(1971, 1, 4), date(2026, 10, 30)
old = of_exchange_calendars(*sixties)
christmas = [day.year for day in sorted(old) if (day.month, day.day) == (12, 25)]
more, fewer = old - of_holidays(*sixties), of_holidays(*sixties) - old
same = of_exchange_calendars(*since) == of_holidays(*since)
print("Christmas, a weekday, and open:", *christmas)
print(f"1960s: more sessions by {len(more)}, fewer by {len(fewer)}")
print("1971-2026:", "same" if same else "differ")
if christmas != [1961, 1962, 1963, 1964, 1967, 1969] or not more or not same:
    sys.exit("this has changed")
PY
