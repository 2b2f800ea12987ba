"""Phase 7: data from the old database."""

from prefect import get_run_logger
from sqlalchemy.engine import URL

from flows.artifacts import Progress, rows_table
from flows.heartbeat import phase_flow
from flows.progress import moved
from flows.retrying import phase_task
from ops.books.run_lock import Fence, exclusive_run
from ops.copy import CopyReport, TableProgress, TableReport, copy_delta
from ops.copy.groups import groups_named
from ops.copy.source import accept_source
from ops.endpoints import Endpoints, resolve_endpoints
from ops.errors import ConfigurationError
from ops.evidence.cutovers import refuse_after_swap
from ops.knowledge import seed_knowledge_base
from ops.settings import operator_settings


@phase_flow("copy", flow_run_name="copy {group} data from legacy")
def copy(
    group: str = "market", accept_legacy: bool = False, accept_deleted: int = 0
) -> list[TableReport]:
    """Copy groups of tables from the old database to Core and AI. Repeatable: only what differs is
    written. Refused once a swap is in force, since users then write to the new pair.

    Args:
        group: which tables. `market` is prices, profiles, holdings and statements, `users` users
            with their portfolios, positions and tags, `chat` their conversations, `ai` memories,
            feedback and documents; `all` is all of them.
        accept_legacy: take another old database than the one that was copied from, a restored or
            upgraded one, if everything that was copied is in it.
        accept_deleted: how many rows that were copied that one may lack.
    """
    groups = groups_named(group)
    endpoints = resolve_endpoints(operator_settings())
    with exclusive_run(endpoints.core) as fence:
        refuse_after_swap(endpoints.core)
        if accept_legacy:
            accept_other(endpoints, fence, accept_deleted)
        reports = copy_tables(endpoints, groups, fence)
        if "ai" in groups:
            embed_documents(endpoints)
    tables = [table for report in reports for table in report.tables]
    for table in tables:
        _log(table)
    for assumed in (line for report in reports for line in report.capital):
        get_run_logger().warning("capital of %s", assumed)
    rows_table("copy-tables", f"Copy of {group} data, table by table", _rows(tables))
    return tables


@phase_task("accept another old database")
def accept_other(endpoints: Endpoints, fence: Fence, deleted: int) -> None:
    """Record the old database that answers now as the one that is copied from."""
    accept_source(_legacy(endpoints), endpoints.core, endpoints.ai, fence.check, deleted)


def _legacy(endpoints: Endpoints) -> URL:
    if endpoints.legacy is None:
        raise ConfigurationError("there is no old database to copy from; set LEGACY_DATABASE_URL")
    return endpoints.legacy


COPY = "copy tables"


@phase_task(COPY)
def copy_tables(endpoints: Endpoints, groups: tuple[str, ...], fence: Fence) -> list[CopyReport]:
    """Copy in one snapshot of legacy, one transaction per table."""
    legacy = _legacy(endpoints)
    progress = Progress("copy-progress", f"Rows of {', '.join(groups)} tables read")

    def show(table: TableProgress) -> None:
        moved(COPY, table.rows, table.total, "rows")
        progress.show(0.99 * table.rows / max(table.total, 1))

    reports = copy_delta(
        legacy,
        endpoints.core,
        endpoints.ai,
        groups,
        guard=fence.check,
        on_progress=show,
    )
    progress.show(1.0)
    return reports


@phase_task("embed documents")
def embed_documents(endpoints: Endpoints) -> None:
    """Give documents that another model embedded a vector of ours, before requests can wait for it;
    vectors of ours are kept."""
    get_run_logger().info("embedded anew: %d documents", seed_knowledge_base(endpoints.ai))


def _log(table: TableReport) -> None:
    log = get_run_logger()
    log.info(
        "%s: %s, %d accepted, %d rejected, %d inserted, %d updated, %d deleted",
        table.table,
        table.path,
        table.accepted,
        table.rejected_rows,
        table.inserted,
        table.updated,
        table.deleted,
    )
    if table.left_out:
        log.info(
            "%s: %d rows left out, which backends or verification made", table.table, table.left_out
        )
    if table.ignored_columns:
        columns = ", ".join(table.ignored_columns)
        log.warning("%s: columns left out, which Core has not: %s", table.table, columns)
    if table.namesakes:
        log.warning("%s: not read, though so called: %s", table.table, ", ".join(table.namesakes))
    for column, rows in table.rounded.items():
        log.warning("%s: %d numbers of %s rounded to Core's decimals", table.table, rows, column)
    for reason, rows in table.rejected.items():
        log.warning("%s: %d rows rejected: %s (see ops.copy_rejects)", table.table, rows, reason)


def _rows(tables: list[TableReport]) -> list[dict[str, object]]:
    return [
        {
            "table": table.table,
            "path": table.path,
            "source": table.source_rows,
            "accepted": table.accepted,
            "rejected": table.rejected_rows,
            "left out": table.left_out,
            "inserted": table.inserted,
            "updated": table.updated,
            "deleted": table.deleted,
            "unchanged": table.unchanged,
            "columns left out": ", ".join(table.ignored_columns),
            "seconds": round(table.seconds, 2),
        }
        for table in tables
    ]
