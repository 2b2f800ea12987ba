"""What a swap would lose: rows of users that legacy holds and the new pair lacks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.assessment.account import rows_left_behind
from ops.books.copies import last_fingerprints
from ops.books.cutovers import BLIND, known_cutovers
from ops.books.ledger import computed_days
from ops.carrying.edited_documents import edited_documents
from ops.carrying.shown_equity import other_equities
from ops.copy.groups import GROUPS, TableSpec, tables_of
from ops.copy.kept_ids import named_by
from ops.copy.keys import gone_keys, has_copied_keys
from ops.copy.merge import differs, missing, missing_or_different, same_key
from ops.copy.parity import TableParity, pairs, unwritten_parity
from ops.copy.plan import TablePlan
from ops.copy.rejects import forget_rejects
from ops.copy.report import Meter, ignore_progress
from ops.copy.sessions import Sessions, copy_sessions
from ops.copy.staging import OLDER, RANKED, stage
from ops.errors import BadInputError

OWNED_GROUPS = ("users", "chat", "ai")
SHOWN_EQUITY = "portfolios with another equity"
EDITED = "documents with the product's mark"
SET_BACK = "rows written before a blind rollback"
# How the advice says them.
_IN_WORDS = {
    SHOWN_EQUITY: f"{SHOWN_EQUITY} than in legacy",
    EDITED: f'{EDITED} that it does not ship (take "seed" out of the metadata of one to keep it)',
}
EXAMPLES = 5
# Old vendor loads left such rows, which nobody could use.
_NO_PRICE = ["close is missing", "close is NaN"]
Coming = dict[str, set[str]]  # table → ids

# Each seeding draws a new salt, so that equal passwords look different until they are copied.
_SALTED = "hashed_password"


@dataclass(frozen=True)
class TablePrice:
    """What of a table would be lost.

    Attributes:
        missing: rows that the new pair lacks.
        rejected: of these, how many were copied but did not fit.
        different: rows that it has with other content.
        deleted: copied rows that legacy has deleted since and the new pair still has.
        examples: ids of the first of them.
    """

    missing: int = 0
    rejected: int = 0
    different: int = 0
    deleted: int = 0
    examples: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All of them."""
        return self.missing + self.different + self.deleted


@dataclass(frozen=True)
class Price:
    """What a swap would lose, by user-owned table.

    Attributes:
        tables: those with a price.
        unknown: tables of legacy that nothing of ours knows, with their rows, which stay there.
        set_back: rows of the new pair, as users wrote them before a blind rollback, which the copy
            sets back to what legacy says.
        uncomputed: rows of days that are neither copied nor computed again, by their table.
        equities: the portfolios of which the new pair shows another equity than legacy for the
            newest day of legacy's that was computed, each with both figures.
        edited: titles of documents that bear the product's mark and say what it does not.
    """

    tables: Mapping[str, TablePrice] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    set_back: int = 0
    uncomputed: Mapping[str, int] = field(default_factory=dict)
    equities: Sequence[str] = ()
    edited: Sequence[str] = ()

    @property
    def _beside(self) -> dict[str, Sequence[str]]:
        """What no copy mends, as far as there is any."""
        beside = {SHOWN_EQUITY: self.equities, EDITED: self.edited}
        return {name: found for name, found in beside.items() if found}

    @property
    def by_table(self) -> dict[str, int]:
        """Rows by table, every user-owned table in the order of their references; then others with
        a price, unknown tables, days that nobody computes, portfolios that show another equity, and
        edited documents, if there are any."""
        priced = {name: table.rows for name, table in self.tables.items()}
        owned = {spec.table: priced.get(spec.table, 0) for spec in tables_of(OWNED_GROUPS)}
        beside = {name: len(found) for name, found in self._beside.items()}
        before = {SET_BACK: self.set_back} if self.set_back else {}
        return {**owned, **priced, **self.unknown, **before, **self.uncomputed, **beside}

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.by_table.values())

    def without(self, accepted: Collection[str]) -> "Price":
        """What is left where tables that nothing of ours knows are accepted by schema and name,
        however many rows they have: an application's own log grows from one look to the next.

        Raises:
            BadInputError: a name is none of those.
        """
        if wrong := [name for name in accepted if name not in self.unknown]:
            raise BadInputError(
                f"--accept-unknown {wrong[0]}: that is no table with rows that nothing of ours "
                f"knows; there are: {', '.join(self.unknown) or 'none'}"
            )
        left = {table: rows for table, rows in self.unknown.items() if table not in accepted}
        return replace(self, unknown=left)

    def lasting(self, groups: Sequence[str]) -> "Price":
        """What no further copy of these groups brings: rows of other tables, and those that do not
        fit. Users go on writing, so the rest is another a moment later."""
        copied = {spec.table for spec in tables_of(groups)}
        left = {
            name: TablePrice(table.rejected, table.rejected) if name in copied else table
            for name, table in self.tables.items()
        }
        return replace(self, tables={name: table for name, table in left.items() if table.rows})

    def advice(self) -> str:
        """One line: what would be lost, and what to do about it."""
        if not self.total:
            return "legacy holds nothing that the new pair lacks"
        beside, copies = self._beside, self._copies()
        rows = {
            name: count for name, count in self.by_table.items() if name not in (*beside, SET_BACK)
        }
        lost = ", ".join(f"{count:,} of {name}" for name, count in rows.items() if count)
        said = (
            [f"the new pair lacks rows of legacy: {lost}{self._reasons()}{copies}"] if lost else []
        )
        if self.set_back:
            said.append(f"{SET_BACK}, kept in its file, and otherwise in legacy: {self.set_back}")
        for name, found in beside.items():
            said.append(f"{_IN_WORDS[name]}: {len(found)}, {'; '.join(found[:EXAMPLES])}")
        way = ", or" if copies else ";"
        return f"{'; '.join(said)}{way} swap with --accept-loss {self.total}"

    def _reasons(self) -> str:
        rejected = sum(table.rejected for table in self.tables.values())
        reasons = [f"{rejected:,} did not fit, see ops.copy_rejects"] if rejected else []
        if self.unknown:
            accept = " ".join(f"--accept-unknown {name}" for name in self.unknown)
            names = ", ".join(self.unknown)
            reasons.append(f"nothing of ours knows {names}: keep what is needed, then {accept}")
        if self.uncomputed:
            reasons.append("`sigmasight backfill` computes those that are sessions")
        return f" ({'; '.join(reasons)})" if reasons else ""

    def _copies(self) -> str:
        priced = self.tables.keys()
        groups = [name for name in OWNED_GROUPS if any(one.table in priced for one in GROUPS[name])]
        copies = " and ".join(f"`sigmasight copy --group {group}`" for group in groups)
        return f"; run {copies}" if copies else ""


