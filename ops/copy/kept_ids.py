"""Rows whose ids are kept must find their place: what they name is there, and nobody has it.

A staged row that does not is refused with a reason; it is never made to fit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from psycopg import sql

from ops.copy.core import Destination
from ops.copy.groups import Reference
from ops.copy.plan import TablePlan
from ops.sql_files import statement

_COPY_FIRST = "copy the rows it names first, or correct legacy"
_NAMES_NOTHING = "names no row of"
_TAKEN = "is taken under another id"


@dataclass(frozen=True)
class _Refusal:
    """Why a staged row `s` is not wanted.

    Attributes:
        value: an expression that is shown between `subject` and `complaint`.
        advice: what to do about it.
    """

    condition: sql.Composable
    subject: str
    complaint: str
    value: sql.Composable
    advice: str


def may_pass(kind: str) -> bool:
    """Whether a row that was refused for this kind of reason may find its place once other rows of
    the new pair have changed."""
    return _NAMES_NOTHING in kind or _TAKEN in kind


def named_by(kind: str) -> tuple[str, str] | None:
    """The column and the table, where a row was refused because it names a row that is not there
    (yet); else None."""
    column, names_nothing, table = kind.partition(f" {_NAMES_NOTHING} ")
    return (column, table) if names_nothing else None


def refuse_unfit(target: Destination, plan: TablePlan, staged: sql.Identifier) -> None:
    """Take the rows out of `staged` (copy_rank 0) that break a check of the target, name a row that
    is not there, or have a unique key that another row keeps; their reasons stand beside them."""
    for refusal in _lasting_reasons(target, plan, staged):
        _refuse(target, staged, refusal)
    for key in _unique_keys(plan):
        _refuse(target, staged, _repeated(plan, staged, key))
    # A row that is refused keeps its old key, which may have been meant for another.
    while sum(_refuse(target, staged, _taken(plan, staged, key)) for key in _unique_keys(plan)):
        pass


def names_nothing(target: Destination, plan: TablePlan) -> bool:
    """Whether a row of the target's table breaks a reference that no foreign key guards."""
    arrived = plan.target.identifier
    conditions = [condition for _, condition in _loose_references(target, plan, arrived)]
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} AS s WHERE {})")
    return any(
        row[0]
        for condition in conditions
        for row in target.session.execute(query.format(arrived, condition))
    )


def make_way(target: Destination, plan: TablePlan, staged: sql.Identifier) -> int:
    """Free the unique keys that pass from one row to another in the coming merge; how many rows
    were deleted for that, which it inserts anew."""
    deleted = 0
    for key in _unique_keys(plan):
        condition = sql.SQL(
            "EXISTS (SELECT FROM {} AS s WHERE s.copy_rank = 1 AND s.id <> t.id AND {})"
        ).format(staged, _same(key, "t", "s"))
        if plan.spec.parked_by is None:
            query = sql.SQL("DELETE FROM {target} AS t WHERE {condition}")
        else:
            query = sql.SQL("UPDATE {target} AS t SET {column} = t.id::text WHERE {condition}")
        freed = target.session.execute(
            query.format(
                target=plan.target.identifier,
                column=sql.Identifier(plan.spec.parked_by or "id"),
                condition=condition,
            )
        ).rowcount
        deleted += freed if plan.spec.parked_by is None else 0
    return deleted


def _lasting_reasons(
    target: Destination, plan: TablePlan, staged: sql.Identifier
) -> Iterator[_Refusal]:
    session, oid = target.session, {"oid": plan.target.oid}
    present = set(plan.names)
    for name, columns, condition in session.execute(statement("copy/checks"), oid).fetchall():
        if not present.issuperset(columns):
            continue
        yield _Refusal(
            sql.SQL("NOT ({})").format(sql.SQL(condition)),
            "the row",
            f"breaks the rule {name}",
            sql.SQL("''"),
            "correct legacy",
        )
    for column, schema, table in session.execute(statement("copy/foreign_keys"), oid).fetchall():
        if column in present:
            yield _names_nothing(column, table, _absent(column, sql.Identifier(schema, table)))
    arrived = sql.SQL("(SELECT * FROM {} WHERE copy_rank = 1)").format(staged)
    for reference, condition in _loose_references(target, plan, arrived):
        yield _names_nothing(reference.column, reference.table, condition)


