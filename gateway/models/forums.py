"""Public forums: where and when, who said to come, who came. Replies become counts a week after the forum."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Table, Text, text
from sqlalchemy.sql.expression import false

from gateway.models.base import Hash, Moment, metadata

forums = Table(
    "forums",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commune", ForeignKey("communes.code"), nullable=False),
    Column("title", Text, nullable=False),  # JSON, by language; so are venue, note and outcome
    Column("inviter", Text, nullable=False),  # who invites, as it stands before each message: RCEDO
    Column("starts", Moment, nullable=False),
    Column("venue", Text, nullable=False),
    Column("note", Text, nullable=False),  # on travel and cost
    Column("callback", Text, nullable=False, server_default=text("''")),  # a number to ask, public by its nature
    Column("groups", Text, nullable=False, server_default="[]"),  # JSON: ids of groups invited beside the commune
    Column("reminders", Text, nullable=False, server_default='["week","eve","morning"]'),  # JSON
    Column("revision", Integer, nullable=False, server_default="1"),  # goes up when it is moved
    Column("moved_from", Moment),
    Column("approved", Boolean, nullable=False, server_default=false()),  # its invitation was: reminders may go
    Column("cancelled", Boolean, nullable=False, server_default=false()),
    Column("author", ForeignKey("staff.id")),
    Column("created", Moment, nullable=False),
    Column("attended", Integer),
    Column("attended_female", Integer),
    Column("attended_male", Integer),
    Column("outcome", Text, nullable=False, server_default="{}"),
    # what replies became when they were removed
    Column("coming", Integer),  # heads
    Column("replied", Integer),  # phones
)
Index("ix_forums_commune_starts", forums.c.commune, forums.c.starts)

forum_replies = Table(
    "forum_replies",
    metadata,
    Column("forum_id", ForeignKey("forums.id"), primary_key=True),
    Column("phone", Hash, primary_key=True),
    Column("number", LargeBinary, nullable=False),  # sealed: who said to come is told of a change
    Column("number_key", Integer, nullable=False),
    Column("operator", Text),
    Column("language", Text, nullable=False),
    Column("heads", SmallInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("channel", Text, nullable=False),
    sqlite_with_rowid=False,
)
