"""An account as a person reads it, and what follows from it."""

from collections.abc import Iterator

from ops.assessment.account import Account, TableAccount
from ops.copy.legacy import OF_ANY_TEXT
from ops.errors import RefusedError


def refuse_no_go(account: Account) -> None:
    """Stop before anything is moved.

    Raises:
        RefusedError: the old database cannot be moved as it is; the message says what to do.
    """
    if not account.go:
        raise RefusedError(f"no-go: {'. And: '.join(account.refusals)}")


def becomes(table: TableAccount) -> str:
    """What becomes of a table, and of those of its columns of which something else does."""
    apart = ", ".join(
        f"{column} {fate}" for column, fate in table.column_fates.items() if fate != table.fate
    )
    rule = f": {table.rule}" if table.rule else ""
    return f"{table.fate}{rule}" + (f" ({apart})" if apart else "")


def account_rows(account: Account) -> list[dict[str, object]]:
    """A row for each table."""
    return [
        {
            "table": table.shown,
            "rows": table.rows,
            "MiB": round(table.bytes / 2**20, 1),
            "owner": table.owner,
            "becomes": becomes(table),
        }
        for table in account.tables
    ]


def account_lines(account: Account) -> Iterator[str]:
    """What there is to say besides."""
    around = account.surroundings
    yield (
        f"{account.address}: PostgreSQL {around.server_version}, {around.encoding}, "
        f"{around.bytes / 2**20:,.0f} MiB; {_place(account)}"
    )
    noted = {
        "event triggers": around.event_triggers,
        "publications": around.publications,
        "subscriptions": around.subscriptions,
        "row security on": [one.shown for one in account.tables if one.row_security],
        "triggers on": [one.shown for one in account.tables if one.triggers],
    }
    yield from (f"{name}: {', '.join(found)}" for name, found in noted.items() if found)
    if around.encoding not in OF_ANY_TEXT:
        yield f"a rollback could not bring back texts with what {around.encoding} lacks"
    if around.follows:
        yield "a standby: it can be copied from, and a swap needs the address of its primary"
    if not around.direct:
        yield "a pooler is in between, whose limits on connections and on waiting hold too"
    if account.read_seconds is not None:
        seconds = f"{account.read_seconds:,.1f} s"
        yield f"a copy takes {seconds} at least, which is how long reading takes"
    if around.large_objects:
        yield f"{around.large_objects:,} large objects, which a move leaves behind"
    if account.unknown:
        left = ", ".join(f"{rows:,} rows of {name}" for name, rows in account.unknown.items())
        yield f"nothing of ours knows, and a move leaves behind: {left}"
    yield "go" if account.go else "no-go"


def _place(account: Account) -> str:
    if account.schema is not None:
        return f"the installation is in schema {account.schema}"
    return (
        "which schema is the installation's cannot be told, so what becomes of its tables is "
        "undecided until that is mended"
    )
