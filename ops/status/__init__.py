"""The plan's checklist with live evidence, within two seconds whatever is down."""

from ops.status.checklist import checklist, checklist_json, next_step
from ops.status.line import ChecklistLine, State

__all__ = ["ChecklistLine", "State", "checklist", "checklist_json", "next_step"]
