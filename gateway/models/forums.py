"""Public forums: where and when, who said to come, who came. Replies become counts a week after the forum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    SmallInteger,
    Table,
    Text,
    select,
    text,
)
from sqlalchemy.sql.expression import false

from gateway.config import LANGUAGES, Language
from gateway.models.base import Hash, Moment, metadata
from gateway.models.broadcasts import broadcasts
from gateway.models.contacts import contacts
from gateway.models.messages import State, messages

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

REACHED = (State.SENDING, State.ACCEPTED, State.DELIVERED, State.UNCONFIRMED)
"""A message that was handed over: its person may have read it."""
_INSTEAD: Mapping[Language, tuple[Language, ...]] = {
    "km": ("km", "km-Latn", "en"),
    "km-Latn": ("km-Latn", "en", "km"),
    "en": ("en", "km-Latn", "km"),
}


def read_by(texts: Mapping[str, str], language: Language) -> Language:
    """The language of the text that a reader gets: their own, else the nearest in which there is one.

    Latin letters come before Khmer ones for who asked for Latin letters; for a reader of Khmer, Khmer in Latin letters
    comes before English.
    """
    return next((other for other in _INSTEAD[language] if texts.get(other)), language)


def in_each(texts: Mapping[str, str]) -> dict[Language, str]:
    """A text in every language; where one was left empty another stands in."""
    return {one: texts.get(read_by(texts, one), "") for one in LANGUAGES}


def told_of(db: Connection, forum_ids: Sequence[int]) -> list[Row[Any]]:
    """Who was told of forums: `phone`, sealed `number` with its `number_key`, `operator`, `language`.

    Those to whom anything about them was handed over, and those who replied. A number may be there more than once.
    """
    people = contacts.c.phone
    said = (
        select(messages.c.phone, messages.c.number, messages.c.number_key, contacts.c.operator, messages.c.language)
        .join(broadcasts, broadcasts.c.id == messages.c.broadcast)
        .outerjoin(contacts, people == messages.c.phone)
        .where(broadcasts.c.forum.in_(forum_ids), messages.c.state.in_(REACHED), messages.c.phone.is_not(None))
        .order_by(messages.c.created.desc(), messages.c.id)
    )
    r = forum_replies.c
    answered = select(r.phone, r.number, r.number_key, r.operator, r.language).where(r.forum_id.in_(forum_ids))
    return [*db.execute(answered.order_by(r.phone)), *db.execute(said)]
