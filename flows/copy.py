"""Phase 7: market data from the old database."""

from prefect import flow, get_run_logger

from flows.artifacts import Progress, rows_table
from flows.retrying import phase_task
from ops.copy import CopyReport, TableProgress, TableReport, copy_group
from ops.endpoints import Endpoints, resolve_endpoints
from ops.errors import ConfigurationError
from ops.run_lock import Fence, exclusive_run
from ops.settings import operator_settings


@flow(name="copy", flow_run_name="copy {group} data from legacy")
def copy(group: str = "market") -> None:
    """Copy a group of tables from the old database to Core. Repeatable: only what differs is
    written.

    Args:
        group: which tables; `market` is prices, profiles, holdings and statements.
    """
    endpoints = resolve_endpoints(operator_settings())
    with exclusive_run(endpoints.core) as fence:
        report = copy_tables(endpoints, group, fence)
    for table in report.tables:
        _log(table)
    rows_table("copy-tables", f"Copy of {group} data, table by table", _rows(report))


@phase_task("copy tables")
def copy_tables(endpoints: Endpoints, group: str, fence: Fence) -> CopyReport:
    """Copy in one snapshot of legacy, one transaction per table of Core."""
    if endpoints.legacy is None:
        raise ConfigurationError("there is no old database to copy from; set LEGACY_DATABASE_URL")
    progress = Progress("copy-progress", f"Rows of {group} tables read", 100)

    def show(table: TableProgress) -> None:
        progress.show(table.rows / table.total if table.total else 1.0)

    report = copy_group(
        endpoints.legacy, endpoints.core, group, guard=fence.check, on_progress=show
    )
    progress.show(1.0)
    return report


def _log(table: TableReport) -> None:
    log = get_run_logger()
    log.info(
        "%s: %s, %d accepted, %d rejected, %d inserted, %d updated",
        table.table,
        table.path,
        table.accepted,
        table.rejected_rows,
        table.inserted,
        table.updated,
    )
    for reason, rows in table.rejected.items():
        log.warning("%s: %d rows rejected: %s (see ops.copy_rejects)", table.table, rows, reason)


def _rows(report: CopyReport) -> list[dict[str, object]]:
    return [
        {
            "table": table.table,
            "path": table.path,
            "source": table.source_rows,
            "accepted": table.accepted,
            "rejected": table.rejected_rows,
            "inserted": table.inserted,
            "updated": table.updated,
            "unchanged": table.unchanged,
            "seconds": round(table.seconds, 2),
        }
        for table in report.tables
    ]