def _loose_references(
    target: Destination, plan: TablePlan, arrived: sql.Composable
) -> Iterator[tuple[Reference, sql.Composable]]:
    """What no foreign key says of a row `s`, each with the condition that it names nothing; of the
    rows of `arrived` (a FROM item)."""
    for reference in plan.spec.references:
        if reference.column not in plan.names:
            continue
        if reference.database == plan.spec.database:
            yield reference, _absent(reference.column, sql.Identifier("public", reference.table))
        else:
            yield reference, _absent_elsewhere(target, arrived, reference.column, reference.table)


def _names_nothing(column: str, table: str, condition: sql.Composable) -> _Refusal:
    return _Refusal(
        condition,
        column,
        f"{_NAMES_NOTHING} {table}",
        sql.SQL("s.{}").format(sql.Identifier(column)),
        _COPY_FIRST,
    )


def _absent(column: str, table: sql.Identifier) -> sql.Composed:
    own = sql.Identifier("s", column)
    return sql.SQL(
        "{own} IS NOT NULL AND NOT EXISTS (SELECT FROM {table} AS named WHERE named.id = {own})"
    ).format(own=own, table=table)


def _absent_elsewhere(
    target: Destination, arrived: sql.Composable, column: str, table: str
) -> sql.Composed:
    own = sql.Identifier("s", column)
    query = sql.SQL(
        "SELECT array_agg(DISTINCT {own}) FROM {arrived} AS s WHERE {own} IS NOT NULL"
    ).format(own=own, arrived=arrived)
    named = target.session.execute(query).fetchone()
    absent = target.books.execute(
        sql.SQL(
            "SELECT named.id::text FROM unnest(%s::uuid[]) AS named (id)"
            " WHERE NOT EXISTS (SELECT FROM {} AS t WHERE t.id = named.id)"
        ).format(sql.Identifier("public", table)),
        [named[0] if named and named[0] else []],
    ).fetchall()
    return sql.SQL("{}::text = ANY({}::text[])").format(
        own, sql.Literal([row[0] for row in absent])
    )


def _unique_keys(plan: TablePlan) -> list[list[str]]:
    """The target's unique keys beside the id."""
    return sorted(
        sorted(key)
        for key in plan.target.unique_keys
        if key != frozenset(plan.spec.natural_key) and key <= set(plan.names)
    )


def _repeated(plan: TablePlan, staged: sql.Identifier, key: list[str]) -> _Refusal:
    newest = plan.spec.newest_by if plan.spec.newest_by in plan.names else "id"
    names = _list(map(sql.Identifier, key))
    condition = sql.SQL(
        "EXISTS (SELECT FROM (SELECT id, row_number() OVER (PARTITION BY {names}"
        " ORDER BY {newest} DESC NULLS LAST, id) AS place FROM {staged}"
        " WHERE copy_rank = 1 AND num_nulls({names}) = 0) AS o WHERE o.id = s.id AND o.place > 1)"
    ).format(names=names, newest=sql.Identifier(newest), staged=staged)
    return _Refusal(
        condition, ", ".join(key), "is that of a newer row too", _shown(key), "correct legacy"
    )


def _taken(plan: TablePlan, staged: sql.Identifier, key: list[str]) -> _Refusal:
    condition = sql.SQL(
        "EXISTS (SELECT FROM {target} AS t WHERE t.id <> s.id AND {same} AND NOT EXISTS"
        " (SELECT FROM {staged} AS o WHERE o.copy_rank = 1 AND o.id = t.id))"
    ).format(target=plan.target.identifier, same=_same(key, "t", "s"), staged=staged)
    advice = f"delete that row of {plan.table} in the new pair, or correct legacy, and copy again"
    return _Refusal(condition, ", ".join(key), _TAKEN, _shown(key), advice)


def _refuse(target: Destination, staged: sql.Identifier, refusal: _Refusal) -> int:
    """Mark the rows that a refusal concerns; how many there are."""
    return target.session.execute(
        sql.SQL(
            "UPDATE {staged} AS s SET copy_rank = 0, copy_kind = {kind},"
            " copy_reason = concat_ws(' ', {subject}::text, nullif({value}::text, ''),"
            " {rest}::text) WHERE s.copy_rank = 1 AND ({condition})"
        ).format(
            staged=staged,
            kind=sql.Literal(f"{refusal.subject} {refusal.complaint}"),
            subject=sql.Literal(refusal.subject),
            value=refusal.value,
            rest=sql.Literal(f"{refusal.complaint}; {refusal.advice}"),
            condition=refusal.condition,
        )
    ).rowcount


def _same(key: list[str], left: str, right: str) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
        for name in key
    )


def _shown(key: list[str]) -> sql.Composed:
    return sql.SQL("concat_ws(', ', {})").format(_list(sql.Identifier("s", name) for name in key))


def _list(parts: Iterable[sql.Identifier]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
