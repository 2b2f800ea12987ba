"""`sigmasight assess`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.table import Table

from flows.commands.runner import out
from ops.errors import ConfigurationError, RefusedError
from ops.settings import operator_settings

if TYPE_CHECKING:
    from ops.assessment import Account, TableAccount


def assess(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What a move does with each table and column of the old database. It is only read."""
    from ops.assessment import assess as account_of
    from ops.endpoints import given_legacy, resolve_endpoints
    from ops.rehearsal.old_database import accounted

    settings = operator_settings()
    legacy = given_legacy(settings) or resolve_endpoints(settings).legacy
    if legacy is None:
        raise ConfigurationError("there is no old database to assess; set LEGACY_DATABASE_URL")
    with accounted(settings, legacy, "assessment"):
        account = account_of(legacy)
    if as_json:
        out.print_json(data=_document(account))
    else:
        _show(account)
    if not account.go:
        raise RefusedError(f"no-go: {account.refusals[0]}")


def _document(account: "Account") -> dict[str, object]:
    tables = [{**asdict(table), "columns": dict(table.column_fates)} for table in account.tables]
    verdict = {"go": account.go, "unknown_rows": dict(account.unknown)}
    return {**asdict(account), "tables": tables, **verdict}


def _show(account: "Account") -> None:
    table = Table("table", "rows", "size", "owner", "becomes", box=None)
    for one in account.tables:
        rows = "" if one.rows is None else f"{one.rows:,}"
        table.add_row(one.shown, rows, decimal(one.bytes), one.owner, _becomes(one))
    out.print(table, markup=False)
    for line in _lines(account):
        out.print(line, markup=False, soft_wrap=True, highlight=False)


def _becomes(table: "TableAccount") -> str:
    apart = ", ".join(
        f"{column} {fate}"
        for column, fate in table.column_fates.items()
        if table.fate == "copied" and fate != "copied"
    )
    rule = f": {table.rule}" if table.rule else ""
    return f"{table.fate}{rule}" + (f" ({apart})" if apart else "")


def _lines(account: "Account") -> list[str]:
    around = account.surroundings
    lines = [
        "",
        f"{account.address}: PostgreSQL {around.server_version}, {around.encoding}, "
        f"{decimal(around.bytes)}; the installation is in schema {account.schema or 'unknown'}",
    ]
    noted = {
        "event triggers": around.event_triggers,
        "publications": around.publications,
        "row security on": [one.shown for one in account.tables if one.row_security],
        "triggers on": [one.shown for one in account.tables if one.triggers],
    }
    lines += [f"{name}: {', '.join(found)}" for name, found in noted.items() if found]
    if account.unknown:
        left = ", ".join(f"{rows:,} rows of {name}" for name, rows in account.unknown.items())
        lines.append(f"nothing of ours knows, and a move leaves behind: {left}")
    return [*lines, "go" if account.go else "no-go"]
