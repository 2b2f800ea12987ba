"""What the chat check writes is gone again, also what a killed one left."""

from app.agent.bounds import VERIFICATION_ROUTE
from ops.connection import connect, explained
from ops.sql_files import statement
from ops.verify.http.logins import DEMO_USERS
from ops.verify.subject import Subject


def remove_leftovers(subject: Subject) -> int:
    """Delete marked conversations of the demo users, and how many there were. First what hangs on
    them in AI, since no key does that: a kill in between leaves enough to find the rest by."""
    name = "verify chat"
    with (
        explained(subject.core_url),
        explained(subject.ai_url),
        connect(subject.core_url, application_name=name) as core,
    ):
        marked = {"emails": list(DEMO_USERS), "route": VERIFICATION_ROUTE}
        rows = core.execute(statement("verify/http/leftovers"), marked).fetchall()
        if not rows:
            return 0
        conversations = [row[0] for row in rows]
        messages = [message for row in rows for message in row[1]]
        with connect(subject.ai_url, application_name=name) as ai:
            ai.execute("DELETE FROM ai_feedback WHERE message_id = ANY(%s::uuid[])", [messages])
            ai.execute(
                "DELETE FROM ai_memories WHERE tags ->> 'conversation_id' = ANY(%s)",
                [conversations],
            )
        core.execute("DELETE FROM agent_conversations WHERE id = ANY(%s::uuid[])", [conversations])
    return len(conversations)
