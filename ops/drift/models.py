"""Alembic's own comparison of the models with a database."""

import threading
import warnings
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, pool
from sqlalchemy.engine import URL
from sqlalchemy.exc import SAWarning

from app.chain_folders import ChainName
from app.models import AiBase, Base
from ops.connection import connect
from ops.drift.difference import Difference, difference

# Two threads that change and restore warning filters at once may leave the wrong ones behind.
_FILTERS_ARE_GLOBAL = threading.Lock()


def model_differences(
    url: URL, chain: ChainName, named_tables: Collection[str]
) -> list[Difference]:
    """What Alembic would write into a new revision, of tables that are not named already.

    The catalogue sees all that Alembic sees of a table and more; this adds only a model that was
    changed without a revision. Of some damage (an identity in the place of a default) Alembic
    1.20.1 ends with an AssertionError.
    """
    metadata = Base.metadata if chain == "core" else AiBase.metadata
    compared = metadata.tables.keys() - set(named_tables)
    return [
        difference("models", _table_name(operation), None, _in_words(operation))
        for operation in _flattened(_proposed(url, metadata, compared))
    ]


def _proposed(url: URL, metadata: MetaData, tables: Collection[str]) -> list[Any]:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=partial(connect, url, application_name="drift", read_only=True),
        poolclass=pool.NullPool,
    )
    options = {
        "compare_server_default": True,
        "include_object": lambda _object, name, kind, *_: kind != "table" or name in tables,
    }
    with _FILTERS_ARE_GLOBAL, engine.connect() as connection, warnings.catch_warnings():
        # Of an expression index it says that it cannot compare it: the catalogue does.
        warnings.simplefilter("ignore", SAWarning)
        warnings.simplefilter("ignore", UserWarning)
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )


def _flattened(operations: list[Any]) -> Iterator[tuple[Any, ...]]:
    for operation in operations:
        if isinstance(operation, list):
            yield from operation
        else:
            yield operation


def _table_name(operation: tuple[Any, ...]) -> str:
    verb, subject = operation[0], operation[1]
    if verb.endswith("_column") or verb.startswith("modify_"):
        return str(operation[2])
    return str(getattr(subject, "table", subject).name)


def _in_words(operation: tuple[Any, ...]) -> str:
    verb, *subjects = operation
    if verb.startswith("modify_"):
        return f"{verb.replace('_', ' ')} of {operation[3]}: {operation[5]} to {operation[6]}"
    return f"{verb.replace('_', ' ')} {subjects[-1].name}"