def swap_price(legacy_url: URL, core_url: URL, ai_url: URL, counted: Price | None = None) -> Price:
    """Price a swap now; nothing is changed. A table that legacy lacks costs nothing.

    Args:
        counted: an earlier price, of which is taken what stays in legacy; by default it is counted
            now, which takes as long as reading those tables.

    Raises:
        BadInputError: legacy cannot be read, or lacks a column without which no row can be made.
        WrongDatabaseError: the new pair lacks a table.
    """
    with copy_sessions(legacy_url, core_url, ai_url, OWNED_GROUPS) as sessions:
        return price_now(sessions, counted)


def price_now(
    sessions: Sessions,
    counted: Price | None = None,
    proved: Sequence[TableParity] = (),
) -> Price:
    """`swap_price` in a snapshot that is open, of these groups at least.

    Args:
        proved: what was found of some tables just now.
    """
    specs = tables_of(OWNED_GROUPS)
    copied, known = last_fingerprints(sessions.core), {one.table: one for one in proved}
    known |= unwritten_parity(sessions, [spec for spec in specs if spec.table not in known])
    coming: Coming = {}
    found = _market_rejects(sessions.core)
    for spec in specs:
        last, parity = copied.get(spec.table), known.get(spec.table)
        # What a proof of parity leaves open is only what was rejected, and had no part in it.
        if last is None or last.rejected_rows or parity is None or not parity.proved:
            found[spec.table] = _table_price(sessions, spec, coming, spec.table in copied)
    counted = counted or _left_behind(sessions)
    equities, edited = other_equities(sessions), edited_documents(sessions)
    priced = {table: price for table, price in found.items() if price.rows}
    return replace(counted, tables=priced, equities=equities, edited=edited)


def _left_behind(sessions: Sessions) -> Price:
    """What stays in legacy: tables that nothing of ours knows, and days that are neither copied nor
    computed."""
    legacy = sessions.legacy
    [spec] = [one for one in tables_of(("users",)) if one.table == "portfolio_snapshots"]
    plan = sessions.plan(spec)
    not_copied = {}
    if plan is not None and plan.counts is not None:
        not_copied[plan.table] = sql.SQL("NOT {}").format(plan.counts)
    computed = computed_days(sessions.core)
    with legacy.reading("tables"):
        unknown, uncomputed = rows_left_behind(
            legacy.connection, legacy.place.name, computed, not_copied
        )
    last = next((one for one in known_cutovers(sessions.core) if one.state == "done"), None)
    set_back = last.accepted_loss if last is not None and last.plan_id == BLIND else 0
    return Price(unknown=unknown, set_back=set_back, uncomputed=uncomputed)


