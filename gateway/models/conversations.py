"""Conversations that are going on: their frozen facts and how far they have come.

A row answers its last request again when the provider repeats it. Rows go when their round closes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.sql.expression import false

from gateway.models.base import Hash, Moment, metadata
from gateway.privacy import HASH_BYTES

SESSION = timedelta(minutes=10)
"""No provider holds a USSD session longer (WIRE.md, Africa's Talking: 180 seconds)."""

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("caller", Hash, nullable=False),
    Column("channel", Text, nullable=False),
    Column("round_id", ForeignKey("rounds.id"), index=True),  # the round it may write to: they go together
    Column("rounds_before", Text, nullable=False, server_default=text("''")),  # others that it wrote to: `|3||5|`
    Column("checks", Text, nullable=False, server_default=text("''")),  # it answered: `|3||5|`; it goes with them
    Column("facts", Text, nullable=False),
    Column("offset", Integer, nullable=False),  # inputs of the provider's path that came before these facts
    Column("inputs", Integer, nullable=False),  # inputs received in all, 0 and 9 counted
    Column("transcript", Text, nullable=False),  # the values chosen so far
    Column("page", Integer, nullable=False),
    Column("request", Text),  # the provider's id of the last request, where it is needed to know a repeat
    Column("answer", Text, nullable=False),
    Column("ended", Boolean, nullable=False, server_default=false()),
    Column("rated", Text, nullable=False, server_default=text("''")),  # services answered on, stepped back from or not
    Column("who", Text),  # as told in it last: who steps back may tell another
    Column("resumed", Boolean, nullable=False, server_default=false()),
    Column("touched", Moment, nullable=False),
    UniqueConstraint("provider", "session"),
)
Index("ix_conversations_caller", conversations.c.caller, conversations.c.touched)


def find_conversation(db: Connection, provider: str, session: str) -> Row[tuple[object, ...]] | None:
    """The conversation of a provider's session, locked until the commit."""
    mine = (conversations.c.provider == provider) & (conversations.c.session == session)
    return db.execute(select(conversations).where(mine).with_for_update()).first()


def purge_round(db: Connection, round_id: int, now: datetime) -> None:
    """Removes a closing round's conversations."""
    _purge(db, (conversations.c.round_id == round_id) | conversations.c.rounds_before.contains(f"|{round_id}|"), now)
    old = conversations.c.touched <= now - SESSION
    db.execute(delete(conversations).where(conversations.c.round_id.is_(None), old))


def purge_check(db: Connection, check: int, now: datetime) -> None:
    """Removes the conversations that said whether a promise was kept."""
    _purge(db, conversations.c.checks.contains(f"|{check}|"), now)


def _purge(db: Connection, mine: ColumnElement[bool], now: datetime) -> None:
    """Removes conversations.

    Those that may still be on the line leave the provider's session id, and nothing else: without it their next
    request would look like a path dialled at once, and its digits like a rating.
    """
    blank = {
        "caller": bytes(HASH_BYTES), "round_id": None, "facts": "", "offset": 0, "inputs": 0, "transcript": "",
        "page": 0, "request": None, "answer": "", "ended": True, "rated": "", "who": None, "resumed": True,
        "rounds_before": "", "checks": "", "touched": now,
    }  # fmt: skip
    on_the_line = conversations.c.touched > now - SESSION
    db.execute(update(conversations).where(mine, on_the_line).values(blank))
    db.execute(delete(conversations).where(mine))
