"""The old database kept current after a swap: what a rollback would carry back is carried ahead of
time, at intervals, by accesses of ours that are accounted for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.engine import URL

from ops.books.cutovers import Cutover, last_cutover
from ops.books.follows import FOLLOWED, end_follow, follow_ended
from ops.books.session import open_books
from ops.books.tombstones import cleaned_up
from ops.carrying.changes import Changes
from ops.carrying.rollback_price import RollbackPrice
from ops.cutover.installation import Installation
from ops.errors import RefusedError
from ops.evidence import SEVEN_DAYS
from ops.evidence.cutovers import swap_in_force
from ops.legacy_access.account import Access, recorded_access

# How long before the cleanup the last one is: its seven days, and one in which that follow may be.
LAST = SEVEN_DAYS + timedelta(days=1)
NOTHING = "there is nothing to follow: no swap is in force, or a cleanup removes its old database"


@dataclass(frozen=True)
class FollowReport:
    """What a follow did.

    Attributes:
        price: what was carried back, and what the old database cannot hold; None where nothing was
            carried any more.
        ended_at: since when the old database is followed no longer; None while it is.
    """

    price: RollbackPrice | None
    ended_at: datetime | None

    @property
    def warning(self) -> str | None:
        """Of rows that were left, if any were."""
        if self.price is None or not self.price.total:
            return None
        return (
            f"the old database cannot hold {self.price.total:,} rows ({self.price.summary()}; "
            f"{self.price.example}); they stay in the new pair, and are a rollback's price"
        )

    def lines(self) -> Iterator[str]:
        """What was done."""
        if self.price is not None:
            yield f"carried back {self.price.carried_rows:,} rows that users wrote"
        if self.ended_at is not None:
            yield (
                f"following was ended on {self.ended_at:%d %B %Y, %H:%M} UTC: what users write "
                "since then is carried back by a rollback alone"
            )


def swap_to_follow(core: URL) -> Cutover | None:
    """The swap in force, as long as its old database is there."""
    return None if cleaned_up(core) else swap_in_force(core)


def follow(
    installation: Installation, swap: Cutover, cleanup_at: datetime, *, end: bool = False
) -> FollowReport:
    """Carry back what users wrote since the swap or the last follow. Where any of it is written,
    the seven quiet days of the cleanup begin anew, so the last follow is eight days before that.

    The caller holds the phases' lock. A follow that was killed is taken note of by the next.

    Args:
        swap: see `swap_to_follow`.
        cleanup_at: when the cleanup is due; in the seven days before, nothing is carried any more.
        end: whether this is the last one, whenever the cleanup is due.

    Raises:
        RefusedError: the old pair serves or may, or another database answers at the old address.
    """
    _refuse_unsettled(installation)
    ended = _ended(installation)
    if ended is not None:
        return FollowReport(None, ended)
    installation.known_legacy(swap.legacy)
    left = cleanup_at - datetime.now(UTC)
    price = _carry(installation) if left >= SEVEN_DAYS else None
    if end or left <= LAST:
        end_follow(installation.core, swap.id)
    return FollowReport(price, _ended(installation))


def _ended(installation: Installation) -> datetime | None:
    with open_books(installation.core) as session:
        return follow_ended(session)


def _refuse_unsettled(installation: Installation) -> None:
    if last_cutover(installation.core, "running") or installation.switch.active() != "new":
        raise RefusedError(
            "not followed: a rollback was begun and is not ended; run `sigmasight rollback` again"
        )


def _carry(installation: Installation) -> RollbackPrice:
    with (
        recorded_access(installation.core, installation.legacy, "follow") as access,
        installation.carrying() as carrying,
    ):
        return carrying.carry_back(partial(_begin_anew, access), guard=installation.guard)


def _begin_anew(access: Access, _changes: Changes, price: RollbackPrice) -> None:
    """Told before it is committed, so that it holds whatever fails afterwards."""
    if price.by_triggers:
        raise RefusedError(
            "not followed: triggers of the old database would change other rows of users "
            f"({', '.join(price.by_triggers)}); disable them, or leave it to the rollback"
        )
    if price.carried_rows:
        access.ends_with = FOLLOWED
