"""${message}."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import tables

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """The schema before it."""
    ${downgrades if downgrades else "pass"}
