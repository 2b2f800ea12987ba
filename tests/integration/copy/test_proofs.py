"""Parity that was found once is proved again from what deltas have brought since."""

import pytest

from ops.copy import copy_delta, delta_parity
from ops.copy.parity import TableParity, prove_copied
from ops.copy.report import TableProgress
from ops.copy.sessions import copy_sessions
from tests.groups import soaked
from tests.integration.copy.conftest import Copied, Run
from tests.integration.copy.owned_world import (
    ANSWER,
    ID,
    MEMORY,
    OWNED,
    ROWS,
    TALK,
    tables,
)

ASKED = (
    "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)"
    f" VALUES ('{ID}f2', '{TALK}', 'user', 'And now?', '[]', now())"
)
# What a user of legacy writes, into which table, and how many rows that has then.
WRITES = {
    "a question": (ASKED, "agent_messages", 3),
    "an answer corrected": (
        f"UPDATE agent_messages SET content = 'Better.' WHERE id = '{ANSWER}'",
        "agent_messages",
        2,
    ),
    "a memory": (f"UPDATE ai_memories SET content = 'y' WHERE id = '{MEMORY}'", "ai_memories", 1),
}
AT_EACH_RUN = ["a question", *soaked("an answer corrected", "a memory")]
DAMAGE = """
CREATE FUNCTION damage() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN NEW.content := 'damaged'; RETURN NEW; END $$;
CREATE TRIGGER damage BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION damage();
"""


def compared(pair: Copied) -> dict[str, TableParity]:
    return {found.table: found for found in delta_parity(*pair, OWNED)}


def prove(pair: Copied) -> None:
    with copy_sessions(*pair, OWNED) as sessions:
        prove_copied(sessions, OWNED)


@pytest.mark.parametrize("name", AT_EACH_RUN)
def test_only_what_a_delta_brought_is_compared(run: Run, world_copied: Copied, name: str) -> None:
    write, table, rows = WRITES[name]
    run(world_copied[0], write)
    assert tables(copy_delta(*world_copied, OWNED))[table].path == "delta"

    found = compared(world_copied)
    assert found.pop(table) == TableParity(table, rows, compared_by="new rows", proved=True)
    assert {one.compared_by for one in found.values()} == {"proof"}
    assert compared(world_copied)[table].compared_by == "proof"


@pytest.mark.soak
def test_what_several_deltas_brought_is_compared_together(run: Run, world_copied: Copied) -> None:
    for write, table, _ in WRITES.values():
        run(world_copied[0], write)
        assert tables(copy_delta(*world_copied, OWNED))[table].path == "delta"

    found = compared(world_copied)

    assert {t for t in found if found[t].compared_by == "new rows"} == {
        "agent_messages",
        "ai_memories",
    }
    assert all(one.holds for one in found.values())


@pytest.mark.parametrize("name", AT_EACH_RUN)
def test_what_was_copied_is_proved_while_users_go_on_writing(
    run: Run, world_copied: Copied, name: str
) -> None:
    write, table, rows = WRITES[name]
    legacy, core, _ = world_copied
    run(legacy, ASKED.replace("f2'", "f4'"))
    copy_delta(*world_copied, OWNED)
    run(legacy, write)

    prove(world_copied)

    assert run(core, "SELECT DISTINCT proved FROM ops.copy_fingerprints") == [(True,)]
    assert not compared(world_copied)[table].holds, "the proof does not speak of what came later"
    copy_delta(*world_copied, OWNED)
    found = compared(world_copied)[table]
    expected = rows + (table == "agent_messages")
    assert found == TableParity(table, expected, compared_by="new rows", proved=True)


def test_what_was_copied_wrongly_is_not_proved(run: Run, world_copied: Copied) -> None:
    legacy, core, _ = world_copied
    run(core, DAMAGE.format("agent_messages"))
    run(legacy, ASKED)
    copy_delta(*world_copied, OWNED)
    run(legacy, ASKED.replace("f2'", "f4'"))

    prove(world_copied)

    unproved = "SELECT table_name FROM ops.copy_fingerprints WHERE NOT proved"
    assert run(core, unproved) == [("agent_messages",)]


def test_what_somebody_else_wrote_to_is_not_proved(run: Run, world_copied: Copied) -> None:
    legacy, core, _ = world_copied
    run(legacy, ASKED)
    copy_delta(*world_copied, OWNED)
    run(core, f"UPDATE agent_messages SET content = content WHERE id = '{ANSWER}'")

    prove(world_copied)

    unproved = "SELECT table_name FROM ops.copy_fingerprints WHERE NOT proved"
    assert run(core, unproved) == [("agent_messages",)]


def test_what_somebody_else_writes_while_a_delta_runs_voids_the_proof(
    run: Run, world_copied: Copied
) -> None:
    legacy, core, _ = world_copied
    run(legacy, ASKED)

    def write(progress: TableProgress) -> None:
        if (progress.table, progress.step) == ("agent_messages", "merging"):
            run(core, f"UPDATE agent_messages SET content = 'x' WHERE id = '{ANSWER}'")

    copy_delta(*world_copied, OWNED, on_progress=write)

    found = compared(world_copied)["agent_messages"]
    assert (found.compared_by, found.different) == ("rows", 1)


@pytest.mark.parametrize("name", AT_EACH_RUN)
def test_what_a_delta_brought_wrongly_is_found_each_time(
    run: Run, world_copied: Copied, name: str
) -> None:
    write, table, _ = WRITES[name]
    run(world_copied[2] if table == "ai_memories" else world_copied[1], DAMAGE.format(table))
    run(world_copied[0], write)
    copy_delta(*world_copied, OWNED)

    for _ in range(2):
        found = compared(world_copied)[table]
        assert (found.compared_by, found.different, found.holds) == ("new rows", 1, False)


def test_a_row_that_somebody_else_changed_voids_the_proof(run: Run, world_copied: Copied) -> None:
    legacy, core, _ = world_copied
    run(legacy, ASKED)
    copy_delta(*world_copied, OWNED)
    run(core, f"UPDATE agent_messages SET content = 'x' WHERE id = '{ANSWER}'")

    found = compared(world_copied)["agent_messages"]

    assert (found.compared_by, found.different) == ("rows", 1)


@pytest.mark.soak
def test_a_copy_of_the_whole_table_begins_anew(run: Run, world_copied: Copied) -> None:
    legacy, core, _ = world_copied
    run(legacy, ASKED)
    run(core, f"DELETE FROM agent_messages WHERE id = '{ANSWER}'")
    assert tables(copy_delta(*world_copied, OWNED))["agent_messages"].path == "staged"

    found = compared(world_copied)["agent_messages"]

    assert (found.compared_by, found.legacy_rows) == ("hash", ROWS["agent_messages"] + 1)
