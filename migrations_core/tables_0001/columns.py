"""Types and defaults that most tables of this revision share. Frozen with the revision."""

import sqlalchemy as sa

TIMESTAMPTZ = sa.DateTime(timezone=True)
NOW = sa.text("now()")
GENERATED_UUID = sa.text("gen_random_uuid()")
