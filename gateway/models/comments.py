"""Comments: what people wrote in their own words, without their number, until somebody has read and cleaned it.

A comment has no number, no minute and no place in an order: it comes under a random id, with the month. What was
written lies sealed until it is approved or turned down; then only the cleaned text stays, or nothing.
"""

from __future__ import annotations

import enum

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.models.base import Hash, metadata


class Verdict(enum.StrEnum):
    """What became of a comment."""

    WAITING = "waiting"
    APPROVED = "approved"
    TURNED_DOWN = "turned down"


comments = Table(
    "comments",
    metadata,
    Column("id", Text, primary_key=True),  # random
    Column("commune", ForeignKey("communes.code")),  # None: not known
    Column("service_id", ForeignKey("services.id")),  # None: staff find it out
    Column("month", Date, nullable=False),  # its first day
    Column("words", LargeBinary),  # as written, sealed; gone once somebody decided
    Column("words_key", Integer),
    Column("same", Hash, nullable=False),  # of the text, under a key: who sends it forty times is read once
    Column("times", Integer, nullable=False, server_default="1"),
    Column("verdict", Text, nullable=False, server_default=Verdict.WAITING),
    Column("text", Text, nullable=False, server_default=text("''")),  # as approved
    Column("decided", Date),
    Column("decided_by", ForeignKey("staff.id")),
    UniqueConstraint("same"),
    CheckConstraint(f"verdict IN ({', '.join(repr(str(one)) for one in Verdict)})", name="verdict"),
    sqlite_with_rowid=False,
)
Index("ix_comments_verdict", comments.c.verdict, comments.c.month)
