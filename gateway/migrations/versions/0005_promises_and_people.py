"""promises, issues, information, comments; second factors, sessions and the audit log"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """promises and people."""
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member", sa.Integer(), nullable=True),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("of", sa.Text(), server_default="{}", nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("commune", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["staff.id"], name=op.f("fk_audit_log_member")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index("ix_audit_log_at", ["at"], unique=False)
        batch_op.create_index("ix_audit_log_member", ["member", "id"], unique=False)

    op.create_table(
        "invitations",
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["by"], ["staff.id"], name=op.f("fk_invitations_by")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_invitations_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_invitations")),
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitations_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "staff_codes",
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_codes_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("staff_id", "code", name=op.f("pk_staff_codes")),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("browser", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_sessions_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_sessions")),
    )
    with op.batch_alter_table("staff_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_sessions_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "comments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("service_id", sa.Text(), nullable=True),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("words_key", sa.Integer(), nullable=True),
        sa.Column("same", sa.LargeBinary(length=16), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("verdict", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("text", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("decided", sa.Date(), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("verdict IN ('waiting', 'approved', 'turned down')", name=op.f("ck_comments_verdict")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_comments_commune")),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_comments_decided_by")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_comments_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        sa.UniqueConstraint("same", name=op.f("uq_comments_same")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index("ix_comments_verdict", ["verdict", "month"], unique=False)

    op.create_table(
        "group_issues",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("to_whom", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("solved", sa.Text(), server_default="open", nullable=False),
        sa.Column("done", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("solved IN ('open', 'partly', 'fully')", name=op.f("ck_group_issues_solved")),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_group_issues_author")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_group_issues_commune")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_group_issues_group_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_issues")),
    )
    with op.batch_alter_table("group_issues", schema=None) as batch_op:
        batch_op.create_index("ix_group_issues_since", ["since"], unique=False)

    op.create_table(
        "information",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("service_id", sa.Text(), nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "about IN ('fees', 'hours', 'papers', 'budget', 'notice', 'other')", name=op.f("ck_information_about")
        ),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_information_author")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_information_commune")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_information_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_information")),
    )
    with op.batch_alter_table("information", schema=None) as batch_op:
        batch_op.create_index("ix_information_commune", ["commune"], unique=False)

    op.create_table(
        "commitments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("forum", sa.Integer(), nullable=True),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("responsible", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("place", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("quantity", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("starts", sa.Date(), nullable=True),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("beneficiaries", sa.Integer(), nullable=True),
        sa.Column("beneficiaries_female", sa.Integer(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("standing", sa.Text(), server_default="planned", nullable=False),
        sa.Column("shown", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("currency IN ('USD', 'KHR')", name=op.f("ck_commitments_currency")),
        sa.CheckConstraint(
            "standing IN ('planned', 'under way', 'done', 'dropped')", name=op.f("ck_commitments_standing")
        ),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_commitments_author")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_commitments_commune")),
        sa.ForeignKeyConstraint(["forum"], ["forums.id"], name=op.f("fk_commitments_forum")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_commitments_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
    )
    with op.batch_alter_table("commitments", schema=None) as batch_op:
        batch_op.create_index("ix_commitments_commune", ["commune", "due"], unique=False)

    op.create_table(
        "information_reads",
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["page"], ["information.id"], name=op.f("fk_information_reads_page"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("page", "month", "channel", name=op.f("pk_information_reads")),
    )
    op.create_table(
        "issue_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issue", sa.Integer(), nullable=False),
        sa.Column("solved", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["staff.id"], name=op.f("fk_issue_changes_by")),
        sa.ForeignKeyConstraint(
            ["issue"], ["group_issues.id"], name=op.f("fk_issue_changes_issue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_changes")),
    )
    with op.batch_alter_table("issue_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issue_changes_issue"), ["issue"], unique=False)

    op.create_table(
        "checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("opened", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("closed", sa.Date(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["commitment"], ["commitments.id"], name=op.f("fk_checks_commitment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
    )
    with op.batch_alter_table("checks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_checks_commitment"), ["commitment"], unique=False)
        batch_op.create_index(
            "uq_checks_open",
            ["commitment"],
            unique=True,
            sqlite_where=sa.text("closed IS NULL"),
            postgresql_where=sa.text("closed IS NULL"),
        )

    op.create_table(
        "commitment_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["staff.id"], name=op.f("fk_commitment_changes_by")),
        sa.ForeignKeyConstraint(
            ["commitment"], ["commitments.id"], name=op.f("fk_commitment_changes_commitment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_changes")),
    )
    with op.batch_alter_table("commitment_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_commitment_changes_commitment"), ["commitment"], unique=False)

    op.create_table(
        "commitment_sources",
        sa.Column("commitment", sa.Integer(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commitment"], ["commitments.id"], name=op.f("fk_commitment_sources_commitment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("commitment", "place", name=op.f("pk_commitment_sources")),
    )
    op.create_table(
        "check_answers",
        sa.Column("check_id", sa.Integer(), nullable=False),
        sa.Column("rater", sa.LargeBinary(length=16), nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("choice", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("choice BETWEEN 1 AND 4", name=op.f("ck_check_answers_choice")),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], name=op.f("fk_check_answers_check_id")),
        sa.PrimaryKeyConstraint("check_id", "rater", name=op.f("pk_check_answers")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("check_answers", schema=None) as batch_op:
        batch_op.create_index("ix_check_answers_phone", ["check_id", "phone"], unique=False)

    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("commitment", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_broadcasts_commitment"), ["commitment"], unique=False)
        batch_op.create_index(
            "ix_broadcasts_waiting",
            ["created"],
            unique=False,
            sqlite_where=sa.text("stage = 'waiting'"),
            postgresql_where=sa.text("stage = 'waiting'"),
        )
        batch_op.create_foreign_key(batch_op.f("fk_broadcasts_commitment"), "commitments", ["commitment"], ["id"])

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("checks", sa.Text(), server_default=sa.text("('')"), nullable=False))

    with op.batch_alter_table("council_replies", schema=None) as batch_op:
        batch_op.add_column(sa.Column("commitment", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_council_replies_commitment"), "commitments", ["commitment"], ["id"])

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_unconfirmed",
            ["created"],
            unique=False,
            sqlite_where=sa.text("state = 'unconfirmed'"),
            postgresql_where=sa.text("state = 'unconfirmed'"),
        )

    with op.batch_alter_table("provider_health", schema=None) as batch_op:
        batch_op.add_column(sa.Column("accepted", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("services", schema=None) as batch_op:
        batch_op.add_column(sa.Column("comments", sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.add_column(sa.Column("factor_set", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("factor", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("factor_key", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("factor_step", sa.Integer(), server_default="0", nullable=False))
