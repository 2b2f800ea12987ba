"""The conditions of a cleanup, each asked live; all must hold."""

from collections.abc import Callable
from types import MappingProxyType

from ops.cleanup.conditions.backups import (
    DUMPED,
    ai_backed_up,
    core_backed_up,
    legacy_as_dumped,
    legacy_dumped,
)
from ops.cleanup.conditions.files import files_removable, repository_removable
from ops.cleanup.conditions.quiet import no_connections, no_reads, no_writes, writes_locked
from ops.cleanup.conditions.swap import (
    date_reached,
    no_cutover_running,
    nothing_running,
    same_pair,
    seven_days,
    swap_holds,
    verified,
)
from ops.cleanup.conditions.target import (
    droppable,
    is_neither_half,
    is_recorded_legacy,
    server_alone,
)
from ops.cleanup.facts import Facts
from ops.errors import SigmaSightError
from ops.evidence.finding import Finding

__all__ = ["CONDITIONS", "Condition", "asked", "findings_of"]

Condition = Callable[[Facts], Finding]

# In this order: what was read by others is asked before we read ourselves.
CONDITIONS: MappingProxyType[str, Condition] = MappingProxyType(
    {
        "swap in force": swap_holds,
        "no swap or rollback under way": no_cutover_running,
        "nothing else running": nothing_running,
        "the pair of the swap": same_pair,
        "seven days since the swap": seven_days,
        "date reached": date_reached,
        "verified": verified,
        "no connections": no_connections,
        "no reads since the swap": no_reads,
        "no writes since the swap": no_writes,
        "writes locked": writes_locked,
        "is the recorded old database": is_recorded_legacy,
        "is neither Core nor AI": is_neither_half,
        "can be dropped": droppable,
        "its server holds nothing else": server_alone,
        "Core backed up": core_backed_up,
        "AI backed up": ai_backed_up,
        DUMPED: legacy_dumped,
        "old database is as dumped": legacy_as_dumped,
        "files may go": files_removable,
        "repository may go": repository_removable,
    }
)


def findings_of(facts: Facts) -> list[Finding]:
    """Ask every condition; none hides the others, and what cannot be asked is not met."""
    return [asked(name, ask, facts) for name, ask in CONDITIONS.items()]


def asked(name: str, ask: Condition, facts: Facts) -> Finding:
    """What a condition finds; not met where it cannot be asked."""
    try:
        return ask(facts)
    except SigmaSightError as error:
        return Finding(name, False, str(error))
