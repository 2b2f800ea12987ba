"""`sigmasight assess`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from flows.commands.options import AsJson
from flows.commands.output import out, report, say
from flows.commands.runner import one_step, settings_now
from ops.errors import ConfigurationError

if TYPE_CHECKING:
    from ops.assessment import Account


def assess(as_json: AsJson = False) -> None:
    """What a move does with each table and column of the old database. It is only read."""
    with one_step("read the old database"):
        account = _account()

    from ops.assessment.report import refuse_no_go

    if as_json:
        report(_document(account), "sigmasight rehearse" if account.go else None)
    else:
        _show(account)
    refuse_no_go(account)


def _account() -> "Account":
    from ops.assessment import assess as account_of
    from ops.endpoints import present_legacy
    from ops.rehearsal.old_database import accounted

    settings = settings_now()
    legacy = present_legacy(settings)
    if legacy is None:
        raise ConfigurationError("there is no old database to assess; set LEGACY_DATABASE_URL")
    with accounted(settings, legacy, "assessment"):
        return account_of(legacy)


def _document(account: "Account") -> dict[str, object]:
    tables = [{**asdict(table), "columns": dict(table.column_fates)} for table in account.tables]
    verdict = {"go": account.go, "unknown_rows": account.unknown}
    return {**asdict(account), "tables": tables, **verdict}


def _show(account: "Account") -> None:
    from rich.table import Table

    from ops.assessment.report import account_lines, account_rows

    rows = account_rows(account)
    table = Table(*rows[0], box=None) if rows else Table()
    for row in rows:
        table.add_row(
            *(
                "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)
                for cell in row.values()
            )
        )
    out().print(table, markup=False)
    say(*account_lines(account))
