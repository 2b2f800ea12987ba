"""How a table will be copied: both catalogues compared before anything is written."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import JSON, ColumnDefault

from app.models import AiBase, Base
from ops.books.copies import TableState
from ops.content_hash import canonical
from ops.copy.catalogue import Column, Relation
from ops.copy.errors import CoreShapeError, LegacyShapeError
from ops.copy.groups import TableSpec
from ops.copy.legacy import Legacy
from ops.copy.table_state import Look
from ops.copy.which_rows import NOTHING_WRITTEN, Written, rows_that_count
from ops.user_tables import CLASS_COLUMN, content_expression, user_table

EVERY = sql.SQL("true")

# Bookkeeping of the application, and from which of them a missing one is best guessed.
TIMESTAMPS = ("updated_at", "last_updated", "created_at")


@dataclass(frozen=True)
class TablePlan:
    """The copy of one table.

    Attributes:
        columns: those of Core that legacy has too, in Core's order.
        filled: NOT NULL columns of Core that legacy lacks and that have a known default.
        absent: nullable columns of Core that legacy lacks.
        ignored: columns of legacy that Core lacks.
        counts: a condition that the rows of both sides meet which are compared; None: all do.
        foreign: see `Legacy`.
    """

    spec: TableSpec
    source: Relation
    target: Relation
    columns: tuple[Column, ...]
    filled: tuple[Column, ...]
    absent: tuple[str, ...]
    ignored: tuple[str, ...]
    counts: sql.Composable | None = None
    foreign: str = ""

    @property
    def table(self) -> str:
        return self.spec.table

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def which(self, only: sql.Composable = EVERY) -> sql.Composable:
        """A condition: the row counts, and is one of `only` some."""
        return only if self.counts is None else sql.SQL("{} AND {}").format(self.counts, only)

    def look(self, side: Relation, since: TableState | None) -> Look:
        """A look at the rows of one side that count."""
        return Look(side, self.which(EVERY), self.shape, since)

    @property
    def source_rows(self) -> sql.Composable:
        """A FROM item: legacy's rows."""
        return self._rows(self.source)

    @property
    def target_rows(self) -> sql.Composable:
        """A FROM item: the target's rows that are compared with them."""
        return self._rows(self.target)

    def _rows(self, relation: Relation) -> sql.Composable:
        if self.counts is None:
            return relation.identifier
        return sql.SQL("(SELECT * FROM {} WHERE {}) AS counted").format(
            relation.identifier, self.counts
        )

    @property
    def typed(self) -> bool:
        """Whether values can travel in binary: every column has the same type on both sides."""
        return all(column.same_type(self.source.columns[column.name]) for column in self.columns)

    @property
    def rounded(self) -> tuple[Column, ...]:
        """The columns of numbers that may have more decimals in legacy than Core's type keeps."""
        return tuple(column for column in self.columns if self._rounds(column))

    def _rounds(self, column: Column) -> bool:
        there, here = self.source.columns[column.name].decimals, column.decimals
        if here is None or not column.type_name.startswith("numeric"):
            return False  # a fraction does not fit into a whole number at all
        return there is None or there > here

    @property
    def unique(self) -> bool:
        """Whether legacy itself allows no two rows with one natural key."""
        return not self.source.has_children and self.source.is_unique(self.spec.natural_key)

    @property
    def surrogate_is_unique(self) -> bool:
        """Whether legacy's ids, if the table has any, are there and never twice."""
        if self.spec.surrogate_key is None:
            return True
        own = self.source.columns.get(self.spec.surrogate_key)
        return (
            own is not None
            and own.not_null
            and not self.source.has_children
            and self.source.is_unique([own.name])
        )

    @property
    def straight(self) -> bool:
        """Whether the rows could go straight into an empty table, without any check in Core."""
        return self.typed and self.unique and self.surrogate_is_unique

    @property
    def content(self) -> tuple[Column, ...]:
        """The columns in which two rows with one natural key can differ."""
        return tuple(
            column
            for column in self.columns
            if column.name not in self.spec.natural_key
            and column.name not in self.spec.apart
            and not self.is_surrogate(column)
            and (column.name not in self.spec.marked or CLASS_COLUMN in self.names)
        )

    def is_surrogate(self, column: Column) -> bool:
        return column.name == self.spec.surrogate_key

    def compared(self) -> list[sql.Composable]:
        """Natural key and content, as the hashes of both sides take them."""
        keys = [self.target.columns[name] for name in self.spec.natural_key]
        return [self.expression(column) for column in (*keys, *self.content)]

    def expression(self, column: Column, row: str | None = None) -> sql.Composable:
        """A column, of the row of that alias if one is given, as two sides compare it."""
        owned = user_table(self.table)
        if owned is not None and column.name in owned.columns:
            return content_expression(owned, column.name, row)
        own = sql.Identifier(row, column.name) if row else sql.Identifier(column.name)
        return canonical(own, is_json=column.type_name == "json")

    def may_be_null(self, column: Column) -> bool:
        """Whether a value that does not fit is left out rather than its row rejected."""
        return self.is_surrogate(column) or column.name == self.spec.recomputed

    def fill(self, column: Column, row: str | None = None) -> sql.Composable:
        """The value of a filled column, of its very type; `row` is the alias it may draw from."""
        constant = _application_default(self.table, column.name)
        if constant is not None:
            value: sql.Composable = sql.Literal(constant)
        elif self.is_surrogate(column):
            value = sql.SQL("gen_random_uuid()")
        else:
            value = self._best_timestamp(row)
        return sql.SQL("({})::{}").format(value, sql.SQL(column.type_name))

    @cached_property
    def shape(self) -> str:
        """A digest of both sides' columns: a change of either makes an old fingerprint void."""
        sides = (self.spec, tuple(self.source.columns.values()), self.columns, self.filled)
        return hashlib.sha256(repr(sides).encode()).hexdigest()[:16]

    def _best_timestamp(self, row: str | None) -> sql.Composable:
        known: list[sql.Composable] = [
            sql.Identifier(row, name) if row else sql.Identifier(name)
            for name in TIMESTAMPS
            if name in self.names and name not in self.spec.natural_key
        ]
        return sql.SQL("coalesce({})").format(sql.SQL(", ").join([*known, sql.SQL("now()")]))


