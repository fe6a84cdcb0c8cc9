"""Feedback threads and their letters, conversations, bans, broadcasts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bans",
        sa.Column("telegram_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("telegram_id", name=op.f("pk_bans")),
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("source_message_id", sa.BigInteger(), nullable=False),
        sa.Column("status_message_id", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    op.create_table(
        "conversations",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_conversations_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_conversations")),
    )
    op.create_table(
        "feedback_threads",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("contact", sa.String(length=256), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_feedback_threads_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_threads")),
    )
    with op.batch_alter_table("feedback_threads", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_feedback_threads_closed_at_id"), ["closed_at", "id"], unique=False
        )

    op.create_table(
        "feedback_letters",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("thread_id", ROW_ID, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("is_from_team", sa.Boolean(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("source_chat_id", sa.BigInteger(), nullable=False),
        sa.Column("source_message_id", sa.BigInteger(), nullable=False),
        sa.Column("ack_message_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_code", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["feedback_threads.id"],
            name=op.f("fk_feedback_letters_thread_id_feedback_threads"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_feedback_letters_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_letters")),
        sa.UniqueConstraint(
            "source_chat_id",
            "source_message_id",
            name=op.f("uq_feedback_letters_source_chat_id_source_message_id"),
        ),
    )
    with op.batch_alter_table("feedback_letters", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_feedback_letters_user_id_created_at"), ["user_id", "created_at"], unique=False
        )


def downgrade() -> None:
    # Their messages stay written down; without the letters nobody could carry on with the jobs.
    op.execute(
        "UPDATE messages_sent SET job_id = NULL WHERE job_id IN "
        "(SELECT id FROM jobs WHERE kind IN ('letter', 'notice', 'broadcast', 'stats'))"
    )
    op.execute("DELETE FROM jobs WHERE kind IN ('letter', 'notice', 'broadcast', 'stats')")
    with op.batch_alter_table("feedback_letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feedback_letters_user_id_created_at"))

    op.drop_table("feedback_letters")
    with op.batch_alter_table("feedback_threads", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feedback_threads_closed_at_id"))

    op.drop_table("feedback_threads")
    op.drop_table("conversations")
    op.drop_table("broadcasts")
    op.drop_table("bans")
