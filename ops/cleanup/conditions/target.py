"""Conditions on what would be dropped: it is the recorded old database, and nothing else."""

from ops.cleanup.facts import Facts
from ops.cleanup.folders import refuse_backups_in
from ops.cleanup.own_server import STOCK, require_alone
from ops.connection import session_at, shown_address
from ops.database_identity import identity, is_weak, same_identity
from ops.evidence.finding import Finding
from ops.sql_files import statement


def is_recorded_legacy(facts: Facts) -> Finding:
    """The database that answers says that it is the one that the swap recorded."""
    name = "is the recorded old database"
    found, recorded = dict(facts.legacy.identity), dict(facts.swap.legacy)
    evidence = {"found": found, "recorded": recorded}
    if not same_identity(found, recorded):
        unequal = ", ".join(key for key in recorded if found.get(key) != recorded[key])
        reason = (
            f"what answers at {shown_address(facts.legacy_url)} is another database than the swap "
            f"left (its {unequal or 'identity'} differs); correct LEGACY_DATABASE_URL"
        )
        return Finding(name, False, reason, evidence)
    if is_weak(found):
        reason = (
            "its server hides its system identifier, so it cannot be told from a copy; use a role "
            "that may run pg_control_system()"
        )
        return Finding(name, False, reason, evidence)
    reason = f"{found['database_name']}, oid {found['database_oid']}, as recorded at the swap"
    return Finding(name, True, reason, evidence, pinned=found)


def is_neither_half(facts: Facts) -> Finding:
    """It is not Core and not AI, by identity and by the marker that both carry."""
    name = "is neither Core nor AI"
    found = dict(facts.legacy.identity)
    for half, other in (("Core", facts.core_identity), ("AI", facts.ai_identity)):
        if same_identity(found, other):
            reason = f"the old database's address leads to {half}; correct LEGACY_DATABASE_URL"
            return Finding(name, False, reason)
    marker = facts.legacy.marker
    if marker is not None:
        reason = f"it is marked as {marker}, one of ours; correct LEGACY_DATABASE_URL"
        return Finding(name, False, reason, {"marker": marker})
    pair = {"core": dict(facts.core_identity), "ai": dict(facts.ai_identity)}
    return Finding(name, True, "its identity is neither's, and it has no marker", pair)


def droppable(facts: Facts) -> Finding:
    """From the server's maintenance database our role may drop it."""
    name, url = "can be dropped", facts.maintenance_url
    wanted = facts.legacy.identity
    database = wanted["database_name"]
    if url.database == database or database in STOCK:
        reason = f"{database} is what the server itself needs; set MAINTENANCE_DATABASE to another"
        return Finding(name, False, reason)
    with session_at(url, "cleanup") as session:
        row = session.execute(statement("cleanup/droppable"), {"database": database}).fetchone()
    oid, template, allowed = row or (None, False, False)
    there = (identity(url)["system_identifier"], oid)
    if there != (wanted["system_identifier"], wanted["database_oid"]):
        reason = (
            f"{shown_address(url)} is on another server than the old database, or hides on which; "
            "correct its address, or use a role that may run pg_control_system() there"
        )
        return Finding(name, False, reason)
    if template or not allowed:
        reason = "this role may not drop it; use the database owner's address"
        return Finding(name, False, reason)
    return Finding(name, True, f"from {shown_address(url)}")


def server_alone(facts: Facts) -> Finding:
    """Where its server goes too, that holds nothing else, and its folder no backup."""
    name, own = "its server holds nothing else", facts.scene.own_server
    if own is None:
        return Finding(name, True, "its server stays")
    server = own.server("legacy")
    require_alone(server, int(facts.swap.legacy["database_oid"]))
    refuse_backups_in(server.folder.resolve(), facts.backup_files)
    return Finding(name, True, f"{server.folder} holds the old database alone")
