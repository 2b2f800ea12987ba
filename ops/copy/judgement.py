"""Which legacy rows fit Core, and in words of the user why another does not.

A judgement is one CASE expression per table: the first column that does not fit names the reason.
The typed one runs on legacy, whose columns have Core's types; the other one runs in Core, over
values that arrived as text.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from psycopg import sql

from ops.copy.catalogue import FIRST_USER_TYPE_OID, Column
from ops.copy.legacy import ANY_BYTE
from ops.copy.plan import TablePlan

SHOWN_CHARACTERS = 40
VARCHAR_HEADER = 4  # pg_attribute counts it into the length

_INTEGERS = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
_MOMENT = "timestamp with time zone"
_DATES = ("date", "timestamp without time zone", _MOMENT)
# What Python's dates hold, and with them the backfill and the backend.
_FIRST_DAY, _DAY_AFTER = "0001-01-01", "10000-01-01"
_NO_TEXT = (*_INTEGERS, "numeric", "real", "double", "boolean", "date", "time", "uuid", "bytea")
# Where the server knows no encoding, its regular expressions see bytes: those of UTF-8 (RFC 3629).
_UTF8 = (
    r"^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]"
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    r"|\xf4[\x80-\x8f][\x80-\xbf]{2})*$"
)
# A character that can be seen; locales do not agree on which are spaces.
_SEEN = (
    r"[^\u0001-\u0020\u007f\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064"
    r"\u3000\ufeff]"
)
JSON_TYPES = ("json", "jsonb")
_ANY_TEXT = ("text", "character varying")
# Years, months and days in this order: any other spelling could be read in two ways, and words
# such as today would be another day tomorrow.
_ISO_DATE = r"^\s*\d{4,}-?\d{2}-?\d{2}"


@dataclass(frozen=True)
class Rule:
    """Something that makes a row unfit.

    Attributes:
        condition: true for such a row; only evaluated where the rules before it did not hold.
        kind: the reason without the row's value.
        value: the value to show between column and complaint, if it helps.
    """

    condition: sql.Composable
    column: str
    complaint: str
    value: sql.Composable | None = None

    @property
    def kind(self) -> sql.Composable:
        return sql.Literal(f"{self.column} {self.complaint}")

    @property
    def reason(self) -> sql.Composable:
        if self.value is None:
            return self.kind
        return sql.SQL("concat({}, {}, {})").format(
            sql.Literal(f"{self.column} "),
            _shown(self.value),
            sql.Literal(f" {self.complaint}"),
        )


def typed_rules(plan: TablePlan) -> list[Rule]:
    """Rules over legacy's own columns, where these have the types of Core's."""
    return encoding_rules(plan) + [
        rule
        for column in plan.columns
        if not plan.may_be_null(column)
        for rule in _typed_column_rules(column, plan.source.columns[column.name])
    ]


def encoding_rules(plan: TablePlan) -> list[Rule]:
    """Rules over legacy's own columns of any type: without them a row may not even be sent."""
    if not plan.foreign:
        return []
    text = sql.Literal(_UTF8 if plan.foreign == ANY_BYTE else f"^[^{plan.foreign}]*$")
    return [
        Rule(
            sql.SQL("{}::text !~ {}").format(sql.Identifier(name), text),
            name,
            "is not text in UTF-8",
        )
        for name in plan.names
        if not _holds_no_text(plan.source.columns[name])
    ]


def text_rules(plan: TablePlan) -> list[Rule]:
    """Rules over columns of the same names that hold the values as text."""
    return [
        rule
        for column in plan.columns
        if not plan.may_be_null(column)
        for rule in (
            *_text_column_rules(column),
            *([_vanishing(column)] if column in plan.rounded else []),
        )
    ]


def judged(rules: Iterable[Rule], verdict: Callable[[Rule], sql.Composable]) -> sql.Composable:
    """An expression: the verdict of the first rule that a row breaks, NULL for a row that fits."""
    branches = [sql.SQL("WHEN {} THEN {}").format(rule.condition, verdict(rule)) for rule in rules]
    if not branches:
        return sql.SQL("NULL::text")
    return sql.SQL("CASE {} END").format(sql.SQL(" ").join(branches))


def fits(rules: Iterable[Rule]) -> sql.Composable:
    """A condition: true for the rows that break no rule."""
    return sql.SQL("({}) IS NULL").format(judged(rules, lambda rule: rule.kind))


def cast_from_text(plan: TablePlan, column: Column) -> sql.Composable:
    """The value of a text column that the rules let pass, as Core's type."""
    value = sql.Identifier(column.name)
    target = sql.SQL(column.type_name)
    if column.name == plan.spec.recomputed:
        return _vector_or_null(value, column)
    if plan.may_be_null(column):
        return sql.SQL("CASE WHEN pg_input_is_valid({0}, {1}) THEN {0}::{2} END").format(
            value, sql.Literal(column.type_name), target
        )
    if column.type_name in _INTEGERS:  # 5.00 is a whole number, but not the text of an integer
        return sql.SQL("{}::numeric::{}").format(value, target)
    if column.type_name in _DATES:  # else an offset would be cut off, and the day be a local one
        return sql.SQL("{}::{}::{}").format(value, sql.SQL(_MOMENT), target)
    return sql.SQL("{}::{}").format(value, target)


def _vector_or_null(value: sql.Identifier, column: Column) -> sql.Composed:
    """A vector of the right length, written as one or as an array of numbers; else NULL. The input
    of type vector raises what others report, so that its text must be looked at before."""
    return sql.SQL(
        "CASE WHEN {value} ~ {pattern} AND (SELECT count(*) = {length}"
        " AND bool_and(pg_input_is_valid(number, 'real'))"
        " FROM unnest(string_to_array(btrim({value}, '[]{{}}'), ',')) AS number)"
        " THEN translate({value}, '{{}}', '[]')::{type} END"
    ).format(
        value=value,
        pattern=sql.Literal(r"^[\[{][-+.0-9eE,]+[\]}]$"),
        length=sql.Literal(column.type_modifier),
        type=sql.SQL(column.type_name),
    )


