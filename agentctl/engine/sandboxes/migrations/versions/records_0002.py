"""Who wrote a playbook: nobody that is known, for those that were there before."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "records_0002"
down_revision = "records_0001"
branch_labels: None = None
depends_on: None = None

TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Gives playbooks an author."""
    op.add_column("playbooks", sa.Column("author", TEXT, nullable=True))
