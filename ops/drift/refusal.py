"""When drift stops a phase."""

from collections.abc import Sequence

from ops.drift.difference import Difference
from ops.errors import VerificationError


def refuse_drift(found: Sequence[Difference]) -> None:
    """Let warnings pass.

    Raises:
        VerificationError: a live database differs from what its chain builds.
    """
    errors = [difference for difference in found if difference.severity == "error"]
    if errors:
        raise VerificationError(
            f"{len(errors)} difference(s) from what the migration chains build, first: "
            f"{errors[0].message}",
            document={"differences": found},
        )
