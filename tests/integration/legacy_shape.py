"""A database in the old shape, as far as the chains look at it."""

from sqlalchemy import create_engine, pool
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.connection import connect


def make_legacy(url: URL) -> None:
    """Make all tables in one database, stamped by the two heads of the old chain."""
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    engine = create_engine(url, poolclass=pool.NullPool)
    Base.metadata.create_all(engine)
    AiBase.metadata.create_all(engine)
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE TABLE tags (id uuid PRIMARY KEY)")
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('k8l9m0n1o2p3'), ('n0o1p2q3r4s5')")
