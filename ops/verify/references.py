"""Whether every row that a row names exists, within Core and across the two databases."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from uuid import UUID

import psycopg
from psycopg import sql

from app.chain_folders import ChainName
from ops.connection import first_value
from ops.drift.reference import load_reference
from ops.sql_files import statement
from ops.verify.loose_references import LOOSE_REFERENCES, LooseReference
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject

_BATCH = 10_000


def foreign_keys(subject: Subject) -> Verdict:
    """Every foreign key that the chain builds is there, has looked at every row, and is enforced:
    then the server itself guarantees that no row of Core refers to nothing."""
    expected = {
        name
        for name, facts in load_reference("core")["constraints"].items()
        if str(facts["definition"]).startswith("FOREIGN KEY")
    }
    with subject.core() as connection:
        found: dict[str, bool] = dict(
            connection.execute(statement("verify/foreign_keys")).fetchall()
        )
    missing = sorted(expected - found.keys())
    unreliable = sorted(name for name, reliable in found.items() if not reliable)
    lines = [f"{len(found):,} foreign keys of {len(expected):,}"]
    lines += [f"missing: {', '.join(missing)}"] if missing else []
    lines += [f"not validated or not enforced: {', '.join(unreliable)}"] if unreliable else []
    return judged(
        not missing and not unreliable,
        "; ".join(lines),
        expected=len(expected),
        missing=len(missing),
        unreliable=len(unreliable),
    )


def loose_references(subject: Subject) -> Verdict:
    """Ids that nothing in the database guarantees, each looked up where it should exist."""
    keys = {reference: _orphans(subject, reference) for reference in LOOSE_REFERENCES}
    lines = [
        f"{reference}: {orphans:,} of {total:,} refer to nothing"
        for reference, (total, orphans) in keys.items()
    ]
    measured = {str(reference): orphans for reference, (_, orphans) in keys.items()}
    return judged(not any(measured.values()), "; ".join(lines), **measured)


def _orphans(subject: Subject, reference: LooseReference) -> tuple[int, int]:
    """How many distinct ids are referred to, and how many of them do not exist."""
    total = orphans = 0
    with (
        _database(subject, reference.database) as referring,
        _database(subject, reference.target_database) as target,
    ):
        for batch in _batches(referring, reference):
            ids = [found for text in batch if (found := _id(text)) is not None]
            total += len(batch)
            # What is no id at all names nothing either.
            orphans += len(batch) - len(ids) + _absent(target, reference.target, ids)
    return total, orphans


def _database(subject: Subject, name: ChainName) -> AbstractContextManager[psycopg.Connection]:
    return subject.core() if name == "core" else subject.ai()


def _batches(connection: psycopg.Connection, reference: LooseReference) -> Iterator[list[str]]:
    """Stream the distinct ids as texts, a bounded number at a time."""
    query = sql.SQL(
        "SELECT DISTINCT named FROM (SELECT {named} AS named FROM {table}) AS found "
        "WHERE named IS NOT NULL"
    ).format(named=_named(reference), table=sql.Identifier("public", reference.table))
    with connection.cursor(name="loose_references") as cursor:
        cursor.execute(query)
        while batch := cursor.fetchmany(_BATCH):
            yield [row[0] for row in batch]


def _named(reference: LooseReference) -> sql.Composed:
    """The id that a row names, as text; NULL where it names none."""
    column = sql.Identifier(reference.column)
    if reference.key is not None:
        return sql.SQL("{} ->> {}").format(column, sql.Literal(reference.key))
    if reference.prefix is not None:
        return sql.SQL("CASE WHEN starts_with({0}, {1}) THEN substr({0}, {2}) END").format(
            column, sql.Literal(reference.prefix), sql.Literal(len(reference.prefix) + 1)
        )
    return sql.SQL("{}::text").format(column)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _absent(connection: psycopg.Connection, table: str, ids: list[UUID]) -> int:
    query = sql.SQL(
        "SELECT count(*) FROM unnest(%s::uuid[]) AS named (id) "
        "WHERE NOT EXISTS (SELECT FROM {table} AS target WHERE target.id = named.id)"
    ).format(table=sql.Identifier("public", table))
    return int(first_value(connection, query, [ids]))
