"""Back to the pair that served before, when the new one turns out wrong after it was let in."""

import logging
from datetime import UTC, datetime

from ops.cutover.export import export_losses
from ops.cutover.lock_legacy import lock_at_once, open_again
from ops.cutover.move import Move
from ops.cutover.rollback_price import rollback_price

_log = logging.getLogger(__name__)


def put_back(move: Move) -> None:
    """Serve from legacy again after a swap whose public answers were wrong. What users wrote in
    those moments is kept in a file, which is logged."""
    with move.switch.hold(move.stream_seconds) as held:
        _keep(move)
        open_again(move)
        held.flip("old")
        held.release()
    move.switch.retire("new")


def put_forward(move: Move) -> None:
    """Serve from the new pair again after a rollback whose public answers were wrong."""
    with move.switch.hold(move.stream_seconds) as held:
        lock_at_once(move)
        held.flip("new")
        held.release()
    move.switch.retire("old")


def _keep(move: Move) -> None:
    if not rollback_price(move.core, move.ai).total:
        return
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    path = move.settings.state.root / f"undone-swap-{moment}.jsonl.gz"
    export_losses(move.core, move.ai, path)
    _log.warning("what users wrote meanwhile is in %s; `sigmasight import` reads it", path)
