"""Documents that the product ships and that somebody edited in legacy."""

from psycopg import sql

from app.agent.knowledge.documents import builtin_documents
from ops.copy.groups import specs_of
from ops.copy.sessions import Sessions

[_DOCUMENTS] = [spec for spec in specs_of("ai") if spec.table == "ai_kb_documents"]


def edited_documents(sessions: Sessions) -> tuple[str, ...]:
    """The titles of those that bear the product's mark in legacy and say something else than the
    product does. No copy brings what they say, because each backend writes its own."""
    plan = sessions.plan(_DOCUMENTS)
    if plan is None or plan.counts is None:
        return ()
    shipped = {str(each.id): (each.title, each.content) for each in builtin_documents()}
    query = sql.SQL(
        "SELECT lower(id::text), title::text, content::text FROM {} WHERE lower(id::text) = ANY({})"
        " AND NOT ({})"
    ).format(plan.source.identifier, sql.Literal(list(shipped)), plan.counts)
    with sessions.legacy.reading(plan.table):
        found = sessions.legacy.connection.execute(query).fetchall()
    return tuple(sorted(str(title) for key, title, said in found if (title, said) != shipped[key]))
