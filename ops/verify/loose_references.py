"""Columns that name a row elsewhere without a foreign key: by design, since keys cannot cross
databases, or because the original left it out. A UUID column that is named here or nowhere does
not exist; a test makes sure."""

from dataclasses import dataclass

from app.migration_recognition import ChainName


@dataclass(frozen=True)
class LooseReference:
    """A column of one database whose values are ids of a Core table; NULL refers to nothing."""

    database: ChainName
    table: str
    column: str
    target: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} → {self.target}"


LOOSE_REFERENCES = (
    LooseReference("ai", "ai_feedback", "message_id", "agent_messages"),
    LooseReference("ai", "ai_memories", "user_id", "users"),
    LooseReference("core", "agent_conversations", "user_id", "users"),
)

# There are no tenants yet: nothing sets the column, and no table holds what it would name.
REFERENCES_TO_NOTHING = frozenset({("ai_memories", "tenant_id")})
