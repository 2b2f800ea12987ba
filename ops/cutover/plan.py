"""What a cutover would do, under an id by which it can be held to that."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ops.books.cutovers import Kind
from ops.connection import shown_address
from ops.cutover.installation import Installation
from ops.errors import BadInputError, RefusedError

SWAP_STEPS = (
    "first delta",
    "first parity",
    "stage the new backend",
    "ask it",
    "first baseline",
    "end streams",
    "hold requests",
    "lock legacy",
    "final delta",
    "parity and price",
    "commit the lock",
    "flip",
    "release",
    "prove the lock",
    "lock the rest",
    "ask the public address",
    "watch legacy",
)
ROLLBACK_STEPS = (
    "carry back",
    "stage the old backend",
    "ask it",
    "unlock what no move reads",
    "end streams",
    "hold requests",
    "fence the new pair",
    "carry the rest back",
    "unlock legacy",
    "flip",
    "commit the fence",
    "open legacy",
    "release",
    "ask the public address",
)
_SHOWN = 12


def plan_id(
    kind: Kind, installation: Installation, legacy: Mapping[str, Any], price: Mapping[str, int]
) -> str:
    """A digest of what is to be done, to which databases, at which price: the dry run prints it,
    and the execution that is given it refuses when any of that has changed."""
    facts = [
        kind,
        dict(legacy),
        shown_address(installation.core),
        shown_address(installation.ai),
        installation.switch.active(),
        {table: rows for table, rows in price.items() if rows},
    ]
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_SHOWN]


def refuse_planned_look(dry_run: bool, plan_id: str | None) -> None:
    """See that a look is not held to a plan.

    Raises:
        BadInputError: it is.
    """
    if dry_run and plan_id is not None:
        raise BadInputError("a dry run prints the plan's id; give --plan-id without --dry-run")


def refuse_moved(given: str | None, now: str) -> None:
    """Hold an execution to its plan.

    Raises:
        RefusedError: the plan is not the one that was given.
    """
    if given is not None and given != now:
        raise RefusedError(
            f"the world has moved since plan {given}: it is {now} now; look at it by --dry-run"
        )
