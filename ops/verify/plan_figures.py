"""The six counts that the original run left, beside ours."""

from ops.summary import plan_comparison
from ops.verify.report import Row, Verdict, judged
from ops.verify.subject import Subject


def plan_figures(subject: Subject) -> tuple[Row, ...]:
    """Rows of table, plan and ours, where ours counts all rows of the table."""
    figures = plan_comparison(subject.core_url)
    return tuple({"table": f.table, "plan": f.plan, "ours": f.ours} for f in figures)


def meets_the_plan(subject: Subject) -> Verdict:
    """Whether all six counts are the plan's. True of the demo data only, by the rules alone."""
    figures = plan_comparison(subject.core_url)
    others = [f"{f.table} {f.ours:,} not {f.plan:,}" for f in figures if not f.equal]
    detail = "; ".join(others) or "all six counts are the plan's"
    return judged(not others, detail, **{f.table: f.ours for f in figures})