def _typed_column_rules(column: Column, source: Column) -> Iterator[Rule]:
    value = sql.Identifier(column.name)
    if column.not_null and not source.not_null:
        yield Rule(sql.SQL("{} IS NULL").format(value), column.name, "is missing")
    if _is_numeric(column):
        yield Rule(sql.SQL("{} = 'NaN'").format(value), column.name, "is NaN")
    if column.type_name in _DATES:
        yield Rule(sql.SQL("NOT isfinite({})").format(value), column.name, "is infinite")
        yield _out_of_years(column, value)
    yield from _symbol_rules(column, value)


def _text_column_rules(column: Column) -> Iterator[Rule]:
    value = sql.Identifier(column.name)
    if column.not_null:
        yield Rule(sql.SQL("{} IS NULL").format(value), column.name, "is missing")
    yield from _symbol_rules(column, value)
    if column.type_name.startswith("character varying("):
        length = column.type_modifier - VARCHAR_HEADER
        condition = sql.SQL("char_length({}) > {}").format(value, sql.Literal(length))
        yield Rule(condition, column.name, f"is longer than {length}")
    elif _is_numeric(column) or column.type_name in _INTEGERS:
        yield from _number_rules(column, value)
    elif column.type_name in _DATES:
        yield from _date_rules(column, value)
    elif column.type_name not in _ANY_TEXT:
        yield Rule(_invalid(value, column.type_name), column.name, _is_not(column), value)
    if column.type_name == "jsonb":
        twice = sql.SQL("{} IS NOT JSON WITH UNIQUE KEYS").format(value)
        yield Rule(twice, column.name, "has a key twice, of which one would be lost", value)


def _number_rules(column: Column, value: sql.Identifier) -> Iterator[Rule]:
    name = column.name
    yield Rule(_invalid(value, "numeric"), name, "is not a number", value)
    yield Rule(sql.SQL("{}::numeric = 'NaN'").format(value), name, "is NaN")
    infinite = sql.SQL("{}::numeric IN ('Infinity', '-Infinity')").format(value)
    yield Rule(infinite, name, "is infinite")
    too_large = f"does not fit {column.type_name}"
    if column.type_name not in _INTEGERS:
        yield Rule(_invalid(value, column.type_name), name, too_large, value)
        return
    fraction = sql.SQL("{0}::numeric <> trunc({0}::numeric)").format(value)
    yield Rule(fraction, name, "is not a whole number", value)
    least, greatest = map(sql.Literal, _INTEGERS[column.type_name])
    outside = sql.SQL("{}::numeric NOT BETWEEN {} AND {}").format(value, least, greatest)
    yield Rule(outside, name, too_large, value)


def _vanishing(column: Column) -> Rule:
    """To round a small number is one thing, to have nothing left of it another."""
    value, kept = sql.Identifier(column.name), sql.SQL(column.type_name)
    condition = sql.SQL("{0}::{1} = 0 AND {0}::numeric <> 0").format(value, kept)
    return Rule(condition, column.name, f"would become 0 in {column.type_name}", value)


def _date_rules(column: Column, value: sql.Identifier) -> Iterator[Rule]:
    infinite = sql.SQL("{} IN ('infinity', '-infinity')").format(value)
    yield Rule(infinite, column.name, "is infinite")
    invalid = sql.SQL("({} !~ {} OR {})").format(
        value, sql.Literal(_ISO_DATE), _invalid(value, _MOMENT)
    )
    yield Rule(invalid, column.name, _is_not(column), value)
    yield _out_of_years(column, sql.SQL("{}::{}").format(value, sql.SQL(_MOMENT)))


def _out_of_years(column: Column, moment: sql.Composable) -> Rule:
    condition = sql.SQL("({0} < {1} OR {0} >= {2})").format(
        moment, sql.Literal(_FIRST_DAY), sql.Literal(_DAY_AFTER)
    )
    shown = sql.SQL("{}::text").format(sql.Identifier(column.name))
    return Rule(condition, column.name, "is not within the years 1 to 9999", shown)


def _symbol_rules(column: Column, value: sql.Identifier) -> Iterator[Rule]:
    """What has no symbol can be neither priced nor told from another."""
    if column.name == "symbol":
        # Nearly all begin with a letter, which is told faster.
        condition = sql.SQL("{0} COLLATE \"C\" NOT BETWEEN '!' AND '~' AND {0} !~ {1}").format(
            value, sql.Literal(_SEEN)
        )
        yield Rule(condition, column.name, "is empty")


def _invalid(value: sql.Composable, type_name: str) -> sql.Composable:
    return sql.SQL("NOT pg_input_is_valid({}, {})").format(value, sql.Literal(type_name))


def _is_not(column: Column) -> str:
    if column.type_name in _DATES:
        return "is not a date" if column.type_name == "date" else "is not an ISO date and time"
    return f"is not {column.type_name}"


def _holds_no_text(column: Column) -> bool:
    return column.type_oid < FIRST_USER_TYPE_OID and column.type_name.startswith(_NO_TEXT)


def _is_numeric(column: Column) -> bool:
    return column.type_name.startswith("numeric")


def _shown(value: sql.Composable) -> sql.Composable:
    """A value short enough for a line; an empty text in quotes, since it would not be seen."""
    return sql.SQL("coalesce(nullif(left({}, {}), ''), '\"\"')").format(
        value, sql.Literal(SHOWN_CHARACTERS)
    )