def _table_price(sessions: Sessions, spec: TableSpec, coming: Coming, copied: bool) -> TablePrice:
    """What of a table would be lost.

    Args:
        coming: the rows that the next copy brings, as far as is known; those of this table are
            added.
        copied: whether it ever was.
    """
    if not copied:
        spec = replace(spec, apart=(*spec.apart, _SALTED))
    plan = sessions.plan(spec)
    if plan is None:
        return TablePrice()
    found = _compared(sessions, plan, coming)
    # What was never copied may well fit once the rows that it names are there.
    return found if copied else replace(found, rejected=0)


def _compared(sessions: Sessions, plan: TablePlan, coming: Coming) -> TablePrice:
    """Stage legacy's rows as a copy would, and undo it."""
    target = sessions.target(plan.spec)
    with target.transaction(undone=True):
        forget_rejects(target.books, plan.table)
        stage(sessions.legacy, target, plan, Meter(plan.table, 0, ignore_progress))
        unequal = _unequal(target.session, plan)
        waiting, rejected = _rejected(target.books, plan, coming)
        rejected += _outdone(target.session, plan)
        comes = coming.setdefault(plan.table, set())
        comes.update(key for key, absent, _ in unequal if absent)
        gone = _gone(sessions, plan)
    comes.update(waiting)
    priced = [key for key, absent, lacking in unequal if lacking or not absent]
    different = sum(not absent for _, absent, _ in unequal)
    return TablePrice(
        len(priced) - different + len(waiting) + len(rejected),
        len(rejected),
        different,
        len(gone),
        (*priced[:EXAMPLES], *waiting, *rejected, *gone)[:EXAMPLES],
    )


def _unequal(session: psycopg.Connection, plan: TablePlan) -> list[tuple[str, bool, bool]]:
    """Ids of the rows that are missing or different: whether the row is missing, and whether the
    new pair lacks what it says."""
    lacking = absent = missing(plan, "t")
    if plan.table == "ai_kb_documents":
        lacking = sql.SQL("{} AND NOT {}").format(absent, _TWIN)
    return session.execute(
        sql.SQL(
            "SELECT coalesce(s.id::text, 'NULL'), {}, {} FROM {} WHERE {} ORDER BY s.id"
        ).format(absent, lacking, pairs(plan), missing_or_different(plan, "t", "s"))
    ).fetchall()


# A document says what it says under whatever id.
_TWIN = sql.SQL(
    "EXISTS (SELECT FROM ai_kb_documents AS d"
    " WHERE (d.scope, d.title, d.content) = (s.scope, s.title, s.content))"
)


def _market_rejects(core: psycopg.Connection) -> dict[str, TablePrice]:
    """Rows of shared tables that the last copy rejected, but for those that give no price; they are
    not looked at again."""
    query = (
        "SELECT table_name, count(*) FROM ops.copy_rejects WHERE table_name = ANY(%s)"
        " AND kind <> ALL(%s) GROUP BY 1"
    )
    found = core.execute(query, [[spec.table for spec in tables_of(("market",))], _NO_PRICE])
    return {table: TablePrice(missing=rows, rejected=rows) for table, rows in found}


def _rejected(
    books: psycopg.Connection, plan: TablePlan, coming: Coming
) -> tuple[list[str], list[str]]:
    """Ids of the rows that fit as soon as those are there that they name, which come too, and of
    those that do not fit, whatever other rows of their keys say."""
    rows = books.execute(
        "SELECT coalesce(row_data ->> 'id', 'NULL'), kind, row_data FROM ops.copy_rejects"
        " WHERE table_name = %s AND kind <> ALL(%s) ORDER BY 1",
        [plan.table, [OLDER, "duplicate"]],
    )
    found: tuple[list[str], list[str]] = ([], [])
    for key, kind, row in rows:
        column, table = named_by(kind) or ("", "")
        found[row.get(column) not in coming.get(table, ())].append(key)
    return found


def _outdone(session: psycopg.Connection, plan: TablePlan) -> list[str]:
    """Ids of the staged rows that another one of their id outdoes, and that say something else."""
    query = sql.SQL(
        "SELECT o.id::text FROM {ranked} AS o LEFT JOIN {ranked} AS s ON {same} AND s.copy_rank = 1"
        " WHERE o.copy_rank > 1 AND {differs} ORDER BY 1"
    ).format(ranked=RANKED, same=same_key(plan, "o", "s"), differs=differs(plan, "o", "s"))
    return [row[0] for row in session.execute(query)]


def _gone(sessions: Sessions, plan: TablePlan) -> list[str]:
    target = sessions.target(plan.spec)
    if not has_copied_keys(target.books, plan.table):
        return []
    query = sql.SQL("SELECT id::text FROM {} WHERE id = ANY(%s)").format(plan.target.identifier)
    return [
        row[0]
        for keys in gone_keys(sessions.legacy, target.books, plan)
        for row in target.session.execute(query, [keys])
    ]
