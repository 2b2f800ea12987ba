"""What can be wrong with a world, each made so and mended again."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ops.books.marker import ensure_bookkeeping
from ops.carrying.baseline import record_baseline
from ops.connection import connect
from ops.legacy_access.account import begin_window, recorded_access
from tests.integration.cleanup.swapped_world import World, changed
from tests.served_pair import have_serve

Damage = Callable[[World], AbstractContextManager[dict[str, Any] | None]]


def core_row(change: str, back: str) -> Damage:
    """A change of what Core remembers."""
    return lambda world: changed(world, world.core, change, back)


@contextmanager
def nothing(_world: World) -> Iterator[None]:
    yield


@contextmanager
def value(world: World) -> Iterator[None]:
    have_serve(world.core, "old")
    yield
    have_serve(world.core, "new")


@contextmanager
def verification(world: World, **values: object) -> Iterator[None]:
    kept = world.state.read("verification")
    world.state.write("verification", {**kept, **values})
    yield
    world.state.write("verification", kept)


@contextmanager
def never_verified(world: World) -> Iterator[None]:
    kept = world.state.read("verification")
    world.state.write("verification", {})
    yield
    world.state.write("verification", kept)


@contextmanager
def made_anew(world: World) -> Iterator[None]:
    record_baseline(world.core, world.ai)
    world.ask(world.ai, MADE_ANEW)
    yield
    world.ask(world.core, "DELETE FROM ops.cutover_baseline_moment")


MADE_ANEW = """
CREATE TABLE another (LIKE ai_feedback INCLUDING ALL);
DROP TABLE ai_feedback;
ALTER TABLE another RENAME TO ai_feedback;
"""


@contextmanager
def connected(world: World) -> Iterator[None]:
    # The account of accesses sees the login, but no read.
    with connect(world.legacy, application_name="psql"):
        yield


@contextmanager
def accounted_anew(world: World) -> Iterator[None]:
    yield
    begin_window(world.core, world.legacy)
    world.backdate_window()


@contextmanager
def read_by_somebody(world: World) -> Iterator[None]:
    with accounted_anew(world):
        world.ask(world.legacy, "SELECT count(*) FROM users")
        yield


@contextmanager
def written_past_the_lock(world: World) -> Iterator[None]:
    """A superuser may switch any trigger off."""
    with accounted_anew(world), unlocked_table(world):
        world.ask(world.legacy, "UPDATE users SET email = 'x' WHERE id = 1")
        world.ask(
            world.legacy,
            'ALTER TABLE users ENABLE ALWAYS TRIGGER "00_sigmasight_write_lock"',
        )
        yield
        world.ask(world.legacy, 'ALTER TABLE users DISABLE TRIGGER "00_sigmasight_write_lock"')
        world.ask(world.legacy, "UPDATE users SET email = 'user1' WHERE id = 1")


@contextmanager
def unlocked_table(world: World) -> Iterator[None]:
    trigger = '"00_sigmasight_write_lock"'
    with recorded_access(world.core, world.legacy, "tests"):
        world.ask(world.legacy, f"ALTER TABLE users DISABLE TRIGGER {trigger}")
    yield
    with recorded_access(world.core, world.legacy, "tests"):
        world.ask(world.legacy, f"ALTER TABLE users ENABLE ALWAYS TRIGGER {trigger}")


@contextmanager
def new_table(world: World) -> Iterator[None]:
    with accounted_anew(world):
        world.ask(world.legacy, "CREATE TABLE late (x int)")
        yield
        world.ask(world.legacy, "DROP TABLE late")


@contextmanager
def statistics_reset(world: World) -> Iterator[None]:
    with accounted_anew(world):
        world.ask(world.legacy, "SELECT pg_stat_reset()")
        yield


@contextmanager
def young_account(world: World) -> Iterator[None]:
    now = "UPDATE ops.legacy_access SET recorded_at = now() - interval '6 days'"
    world.ask(world.core, f"{now} WHERE moment = 'window'")
    yield
    world.backdate_window()


@contextmanager
def no_account(world: World) -> Iterator[None]:
    with accounted_anew(world):
        world.ask(world.core, "DELETE FROM ops.legacy_access")
        yield


@contextmanager
def relocked(world: World) -> Iterator[None]:
    """Released and locked again yesterday: what was written in between nobody knows."""
    table, trigger = "sigmasight_cutover.lock", "DISABLE TRIGGER ALL"
    with accounted_anew(world):
        kept = world.ask(world.legacy, f"SELECT locked_at FROM {table}")[0][0]
        locked = world.ask(
            world.legacy,
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = %s::regclass",
            table,
        )
        world.ask(world.legacy, f"ALTER TABLE {table} {trigger}")
        world.ask(world.legacy, f"UPDATE {table} SET locked_at = now() - interval '1 day'")
        enable(world, table, locked)
        yield
        world.ask(world.legacy, f"ALTER TABLE {table} {trigger}")
        world.ask(world.legacy, f"UPDATE {table} SET locked_at = %s", kept)
        enable(world, table, locked)


def enable(world: World, table: str, triggers: list[Any]) -> None:
    for (name,) in triggers:
        world.ask(world.legacy, f'ALTER TABLE {table} ENABLE ALWAYS TRIGGER "{name}"')


@contextmanager
def subscribed(world: World) -> Iterator[None]:
    with accounted_anew(world):
        world.ask(
            world.legacy,
            "CREATE SUBSCRIPTION forgotten CONNECTION 'dbname=nowhere' PUBLICATION any_one"
            " WITH (connect = false, slot_name = NONE)",
        )
        yield
        world.ask(world.legacy, "DROP SUBSCRIPTION forgotten")


@contextmanager
def core_as_legacy(world: World) -> Iterator[dict[str, Any]]:
    yield {"legacy": world.core}


@contextmanager
def ai_as_legacy(world: World) -> Iterator[dict[str, Any]]:
    yield {"legacy": world.ai}


@contextmanager
def copy_as_legacy(world: World) -> Iterator[dict[str, Any]]:
    """The same rows under another name: a copy is not the old database."""
    name = f"{world.legacy.database}_copy"
    with recorded_access(world.core, world.legacy, "tests"):
        world.ask(world.maintenance, f"CREATE DATABASE {name} TEMPLATE {world.legacy.database}")
    yield {"legacy": world.legacy.set(database=name)}
    world.ask(world.maintenance, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def marked_as_ours(world: World) -> Iterator[None]:
    with accounted_anew(world):
        with connect(world.legacy, application_name="tests") as session:
            ensure_bookkeeping(session, "ai")
        yield
        world.ask(world.legacy, "DROP SCHEMA ops CASCADE")


@contextmanager
def role_without_rights(world: World) -> Iterator[dict[str, Any]]:
    world.ask(world.maintenance, "CREATE ROLE bystander LOGIN PASSWORD 'bystander'")
    yield {"maintenance": world.maintenance.set(username="bystander", password="bystander")}
    world.ask(world.maintenance, "DROP ROLE bystander")


@contextmanager
def maintained_from_itself(world: World) -> Iterator[dict[str, Any]]:
    yield {"maintenance": world.legacy}


def backup_row(database: str, change: str) -> Damage:
    """A change of the record of a backup."""

    @contextmanager
    def damage(world: World) -> Iterator[None]:
        kept = world.ask(
            world.core,
            "SELECT id, identity::text, taken_at, restored_at FROM ops.backups WHERE database = %s",
            database,
        )
        world.ask(world.core, f"UPDATE ops.backups SET {change} WHERE database = %s", database)
        yield
        for number, known, taken, restored in kept:
            world.ask(
                world.core,
                "UPDATE ops.backups SET identity = %s, taken_at = %s, restored_at = %s"
                " WHERE id = %s",
                known,
                taken,
                restored,
                number,
            )

    return damage


def file_of(world: World, database: str) -> Path:
    (path,) = world.ask(world.core, "SELECT path FROM ops.backups WHERE database = %s", database)[0]
    return Path(path)


def backup_file(database: str, *, gone: bool) -> Damage:
    """A backup's file that is gone, or in which one byte was changed."""

    @contextmanager
    def damage(world: World) -> Iterator[None]:
        file = file_of(world, database)
        kept = file.read_bytes()
        if gone:
            file.unlink()
        else:
            file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        yield
        file.write_bytes(kept)

    return damage


