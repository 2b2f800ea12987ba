"""${message}.

Safety: the backend that is serving runs on the schema before AND after this revision.
- Add columns as nullable or with a constant default; fill them in a later step.
- Drop or rename in two releases: first stop using it, then remove it.
- Index a filled table with CREATE INDEX CONCURRENTLY inside `op.get_context().autocommit_block()`,
  and drop an invalid index of that name first: `if_not_exists` would keep it.
- Add a foreign key or check as NOT VALID, validate it in a later revision.
- Locks are awaited for 5 s, statements run for 60 s. A revision that needs longer says so:
  `op.execute("SET LOCAL statement_timeout = '30min'")`.
- Import nothing of `app.models`: it moves on, a revision does not.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision: str = ${repr(up_revision).replace("'", '"')}
down_revision: str | None = ${repr(down_revision).replace("'", '"')}
branch_labels: str | None = ${repr(branch_labels)}
depends_on: str | None = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
