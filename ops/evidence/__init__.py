"""What may be relied on: each rule once, on facts that its callers gather.

Status, the swap's preflight and the cleanup choose from these rules and word them alike.
"""

from datetime import timedelta

GOOD_FOR = timedelta(hours=24)
# How long a swap must have been in force, and legacy unused, before legacy may be removed.
SEVEN_DAYS = timedelta(days=7)