def backup_within(folder: str, recorded: str) -> Damage:
    """Core's backup lies in a folder, as when BACKUP_FOLDER named that once."""

    @contextmanager
    def damage(world: World) -> Iterator[None]:
        kept = file_of(world, "core")
        moved = world.root / folder / kept.name
        kept.rename(moved)
        move = "UPDATE ops.backups SET path = %s WHERE database = 'core'"
        world.ask(world.core, move, str(world.root / recorded / kept.name))
        yield
        moved.rename(kept)
        world.ask(world.core, move, str(kept))

    return damage


def rules(**values: Any) -> Damage:
    """Other folders; below the world's root where they are relative."""

    @contextmanager
    def damage(world: World) -> Iterator[dict[str, Any]]:
        bent = {
            name: tuple(placed(world, one) for one in value)
            if isinstance(value, tuple)
            else placed(world, value)
            for name, value in values.items()
        }
        yield {"rules": replace(world.rules, **bent)}

    return damage


def placed(world: World, value: Any) -> Any:
    return world.root / value if isinstance(value, str) else value


@contextmanager
def plain_repository(world: World) -> Iterator[None]:
    git = world.root / "dumps" / "repository" / ".git"
    shutil.move(git, world.root / "state" / "git")
    yield
    shutil.move(world.root / "state" / "git", git)


ROLLED_BACK = (
    "INSERT INTO ops.cutovers (kind, state, plan_id, legacy, accepted_loss, ended_at)"
    " VALUES ('rollback', '{}', 'x', '{{}}', 0, now())"
)
NO_ROLLBACK = "DELETE FROM ops.cutovers WHERE kind = 'rollback'"


@contextmanager
def rolled_back(world: World) -> Iterator[None]:
    """Without a swap in force no access is accounted for."""
    with (
        accounted_anew(world),
        changed(world, world.core, ROLLED_BACK.format("done"), NO_ROLLBACK),
    ):
        yield
