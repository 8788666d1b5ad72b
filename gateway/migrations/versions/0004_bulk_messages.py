"""bulk messages and the scorecard: contacts, broadcasts, forums, polls, indicators, volunteers, releases"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """bulk messages."""
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_groups_name")),
    )
    op.create_table(
        "paces",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("segments", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_paces")),
    )
    op.create_table(
        "periods",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("done", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("task", "period", name=op.f("pk_periods")),
    )
    op.create_table(
        "rollup_state",
        sa.Column("until", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("until", name=op.f("pk_rollup_state")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("number_key", sa.Integer(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("address", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("consent", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.CheckConstraint("role IN ('person', 'institution', 'councillor')", name=op.f("ck_contacts_role")),
        sa.ForeignKeyConstraint(["commune"], ["places.code"], name=op.f("fk_contacts_commune")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("phone", name=op.f("uq_contacts_phone")),
    )
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.create_index("ix_contacts_commune_role", ["commune", "role"], unique=False)

    op.create_table(
        "indicators",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("text_km", sa.Text(), nullable=False),
        sa.Column("text_latn", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_indicators_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicators")),
    )
    with op.batch_alter_table("indicators", schema=None) as batch_op:
        batch_op.create_index("ix_indicators_service", ["service_id", "place"], unique=False)

    op.create_table(
        "polls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("closes", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_polls_author")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_polls")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("staff", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_key", sa.Integer(), nullable=False),
        sa.Column("brought", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_uploads_staff"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_brought"), ["brought"], unique=False)
        batch_op.create_index(batch_op.f("ix_uploads_staff"), ["staff"], unique=False)

    op.create_table(
        "blocks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), server_default="overall", nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("numbers", sa.Integer(), nullable=False),
        sa.Column("female", sa.Integer(), nullable=False),
        sa.Column("young", sa.Integer(), server_default="0", nullable=False),
        sa.Column("n1", sa.Integer(), nullable=False),
        sa.Column("n2", sa.Integer(), nullable=False),
        sa.Column("n3", sa.Integer(), nullable=False),
        sa.Column("n4", sa.Integer(), nullable=False),
        sa.Column("n5", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_blocks_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_blocks_round_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_blocks_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
        sa.UniqueConstraint(
            "commune",
            "round_id",
            "service_id",
            "indicator",
            "last",
            name=op.f("uq_blocks_commune_round_id_service_id_indicator_last"),
        ),
    )
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index("ix_blocks_round_id", ["round_id"], unique=False)

    op.create_table(
        "council_replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("read_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_council_replies_author")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_council_replies_commune")),
        sa.ForeignKeyConstraint(["read_by"], ["staff.id"], name=op.f("fk_council_replies_read_by")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_council_replies_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_council_replies")),
    )
    with op.batch_alter_table("council_replies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_council_replies_received"), ["received"], unique=False)

    op.create_table(
        "forums",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("inviter", sa.Text(), nullable=False),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("callback", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("groups", sa.Text(), server_default="[]", nullable=False),
        sa.Column("reminders", sa.Text(), server_default='["week","eve","morning"]', nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("moved_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attended", sa.Integer(), nullable=True),
        sa.Column("attended_female", sa.Integer(), nullable=True),
        sa.Column("attended_male", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="{}", nullable=False),
        sa.Column("coming", sa.Integer(), nullable=True),
        sa.Column("replied", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_forums_author")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_forums_commune")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forums")),
    )
    with op.batch_alter_table("forums", schema=None) as batch_op:
        batch_op.create_index("ix_forums_commune_starts", ["commune", "starts"], unique=False)

    op.create_table(
        "group_members",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_group_members_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_group_members_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "contact_id", name=op.f("pk_group_members")),
    )
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_members_contact_id"), ["contact_id"], unique=False)

    op.create_table(
        "near_numbers",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("near", sa.LargeBinary(length=16), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("numbers", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_near_numbers_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_near_numbers_round_id")),
        sa.PrimaryKeyConstraint("round_id", "near", "commune", "day", name=op.f("pk_near_numbers")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("near_numbers", schema=None) as batch_op:
        batch_op.create_index(
            "ix_near_numbers_many",
            ["round_id", "day"],
            unique=False,
            sqlite_where=sa.text("numbers >= 5"),
            postgresql_where=sa.text("numbers >= 5"),
        )

    op.create_table(
        "poll_answers",
        sa.Column("poll_id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=False),
        sa.Column("choice", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("choice BETWEEN 1 AND 5", name=op.f("ck_poll_answers_choice")),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], name=op.f("fk_poll_answers_poll_id")),
        sa.PrimaryKeyConstraint("poll_id", "phone", name=op.f("pk_poll_answers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "released_phones",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), server_default="overall", nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_released_phones_round_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_released_phones_service_id")),
        sa.PrimaryKeyConstraint("round_id", "service_id", "indicator", "phone", name=op.f("pk_released_phones")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollups",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("n1", sa.Integer(), nullable=False),
        sa.Column("n2", sa.Integer(), nullable=False),
        sa.Column("n3", sa.Integer(), nullable=False),
        sa.Column("n4", sa.Integer(), nullable=False),
        sa.Column("n5", sa.Integer(), nullable=False),
        sa.Column("leads", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_rollups_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_rollups_round_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_rollups_service_id")),
        sa.PrimaryKeyConstraint(
            "commune", "round_id", "day", "service_id", "indicator", "who", "channel", name=op.f("pk_rollups")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "round_indicators",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("indicator_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["indicator_id"], ["indicators.id"], name=op.f("fk_round_indicators_indicator_id")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_round_indicators_round_id")),
        sa.PrimaryKeyConstraint("round_id", "indicator_id", name=op.f("pk_round_indicators")),
    )
    op.create_table(
        "round_sums",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("n1", sa.Integer(), nullable=False),
        sa.Column("n2", sa.Integer(), nullable=False),
        sa.Column("n3", sa.Integer(), nullable=False),
        sa.Column("n4", sa.Integer(), nullable=False),
        sa.Column("n5", sa.Integer(), nullable=False),
        sa.Column("leads", sa.Integer(), nullable=False),
        sa.Column("female", sa.Integer(), nullable=False),
        sa.Column("young", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_round_sums_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_round_sums_round_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_round_sums_service_id")),
        sa.PrimaryKeyConstraint("commune", "round_id", "service_id", "indicator", name=op.f("pk_round_sums")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "staff_communes",
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_staff_communes_commune")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_communes_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", "commune", name=op.f("pk_staff_communes")),
    )
    op.create_table(
        "stale_days",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_stale_days_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_stale_days_round_id")),
        sa.PrimaryKeyConstraint("commune", "round_id", "day", name=op.f("pk_stale_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "volunteers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=True),
        sa.Column("number", sa.LargeBinary(), nullable=True),
        sa.Column("number_key", sa.Integer(), nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_volunteers_commune")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_volunteers_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volunteers")),
        sa.UniqueConstraint("phone", name=op.f("uq_volunteers_phone")),
        sa.UniqueConstraint("staff_id", name=op.f("uq_volunteers_staff_id")),
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("forum", sa.Integer(), nullable=True),
        sa.Column("poll", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("author", sa.Integer(), nullable=True),
        sa.Column("editor", sa.Integer(), nullable=True),
        sa.Column("approver", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recipients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("price", sa.Float(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "stage IN ('draft', 'waiting', 'approved', 'paused', 'cancelled')", name=op.f("ck_broadcasts_stage")
        ),
        sa.ForeignKeyConstraint(["approver"], ["staff.id"], name=op.f("fk_broadcasts_approver")),
        sa.ForeignKeyConstraint(["author"], ["staff.id"], name=op.f("fk_broadcasts_author")),
        sa.ForeignKeyConstraint(["editor"], ["staff.id"], name=op.f("fk_broadcasts_editor")),
        sa.ForeignKeyConstraint(["forum"], ["forums.id"], name=op.f("fk_broadcasts_forum")),
        sa.ForeignKeyConstraint(["poll"], ["polls.id"], name=op.f("fk_broadcasts_poll")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
        sa.UniqueConstraint("key", name=op.f("uq_broadcasts_key")),
    )
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_broadcasts_created"), ["created"], unique=False)
        batch_op.create_index(batch_op.f("ix_broadcasts_forum"), ["forum"], unique=False)
        batch_op.create_index(batch_op.f("ix_broadcasts_poll"), ["poll"], unique=False)

    op.create_table(
        "forum_replies",
        sa.Column("forum_id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("number_key", sa.Integer(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("heads", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["forum_id"], ["forums.id"], name=op.f("fk_forum_replies_forum_id")),
        sa.PrimaryKeyConstraint("forum_id", "phone", name=op.f("pk_forum_replies")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recorded",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("volunteer_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("respondents", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_recorded_round_id")),
        sa.ForeignKeyConstraint(["volunteer_id"], ["volunteers.id"], name=op.f("fk_recorded_volunteer_id")),
        sa.PrimaryKeyConstraint("round_id", "volunteer_id", "day", name=op.f("pk_recorded")),
    )
    op.create_table(
        "weekly_letters",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("copy", sa.SmallInteger(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("broadcast", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["broadcast"], ["broadcasts.id"], name=op.f("fk_weekly_letters_broadcast")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_weekly_letters_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_weekly_letters_round_id")),
        sa.PrimaryKeyConstraint("commune", "week", "copy", name=op.f("pk_weekly_letters")),
    )
    with op.batch_alter_table("weekly_letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_weekly_letters_broadcast"), ["broadcast"], unique=False)
        batch_op.create_index("ix_weekly_letters_week", ["week", "commune"], unique=False)

    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("given", sa.SmallInteger(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("lead", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.drop_index(batch_op.f("ix_answers_tally"))
        batch_op.create_index("ix_answers_day", ["commune", "round_id", "day"], unique=False)
        batch_op.create_index(
            "ix_answers_often",
            ["round_id", "commune"],
            unique=False,
            sqlite_where=sa.text("given >= 10"),
            postgresql_where=sa.text("given >= 10"),
        )

    with op.batch_alter_table("callers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen", sa.Date(), nullable=True))

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rounds_before", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("who", sa.Text(), nullable=True))

    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.add_column(sa.Column("letter", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_inbound_answer"), ["answer"], unique=False)

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_messages_state"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_messages_state"),
            "state IN ('queued', 'held', 'claimed', 'sending', 'accepted', 'delivered', "
            "'undelivered', 'refused', 'expired', 'cancelled', 'unconfirmed')",
        )
        batch_op.add_column(sa.Column("language", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("broadcast", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("for_now", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("sent", sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column("phone", existing_type=sa.BLOB(), nullable=True)
        batch_op.alter_column("number", existing_type=sa.BLOB(), nullable=True)
        batch_op.alter_column("number_key", existing_type=sa.INTEGER(), nullable=True)
        batch_op.drop_index(batch_op.f("ix_messages_due"), sqlite_where=sa.text("state = 'queued'"))
        batch_op.create_index(
            "ix_messages_due",
            ["provider", "priority", "not_before"],
            unique=False,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            "ix_messages_expires",
            ["expires"],
            unique=False,
            sqlite_where=sa.text("state IN ('queued', 'held')"),
            postgresql_where=sa.text("state IN ('queued', 'held')"),
        )
        batch_op.create_index(
            "uq_messages_broadcast_phone",
            ["broadcast", "phone"],
            unique=True,
            sqlite_where=sa.text("broadcast IS NOT NULL"),
            postgresql_where=sa.text("broadcast IS NOT NULL"),
        )
        batch_op.create_foreign_key(batch_op.f("fk_messages_broadcast"), "broadcasts", ["broadcast"], ["id"])

    with op.batch_alter_table("round_communes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("forgotten", sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table("rounds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("until", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("council_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("public_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("published_by", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_rounds_published_by"), "staff", ["published_by"], ["id"])

    with op.batch_alter_table("services", schema=None) as batch_op:
        batch_op.add_column(sa.Column("short_km", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("short_latn", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("short_en", sa.Text(), server_default=sa.text("('')"), nullable=False))

    shorts = {
        "office": ("ឃុំ", "Khum", ""),
        "health": ("សុខភាព", "Sokhapheap", "Health"),
        "school": ("សាលា", "Sala", "School"),
        "window": ("ច្រកមួយ", "Chrok muoy", "One-window"),
        "police": ("ប៉ុស្តិ៍", "Post", "Police"),
    }
    services = sa.table("services", *(sa.column(name) for name in ("id", "short_km", "short_latn", "short_en")))
    for service, names in shorts.items():
        values = dict(zip(("short_km", "short_latn", "short_en"), names, strict=True))
        op.execute(services.update().where(services.c.id == service).values(values))
    # whoever was known before is forgotten a year from now, if they do not call
    callers = sa.table("callers", sa.column("seen", sa.Date()))
    op.execute(callers.update().values(seen=datetime.now(UTC).date().replace(day=1)))
    # of a number's answers on a service one leads
    op.execute(
        "UPDATE answers SET lead = (rater = (SELECT min(other.rater) FROM answers AS other"
        " WHERE other.round_id = answers.round_id AND other.phone = answers.phone"
        " AND other.service_id = answers.service_id AND other.indicator = answers.indicator))"
    )
