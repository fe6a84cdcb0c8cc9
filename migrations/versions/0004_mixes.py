"""Mixes in the making."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mixes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("menu_message_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("candidates", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("chosen", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("file_id", sa.String(length=256), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_mixes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mixes")),
    )
    with op.batch_alter_table("mixes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mixes_user_id_id"), ["user_id", "id"], unique=False)


def downgrade() -> None:
    op.execute(
        "UPDATE messages_sent SET job_id = NULL WHERE job_id IN "
        "(SELECT id FROM jobs WHERE kind IN ('mix', 'mix_plan', 'mix_preview', 'tracklist'))"
    )
    op.execute("DELETE FROM jobs WHERE kind IN ('mix', 'mix_plan', 'mix_preview', 'tracklist')")
    with op.batch_alter_table("mixes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mixes_user_id_id"))
    op.drop_table("mixes")
