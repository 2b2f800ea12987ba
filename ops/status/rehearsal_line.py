"""When the move was last rehearsed, and how that went."""

from ops.books.rehearsals import last_rehearsal
from ops.state_folder import StateFolder
from ops.status.line import ChecklistLine


def rehearsed(state: StateFolder) -> list[ChecklistLine]:
    """One line where there was a rehearsal; none where there was not, since it is nobody's duty."""
    last = last_rehearsal(state)
    if last is None:
        return []
    if last.failed_in is None:
        evidence = f"the whole move took {last.seconds:.0f} s; see {last.report}"
        return [ChecklistLine("-", "rehearsal", "done", evidence, at=last.at)]
    evidence = f"{last.word} in {last.failed_in}; read {last.log}"
    return [ChecklistLine("-", "rehearsal", "failed", evidence, at=last.at)]
