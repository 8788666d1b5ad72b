"""talks that change in place: no index on what changes with every step, and room for the new row beside the old one"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """PostgreSQL writes a row anew at each step: beside the old one, and not into each index, where it can."""
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_conversations_caller"))
        batch_op.drop_index(batch_op.f("ix_conversations_round_id"))
        batch_op.create_index(batch_op.f("ix_conversations_caller"), ["caller"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text("ALTER TABLE conversations SET (fillfactor = 60)"))
