"""Images are rendered when they are first asked for: whether one can be is told apart from whether it was.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

rendered = sa.text("UPDATE instance SET renderable = :yes WHERE rendered_digest IS NOT NULL").bindparams(yes=True)


def upgrade() -> None:
    """Add a column with a default: the code before this revision goes on without it."""
    op.add_column("instance", sa.Column("renderable", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(rendered)


def downgrade() -> None:
    """Refuse where the code before this revision would take an image that was never asked for for none."""
    waiting = sa.text("SELECT count(*) FROM instance WHERE renderable AND rendered_digest IS NULL")
    if op.get_bind().scalar(waiting):
        raise RuntimeError("images are stored that were never rendered; the code before 0007 cannot show them")
    op.drop_column("instance", "renderable")
