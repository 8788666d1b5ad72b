"""Broadcasts: one thing said to many. Its messages stand in the outbox; each goes once to a number."""

from __future__ import annotations

import enum

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    literal,
)

from gateway.models.base import Moment, metadata


class Stage(enum.StrEnum):
    """How far a broadcast is. Whether an approved one is finished is seen from its messages."""

    DRAFT = "draft"
    WAITING = "waiting"
    """For a second person's approval."""
    APPROVED = "approved"
    """Its messages are in the outbox, for now or for its start."""
    PAUSED = "paused"
    CANCELLED = "cancelled"


broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", Integer, primary_key=True),
    # what it is for, where it must not be written twice: "tally 010806 2026-W47", "forum 7 eve 1"
    Column("key", Text),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("texts", Text, nullable=False),  # JSON, by language
    Column("audience", Text, nullable=False),  # JSON
    Column("forum", ForeignKey("forums.id"), index=True),
    Column("poll", ForeignKey("polls.id"), index=True),
    Column("commitment", ForeignKey("commitments.id"), index=True),  # asked about, or what came of it
    Column("stage", Text, nullable=False),
    Column("author", ForeignKey("staff.id")),  # None: the clock, or the operator
    Column("editor", ForeignKey("staff.id")),  # who changed it last: as much an author
    Column("approver", ForeignKey("staff.id")),
    Column("created", Moment, nullable=False, index=True),
    Column("changed", Moment, nullable=False),  # no two states of one broadcast have the same
    Column("start", Moment),  # None, until it is approved: then at once
    Column("expires", Moment),  # None, until it is approved: `letters.LASTS` after its start
    Column("approved", Moment),
    Column("recipients", Integer, nullable=False, server_default="0"),
    Column("parts", Integer, nullable=False, server_default="0"),
    Column("price", Float, nullable=False, server_default="0"),  # a part, when it was approved
    UniqueConstraint("key"),
    CheckConstraint(f"stage IN ({', '.join(repr(str(stage)) for stage in Stage)})", name="stage"),
)
WAITING = broadcasts.c.stage == literal(Stage.WAITING.value, literal_execute=True)
"""Written out in a statement, so that the index is used that stands on it: of a year's letters few are waiting."""
Index("ix_broadcasts_waiting", broadcasts.c.created, sqlite_where=WAITING, postgresql_where=WAITING)
