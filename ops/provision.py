"""What a database needs before its chain runs: roles, the database, extensions, schema ops."""

from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.books.marker import Role, ensure_bookkeeping
from ops.connection import connect, first_value, session_at

OWNER, APP, READONLY = "sigmasight_owner", "sigmasight_app", "sigmasight_readonly"


@dataclass(frozen=True)
class DatabaseSpec:
    """A database to be made.

    Attributes:
        marker: which half of a pair it is; None for a database that is not ours (legacy).
        extensions: what only a superuser can create, so that no migration has to.
    """

    database: str
    marker: Role | None
    extensions: tuple[str, ...]


@dataclass(frozen=True)
class Passwords:
    """One password per login role."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    readonly: str = field(repr=False)


def provision(creator: Callable[[str], URL], spec: DatabaseSpec, passwords: Passwords) -> None:
    """Make roles, database, extensions and bookkeeping on a server. Idempotent.

    Args:
        creator: the address of a database, by name, of the superuser or of a role that may make
            databases and roles.

    Raises:
        ConfigurationError: the role may not, or the server offers no such extension to it.
    """
    with connect(creator("postgres"), application_name="provision", autocommit=True) as server:
        _ensure_role(server, OWNER, passwords.owner)
        _ensure_role(server, APP, passwords.app)
        _ensure_role(server, READONLY, passwords.readonly)
        _become_member(server, OWNER)
        _ensure_database(server, spec.database)
    url = creator(spec.database)
    with session_at(url, "provision") as database:
        _grant(database, spec)
        database.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
        if spec.marker is not None:
            ensure_bookkeeping(database, spec.marker)


def _ensure_role(server: psycopg.Connection, role: str, password: str) -> None:
    known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    # The server sees only the verifier, so that no log of statements can hold the password.
    verifier = server.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    command = "ALTER ROLE {} LOGIN PASSWORD {}" if known else "CREATE ROLE {} LOGIN PASSWORD {}"

    def set_to(secret: str) -> None:
        server.execute(sql.SQL(command).format(sql.Identifier(role), sql.Literal(secret)))

    try:
        set_to(verifier)
    except psycopg.Error as error:
        if "plaintext password" not in str(error):  # as Neon says it
            raise
        set_to(password)


def _become_member(server: psycopg.Connection, role: str) -> None:
    """Who made a role may administer it since PostgreSQL 16, but neither act as it nor give it a
    database; a superuser may do all that."""
    if not first_value(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        detailed = " WITH INHERIT TRUE, SET TRUE" if server.info.server_version >= 160000 else ""
        grant = sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role))
        server.execute(grant + sql.SQL(detailed))


def _ensure_database(server: psycopg.Connection, database: str) -> None:
    found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
    if found is None:
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'")
        server.execute(statement.format(sql.Identifier(database), sql.Identifier(OWNER)))


def _grant(database: psycopg.Connection, spec: DatabaseSpec) -> None:
    for extension in spec.extensions:
        statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}")
        database.execute(statement.format(sql.Identifier(extension)))
    names = {
        "database": sql.Identifier(spec.database),
        "owner": sql.Identifier(OWNER),
        "app": sql.Identifier(APP),
        "readonly": sql.Identifier(READONLY),
    }
    for grant in _GRANTS:
        database.execute(sql.SQL(grant).format(**names))


_GRANTS = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {owner}, {app}, {readonly}",
    "GRANT CREATE ON DATABASE {database} TO {owner}",
    # So that it may end a session of the backend whose process was stopped in a write.
    "GRANT {app} TO {owner}",
    "ALTER SCHEMA public OWNER TO {owner}",
    "GRANT USAGE ON SCHEMA public TO {app}, {readonly}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public "
    "GRANT SELECT ON TABLES TO {readonly}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public "
    "GRANT USAGE, SELECT ON SEQUENCES TO {app}",
)
