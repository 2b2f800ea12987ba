"""What may be relied on: each rule once, on facts that its callers gather.

Status, the swap's preflight and the cleanup choose from these rules and word them alike.
"""

from datetime import timedelta

GOOD_FOR = timedelta(hours=24)