def plan_table(
    legacy: Legacy,
    target: Relation | None,
    spec: TableSpec,
    written: Written = NOTHING_WRITTEN,
) -> TablePlan | None:
    """Compare the two sides of a table; None where legacy has none.

    Args:
        target: the table of the new pair.
        written: what our own programs wrote on either side, which is not compared.

    Raises:
        CoreShapeError: Core lacks the table, or a unique constraint on its natural key.
        LegacyShapeError: legacy lacks a column that Core requires and nothing can fill.
    """
    if target is None or not target.is_unique(spec.natural_key):
        missing = "table" if target is None else f"unique key {spec.natural_key} of"
        half = "Core" if spec.database == "core" else "AI"
        raise CoreShapeError(
            f"{half} has no {missing} {spec.table}; run `sigmasight migrate` first"
        )
    source = legacy.relations.get(spec.table)
    if source is None:
        return None
    return replace(_compare(spec, source, target, written), foreign=legacy.foreign)


def _compare(spec: TableSpec, source: Relation, target: Relation, written: Written) -> TablePlan:
    writable = [column for column in target.columns.values() if not column.generated]
    lacking = [column for column in writable if column.name not in source.columns]
    required = [column for column in lacking if column.not_null and not column.has_default]
    plan = TablePlan(
        spec,
        source,
        target,
        columns=tuple(column for column in writable if column.name in source.columns),
        filled=tuple(column for column in required if _can_fill(spec, column)),
        absent=tuple(column.name for column in lacking if not column.not_null),
        ignored=(
            *(name for name in source.columns if name not in target.columns),
            *source.heirs_columns,
        ),
        counts=rows_that_count(spec.table, written, source.columns),
    )
    for column in required:
        if column not in plan.filled:
            raise LegacyShapeError(
                f"{spec.table!r} of legacy has no column {column.name!r}, which Core requires; "
                "add it to legacy, for instance by a view of that name"
            )
    return plan


def _can_fill(spec: TableSpec, column: Column) -> bool:
    if column.name in spec.natural_key:
        return False
    return (
        column.name == spec.surrogate_key
        or column.name in TIMESTAMPS
        or _application_default(spec.table, column.name) is not None
    )


def _application_default(table: str, column: str) -> object | None:
    """The constant that the application itself would insert, such as a currency."""
    metadata = AiBase.metadata if table in AiBase.metadata.tables else Base.metadata
    model = metadata.tables[table].columns.get(column)
    default = None if model is None else model.default
    if not isinstance(default, ColumnDefault):
        return None
    if default.is_callable and model is not None and isinstance(model.type, JSON):
        return Jsonb(default.arg(None))
    return default.arg if default.is_scalar else None
