"""Where in the old database the installation's tables are, and whether they can all be read.

The catalogue is asked over all schemas, since an unqualified name means what the role's search_path
and privileges make of it: a table that is not seen would count as one without rows.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import psycopg
from sqlalchemy.engine import URL

from ops.connection import rows_as, schema_within, shown_address
from ops.errors import ConfigurationError
from ops.sql_files import statement

# The schema that holds all of these is the installation's.
INSTALLATION = frozenset({"users", "portfolios", "positions"})


class LegacySchemaError(ConfigurationError):
    """It cannot be told which tables of the old database are meant, or one cannot be read."""


class NoInstallationError(LegacySchemaError):
    """No schema of the database holds what is looked for."""


@dataclass(frozen=True)
class FoundRelation:
    """A table or view that bears a wanted name, in whatever spelling.

    Attributes:
        reachable: whether the session may use its schema.
        readable: whether it may select from it, given that.
    """

    schema: str
    name: str
    reachable: bool = True
    readable: bool = True
    columns: Sequence[str] = ()

    @property
    def meant(self) -> str:
        """The wanted name that it bears."""
        return self.name.lower()

    def __str__(self) -> str:
        return f"{_quoted(self.schema)}.{_quoted(self.name)}"


@dataclass(frozen=True)
class LegacySchema:
    """Where the installation's tables are.

    Attributes:
        tables: those of the wanted ones that are there.
        namesakes: relations of wanted names elsewhere, which are not read.
    """

    name: str
    tables: frozenset[str]
    namesakes: tuple[FoundRelation, ...] = ()

    def namesakes_of(self, table: str) -> tuple[str, ...]:
        """Those that bear the name of one table."""
        return tuple(str(one) for one in self.namesakes if one.meant == table)


def enter_legacy(connection: psycopg.Connection, url: URL, wanted: Collection[str]) -> LegacySchema:
    """Find the installation's schema and put it first on the session's search_path, before what
    was there, so that types of extensions are found too.

    Args:
        wanted: the tables that will be read, as our models call them. Where none of them is the
            users' own, a database that holds nothing else will do.

    Raises:
        NoInstallationError: none of them is there.
        LegacySchemaError: there are several installations, or a wanted table is spelt otherwise,
            elsewhere or not readable; the message says what to do.
    """
    names = {"names": sorted(INSTALLATION.union(wanted))}
    found = rows_as(FoundRelation, connection, statement("legacy_tables"), names)
    search = Search(
        found, frozenset(wanted), schema_within(url), shown_address(url), connection.info.user
    )
    place = search.result()
    connection.execute(
        "SELECT set_config('search_path', concat_ws(', ', quote_ident(%s),"
        " nullif(current_setting('search_path'), '')), false)",
        [place.name],
    )
    return place


@dataclass(frozen=True)
class Search:
    """The rules by which the schema is told.

    Attributes:
        wanted: the tables that will be read.
        chosen: the schema that the operator has named; None where he has not.
        address: how the database is called in messages.
        role: who reads.
    """

    found: Sequence[FoundRelation]
    wanted: frozenset[str]
    chosen: str | None = None
    address: str = "legacy"
    role: str = "reader"

    def result(self) -> LegacySchema:
        """The schema. Raises what `enter_legacy` raises."""
        home = self._home()
        here = [one for one in self.found if one.schema == home and one.meant in self.wanted]
        tables = frozenset(one.name for one in here if one.name == one.meant)
        self._refuse_other_spellings(here, tables)
        self._refuse_unreadable([one for one in here if one.name in tables])
        if self.chosen is None:
            self._refuse_strays(home, tables)
        others = (one for one in self.found if one.schema != home or one.name != one.meant)
        return LegacySchema(home, tables, tuple(others))

    @cached_property
    def _held(self) -> dict[str, set[str]]:
        """Schema → which wanted names are in it."""
        held: dict[str, set[str]] = {}
        for one in self.found:
            held.setdefault(one.schema, set()).add(one.meant)
        return held

    def _home(self) -> str:
        if self.chosen is not None:
            return self._chosen_home(self.chosen)
        whole = [schema for schema, names in self._held.items() if names >= INSTALLATION]
        homes = whole or [schema for schema in self._held if self._will_do(schema)]
        if len(homes) > 1:
            raise LegacySchemaError(
                f"{self.address} holds {self._needed} in more than one schema ({_and(homes)}); "
                "say by LEGACY_SCHEMA which is meant"
            )
        if not homes:
            advice = "bring them into one schema, by views if need be"
            if not self.found:
                advice = "where it is new, fill it by `sigmasight restore-legacy FILE`"
            raise NoInstallationError(
                f"{self.address} has no schema with {self._needed}{self._seen()}; "
                f"correct LEGACY_DATABASE_URL, or {advice}"
            )
        return homes[0]

    def _chosen_home(self, chosen: str) -> str:
        if not self._will_do(chosen):
            raise NoInstallationError(
                f"schema {chosen!r} of {self.address} does not hold {self._needed}{self._seen()}; "
                "correct LEGACY_SCHEMA"
            )
        return chosen

    def _will_do(self, schema: str) -> bool:
        names = self._held.get(schema, set())
        if self.wanted & INSTALLATION:
            return names >= INSTALLATION
        return bool(names & self.wanted)

    @property
    def _needed(self) -> str:
        if self.wanted & INSTALLATION:
            return _and(sorted(INSTALLATION))
        return f"any of {', '.join(sorted(self.wanted))}"

    def _seen(self) -> str:
        """Where some are nevertheless, in brackets; empty where nothing is."""
        needed = INSTALLATION if self.wanted & INSTALLATION else self.wanted
        found = ", ".join(str(one) for one in self.found if one.meant in needed)
        return f" (there is {found})" if found else ""

    def _refuse_other_spellings(self, here: Sequence[FoundRelation], exact: frozenset[str]) -> None:
        spelt = [f"{one} for {one.meant}" for one in here if one.meant not in exact]
        for one in here:
            if one.name == one.meant:
                spelt += [f"{column} of {one}" for column in _respelt_columns(one)]
        if spelt:
            raise LegacySchemaError(
                f"{self.address} spells names otherwise than the application: {', '.join(spelt)}; "
                "they would be left out, so rename them, or make a view of the right names"
            )

    def _refuse_unreadable(self, here: Sequence[FoundRelation]) -> None:
        closed = [one for one in here if not (one.reachable and one.readable)]
        if closed:
            raise LegacySchemaError(
                f"{self.address}: role {self.role!r} may not read {_and(list(map(str, closed)))}; "
                f"say there: {'; '.join(self._grants(closed))}"
            )

    def _grants(self, closed: Sequence[FoundRelation]) -> Iterator[str]:
        role = _quoted(self.role)
        if not all(one.reachable for one in closed):
            yield f"GRANT USAGE ON SCHEMA {_quoted(closed[0].schema)} TO {role}"
        if tables := [str(one) for one in closed if not one.readable]:
            yield f"GRANT SELECT ON {', '.join(tables)} TO {role}"

    def _refuse_strays(self, home: str, tables: frozenset[str]) -> None:
        """A table that the installation's schema lacks may be kept elsewhere, or be a stranger's;
        only the operator knows."""
        strays = [str(one) for one in self.found if one.meant in self.wanted - tables]
        if strays:
            raise LegacySchemaError(
                f"{self.address} has {_and(strays)} outside of schema {home}; "
                f"make views of them there, or leave them out by LEGACY_SCHEMA={home}"
            )


def _respelt_columns(relation: FoundRelation) -> Iterator[str]:
    """Columns of a model's name in another spelling, where the right one is not there."""
    # Only here: the models take longer to import than a look at the catalogue.
    from app.models import AiBase, Base

    metadata = AiBase.metadata if relation.name in AiBase.metadata.tables else Base.metadata
    declared = {column.name for column in metadata.tables[relation.name].columns}
    lacking = declared.difference(relation.columns)
    return (_quoted(name) for name in relation.columns if name.lower() in lacking)


def _quoted(name: str) -> str:
    """A name as SQL reads it."""
    plain = name == name.lower() and name.isascii() and name.isidentifier()
    return name if plain else '"{}"'.format(name.replace('"', '""'))


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
