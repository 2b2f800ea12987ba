"""Data from a legacy database into the new pair: streamed, judged, repeatable."""

from ops.copy.parity import TableParity, delta_parity, parity
from ops.copy.report import CopyReport, TableProgress, TableReport
from ops.copy.snapshot import copy_delta, copy_group

__all__ = [
    "CopyReport",
    "TableParity",
    "TableProgress",
    "TableReport",
    "copy_delta",
    "copy_group",
    "delta_parity",
    "parity",
]
