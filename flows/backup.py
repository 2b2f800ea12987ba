"""Backups: a dump of each database, proved by restoring it."""

from contextlib import nullcontext
from pathlib import Path

from prefect import get_run_logger
from prefect.runtime import flow_run
from sqlalchemy.engine import URL

from flows.artifacts import rows_table
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.backup import KEPT
from ops.backup.addresses import backup_addresses
from ops.backup.content import Content
from ops.backup.retention import forget_old
from ops.backup.run import backup as take_backup
from ops.books.backups import Backup, Database
from ops.endpoints import resolve_endpoints
from ops.legacy_access.account import recorded_access
from ops.settings import operator_settings


def _run_name() -> str:
    return f"backup {', '.join(flow_run.parameters.get('databases') or ['everything'])}"


@phase_flow("backup", flow_run_name=_run_name)
def backup(databases: list[Database] | None = None, keep: int = KEPT) -> list[Backup]:
    """Dump each database, restore the dump into a scratch database and compare; the scratch
    database is dropped and old dumps are removed.

    Args:
        databases: core, ai, legacy; by default all that there are.
        keep: how many proved dumps of each database stay.
    """
    settings = operator_settings()
    wanted, core = backup_addresses(settings, databases), resolve_endpoints(settings).core
    taken = []
    for name, url in wanted.items():
        taken.append(take(name, url, core, settings.backups))
        forget(name, core, settings.backups, keep)
    rows_table("backup-files", "Backups, each restored and found equal", [_row(b) for b in taken])
    return taken


@phase_task("back up", task_run_name="back up {name}")
def take(name: Database, url: URL, core: URL, folder: Path) -> Backup:
    """Take and prove one backup. Each reading of the old database is one of ours."""
    with recorded_access(core, url, "backup") if name == "legacy" else nullcontext():
        taken = take_backup(url, name, folder, core)
    held = Content.from_json(taken.content)
    get_run_logger().info(
        "%s: %s rows of %s tables in %s bytes, restored and found equal: %s",
        name,
        f"{held.rows:,}",
        len(held.tables),
        f"{taken.bytes:,}",
        taken.path,
    )
    return taken


@phase_task("forget old backups", task_run_name="forget old backups of {name}")
def forget(name: Database, core: URL, folder: Path, keep: int) -> None:
    """Keep the newest."""
    for path in forget_old(core, name, folder, keep):
        get_run_logger().info("removed %s, of which newer ones are proved", path.name)


def _row(taken: Backup) -> dict[str, object]:
    return {
        "database": taken.database,
        "file": taken.path,
        "bytes": taken.bytes,
        "sha256": taken.sha256,
        "taken at": taken.taken_at.isoformat(timespec="seconds"),
        "restored at": taken.restored_at.isoformat(timespec="seconds") if taken.restored_at else "",
    }
