"""The declaration of what a content hash covers, held against the models."""

import pytest
from sqlalchemy import Column, Uuid

from app.models import AiBase, Base
from ops.content_hash import table_hash
from tests.database_content import NATURAL_KEYS

TABLES = {**Base.metadata.tables, **AiBase.metadata.tables}

# Ids of rows in the other database, which nothing here can resolve.
ACROSS_DATABASES = {
    ("ai_memories", "user_id"),
    ("ai_memories", "tenant_id"),
    ("ai_feedback", "message_id"),
}


def foreign_ids() -> list[Column[object]]:
    return [
        column
        for table in TABLES.values()
        for column in table.columns
        if isinstance(column.type, Uuid)
        and column.name != "id"
        and (table.name, column.name) not in ACROSS_DATABASES
    ]


def test_every_reference_by_id_has_a_natural_key_to_stand_for_it() -> None:
    referred = {
        key.column.table.name for column in foreign_ids() for key in column.foreign_keys
    } | {"users"}
    assert referred == set(NATURAL_KEYS)
    undeclared = {
        (column.table.name, column.name) for column in foreign_ids() if not column.foreign_keys
    }
    assert undeclared == {("agent_conversations", "user_id")}


@pytest.mark.parametrize("table", sorted(NATURAL_KEYS))
def test_natural_keys_are_columns_and_no_surrogate_ids(table: str) -> None:
    columns = TABLES[table].columns
    assert set(NATURAL_KEYS[table]) <= set(columns.keys()) - {"id"}


@pytest.mark.parametrize(
    ("row", "digest"),
    [
        ((0, 0, 0), "0" * 32),
        ((1, -1, 1), "f" * 16 + "0" * 15 + "1"),
        ((2, 2**64 + 5, -(2**64)), "0" * 15 + "5" + "0" * 16),
    ],
)
def test_sums_of_signed_words_become_32_digits(row: tuple[int, int, int], digest: str) -> None:
    assert table_hash(row).digest == digest
    assert table_hash(row).rows == row[0]
