"""Market data from a legacy database into Core: streamed, judged, repeatable."""

from ops.copy.parity import TableParity, parity
from ops.copy.report import CopyReport, TableProgress, TableReport
from ops.copy.run import copy_group

__all__ = [
    "CopyReport",
    "TableParity",
    "TableProgress",
    "TableReport",
    "copy_group",
    "parity",
]
