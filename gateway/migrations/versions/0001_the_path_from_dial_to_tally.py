"""the path from dial to tally"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """the path from dial to tally."""
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "places",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("name_km", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.CheckConstraint("level IN ('province', 'district', 'commune', 'village')", name=op.f("ck_places_level")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_places")),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("opened", sa.Date(), nullable=False),
        sa.Column("closed", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name_km", sa.Text(), nullable=False),
        sa.Column("name_latn", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("number BETWEEN 1 AND 7 OR number BETWEEN 10 AND 99", name=op.f("ck_services_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("number", name=op.f("uq_services_number")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("one_time", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("language", sa.Text(), server_default="km", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("last_login", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('admin', 'staff', 'council', 'volunteer')", name=op.f("ck_staff_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("name", name=op.f("uq_staff_name")),
    )
    op.create_table(
        "communes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["places.code"], name=op.f("fk_communes_code")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_communes")),
        sa.UniqueConstraint("number", name=op.f("uq_communes_number")),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("caller", sa.LargeBinary(length=16), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Integer(), nullable=False),
        sa.Column("transcript", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("ended", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("rated", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("resumed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("touched", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_conversations_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("provider", "session", name=op.f("uq_conversations_provider_session")),
    )
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.create_index("ix_conversations_caller", ["caller", "touched"], unique=False)
        batch_op.create_index(batch_op.f("ix_conversations_round_id"), ["round_id"], unique=False)

    op.create_table(
        "round_services",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_round_services_round_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_round_services_service_id")),
        sa.PrimaryKeyConstraint("round_id", "service_id", name=op.f("pk_round_services")),
    )
    op.create_table(
        "answers",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("rater", sa.LargeBinary(length=16), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("phone", sa.LargeBinary(length=16), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.CheckConstraint("score BETWEEN 1 AND 5", name=op.f("ck_answers_score")),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_answers_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_answers_round_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_answers_service_id")),
        sa.PrimaryKeyConstraint("round_id", "rater", "service_id", "indicator", name=op.f("pk_answers")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.create_index("ix_answers_phone", ["round_id", "phone"], unique=False)
        batch_op.create_index("ix_answers_tally", ["commune", "round_id", "service_id", "indicator"], unique=False)

    op.create_table(
        "callers",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_callers_commune")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_callers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "round_communes",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["communes.code"], name=op.f("fk_round_communes_commune")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_round_communes_round_id")),
        sa.PrimaryKeyConstraint("round_id", "commune", name=op.f("pk_round_communes")),
    )
    with op.batch_alter_table("round_communes", schema=None) as batch_op:
        batch_op.create_index("uq_round_communes_number", ["commune", "number"], unique=True)
        batch_op.create_index(
            "uq_round_communes_open",
            ["commune"],
            unique=True,
            sqlite_where=sa.text("open"),
            postgresql_where=sa.text("open"),
        )
