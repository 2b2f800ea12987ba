"""A platform keeps a schema of its own in the old database, whose role the operator has not: what
the move reads is locked, and what can be written beyond that is accepted once."""

from dataclasses import replace

import pytest

from ops.errors import RefusedError
from tests.integration.cutover.conftest import As, MakeSystem
from tests.integration.cutover.small_system import SmallSystem

OWNED = """
DO $$
DECLARE one record;
BEGIN
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relkind IN ('r', 'S') AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.objid = pg_class.oid AND d.deptype IN ('a', 'e', 'i')
        )
    LOOP
        EXECUTE format('ALTER TABLE public.%I OWNER TO lock_owner', one.relname);
    END LOOP;
END
$$;
CREATE SCHEMA auth;
CREATE TABLE auth.users (id int);
"""
WRITE = "INSERT INTO auth.users VALUES (1)"


@pytest.fixture
def system(as_role: As, make_system: MakeSystem) -> SmallSystem:
    """As seen by one to whom the installation's tables belong and nothing else."""
    made = make_system()
    database = made.old.database
    made.ask(made.old, f"ALTER DATABASE {database} OWNER TO lock_owner;" + OWNED)
    return replace(made, legacy=as_role(made.old, "lock_owner"))


def test_the_move_goes_there_and_back_once_that_is_accepted(system: SmallSystem) -> None:
    """And, by another word, that users who are new could not come back."""
    system.ask(system.old, "ALTER TABLE users ADD shop text NOT NULL DEFAULT ''")
    system.ask(system.old, "ALTER TABLE users ALTER shop DROP DEFAULT")
    before = system.everything()
    with pytest.raises(RefusedError, match=r"beyond its lock: auth\.users of .*--accept-unlocked$"):
        system.swap(one_way=True)
    with pytest.raises(RefusedError, match=r'null value in column "shop".*--accept-one-way$'):
        system.swap(unlocked=True)
    assert system.everything() == before
    assert system.swap(unlocked=True, one_way=True).active == "new"
    system.ask(system.old, WRITE)
    # Asked once: what follows does not take the lock for a part of one.
    again = system.swap()
    assert (again.changed, again.recovered) == (False, None)
    assert system.rollback().active == "old"
    assert system.legacy_is() == "open"
