"""What a dry run says that a cleanup would remove."""

import pytest

from ops.cleanup.folders import FoundFile
from ops.cleanup.plan import CleanupPlan, Removal
from ops.cleanup.report import plan_lines


@pytest.mark.parametrize(
    ("count", "named", "after_them"),
    [(0, 0, []), (2, 2, []), (50, 50, []), (52, 50, ["would go: 2 files more"])],
)
def test_fifty_files_are_named_and_the_rest_counted(
    count: int, named: int, after_them: list[str]
) -> None:
    files = tuple(FoundFile(f"/dumps/{number}.sql", 1_200, 0, 0, 0) for number in range(count))
    removal = Removal({}, "", {}, False, {}, files, None)
    *removed, _advice = plan_lines(CleanupPlan((), removal, {}, "0123456789ab"))
    assert removed == [
        *(f"would go: file /dumps/{number}.sql (1,200 bytes)" for number in range(named)),
        *after_them,
    ]
