"""Polls: one question to a group.

A vote lies under a key that is destroyed when the poll closes; then the votes become counts, as far as they may be
shown. The table of votes has no row numbers that tell an order, and no times.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, SmallInteger, Table, Text

from gateway.models.base import Hash, Moment, metadata

polls = Table(
    "polls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("question", Text, nullable=False),  # JSON, by language
    Column("options", Text, nullable=False),  # JSON: two to five, each by language
    Column("key", Text),  # the name of the key's file, as a round's; None once it is destroyed
    Column("closes", Moment, nullable=False),
    Column("closed", Moment),
    Column("counts", Text),  # JSON, by option: what the votes became; None where they may not be shown
    Column("author", ForeignKey("staff.id")),
    Column("created", Moment, nullable=False),
)

poll_answers = Table(
    "poll_answers",
    metadata,
    Column("poll_id", ForeignKey("polls.id"), primary_key=True),
    Column("phone", Hash, primary_key=True),  # under the poll's key
    Column("choice", SmallInteger, nullable=False),  # from 1
    CheckConstraint("choice BETWEEN 1 AND 5", name="choice"),
    sqlite_with_rowid=False,
)
