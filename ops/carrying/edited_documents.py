"""Documents that bear the product's mark and that somebody wrote or edited in legacy."""

from psycopg import sql

from app.agent.knowledge.documents import builtin_documents
from ops.copy.groups import specs_of
from ops.copy.sessions import Sessions

[_DOCUMENTS] = [spec for spec in specs_of("ai") if spec.table == "ai_kb_documents"]


def edited_documents(sessions: Sessions) -> tuple[str, ...]:
    """The titles of those that bear the product's mark in legacy and say what no document of the
    product says. No copy brings them, because each backend writes its own."""
    plan = sessions.plan(_DOCUMENTS)
    if plan is None or plan.counts is None:
        return ()
    shipped = {(each.title.encode(), each.content.encode()) for each in builtin_documents()}
    query = sql.SQL(
        "SELECT convert_to(title::text, {0}), convert_to(content::text, {0}) FROM {1}"
        " WHERE NOT ({2})"
    ).format(
        sql.Literal("SQL_ASCII" if plan.unchecked else "UTF8"), plan.source.identifier, plan.counts
    )
    with sessions.legacy.reading(plan.table):
        found = sessions.legacy.connection.execute(query).fetchall()
    return tuple(
        sorted(
            (title or b"").decode(errors="replace")
            for title, said in found
            if (title, said) not in shipped
        )
    )
