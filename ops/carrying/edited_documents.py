"""Documents that bear the product's mark and that somebody wrote or edited in legacy."""

from psycopg import sql

from app.agent.knowledge.documents import builtin_documents
from ops.copy.groups import specs_of
from ops.copy.legacy import ANY_BYTE
from ops.copy.sessions import Sessions

[_DOCUMENTS] = [spec for spec in specs_of("ai") if spec.table == "ai_kb_documents"]


def edited_documents(sessions: Sessions) -> tuple[str, ...]:
    """The titles of those that bear the product's mark in legacy and say what no document of the
    product says. No copy brings them, because each backend writes its own."""
    plan = sessions.plan(_DOCUMENTS)
    if plan is None or plan.counts is None:
        return ()
    shipped = {(each.title.encode(), each.content.encode()) for each in builtin_documents()}
    title, content = (_bytes(sql.Identifier(name), plan.foreign) for name in ("title", "content"))
    query = sql.SQL("SELECT {}, {} FROM {} WHERE NOT ({})").format(
        title, content, plan.source.identifier, plan.counts
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


def _bytes(column: sql.Identifier, foreign: str) -> sql.Composed:
    """A text in UTF-8, as far as it has an equal there."""
    text, encoding = sql.SQL("{}::text").format(column), "UTF8"
    if foreign == ANY_BYTE:
        encoding = "SQL_ASCII"
    elif foreign:
        text = sql.SQL("regexp_replace({}, {}, '?', 'g')").format(text, sql.Literal(f"[{foreign}]"))
    return sql.SQL("convert_to({}, {})").format(text, sql.Literal(encoding))
