"""Where a row names a row elsewhere without a foreign key: by design, since keys cannot cross
databases, because the original left it out, or because the id stands inside JSON or a text. A
UUID column that is named here or nowhere does not exist, and no service writes an id elsewhere;
tests make sure of both."""

from dataclasses import dataclass

from app.chain_folders import ChainName
from app.migration_recognition import AI_TABLES


@dataclass(frozen=True)
class LooseReference:
    """Where ids of a table's rows stand in another one; NULL refers to nothing.

    Attributes:
        database: where the column is.
        target: the table whose ids they are; of Core, or of AI.
        key: the ids are the values under this key of a JSON column.
        prefix: the ids follow this prefix of a text column; other texts refer to nothing.
    """

    database: ChainName
    table: str
    column: str
    target: str
    key: str | None = None
    prefix: str | None = None

    @property
    def target_database(self) -> ChainName:
        """Where the target is."""
        return "ai" if self.target in AI_TABLES else "core"

    @property
    def within(self) -> bool:
        """Whether the ids stand inside a value rather than being the column's."""
        return self.key is not None or self.prefix is not None

    def __str__(self) -> str:
        inside = f".{self.key}" if self.key else f" {self.prefix}…" if self.prefix else ""
        return f"{self.table}.{self.column}{inside} → {self.target}"


LOOSE_REFERENCES = (
    LooseReference("ai", "ai_feedback", "message_id", "agent_messages"),
    LooseReference("ai", "ai_memories", "user_id", "users"),
    LooseReference("ai", "ai_memories", "tags", "portfolios", key="portfolio_id"),
    # A conversation that is deleted is taken off the memories that it left.
    LooseReference("ai", "ai_memories", "tags", "agent_conversations", key="conversation_id"),
    # What a rating taught goes with it.
    LooseReference("ai", "ai_memories", "tags", "ai_feedback", key="feedback_id"),
    LooseReference("ai", "ai_kb_documents", "scope", "portfolios", prefix="portfolio:"),
    LooseReference("ai", "ai_kb_documents", "metadata", "users", key="user_id"),
    LooseReference("ai", "ai_kb_documents", "metadata", "agent_messages", key="message_id"),
    LooseReference("ai", "ai_kb_documents", "metadata", "ai_feedback", key="feedback_id"),
    LooseReference("core", "agent_conversations", "user_id", "users"),
)
