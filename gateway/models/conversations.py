"""Conversations that are going on: their frozen facts and how far they have come.

A row answers its last request again when the provider repeats it. Rows go when their round closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.sql.expression import false

from gateway.models.base import Hash, Moment, metadata
from gateway.models.store import Many, insert, types_of
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
    Column("round_id", ForeignKey("rounds.id")),  # the round it may write to: they go together
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
# no index on what a step changes: so PostgreSQL writes the row in place
Index("ix_conversations_caller", conversations.c.caller)


NONE_YET = -1
"""Inputs of a conversation whose first screen was not asked for yet."""


@dataclass
class Conversation:
    """A conversation's row."""

    id: str
    provider: str
    session: str
    caller: bytes
    channel: str
    facts: str
    offset: int
    touched: datetime
    round_id: int | None = None
    rounds_before: str = ""
    checks: str = ""
    inputs: int = NONE_YET
    transcript: str = ""
    page: int = 0
    request: str | None = None
    answer: str = ""
    ended: bool = False
    rated: str = ""
    who: str | None = None
    resumed: bool = False


def find_conversations(db: Connection, sessions: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Conversation]:
    """The conversations of sessions, each a provider's name and its id there, locked until the commit."""
    rows = _FIND(db, [{"provider": provider, "session": session} for provider, session in sessions])
    return {(row.provider, row.session): Conversation(*row) for row in rows}


def last_calls(db: Connection, callers: Iterable[bytes], since: datetime) -> dict[bytes, Conversation]:
    """The last USSD conversation of each caller who had one since then, locked until the commit."""
    return {row.caller: Conversation(*row) for row in _LAST(db, [{"caller": one} for one in callers], since=since)}


def add_conversations(db: Connection, new: Sequence[Conversation]) -> set[str]:
    """Writes conversations; returns the ids of those that are new: a session has one, and the first stays."""
    return {row.id for row in _ADD(db, [vars(one) for one in sorted(new, key=_session)])}


def keep_conversations(db: Connection, changed: Sequence[Conversation]) -> None:
    """Writes what a step changes of conversations."""
    _KEEP(db, [vars(one) for one in changed])


def freeze_anew(db: Connection, one: Conversation) -> None:
    """Writes the facts of a conversation that new flows take over."""
    values = {"facts": one.facts, "offset": one.offset}
    db.execute(update(conversations).where(conversations.c.id == one.id).values(values))


def _session(one: Conversation) -> tuple[str, str]:
    return one.provider, one.session


def _find(given: FromClause, _dialect: str) -> Any:
    mine = (conversations.c.provider == given.c.provider) & (conversations.c.session == given.c.session)
    return select(*_COLUMNS).join(given, mine).order_by(conversations.c.id).with_for_update(of=conversations)


def _last(given: FromClause, _dialect: str) -> Any:
    mine = conversations.alias("mine")
    newest = (
        select(mine.c.id)
        .where(mine.c.caller == given.c.caller, mine.c.channel == "ussd")
        .where(mine.c.touched > bindparam("since", type_=Moment()))
        .order_by(mine.c.touched.desc())
        .limit(1)
        .correlate(given)
        .scalar_subquery()
    )
    return (
        select(*_COLUMNS)
        .join(given, conversations.c.id == newest)
        .order_by(conversations.c.id)
        .with_for_update(of=conversations)
    )


def _add(given: FromClause, dialect: str) -> Any:
    c = conversations.c
    rows = select(*(given.c[one.name] for one in c)).order_by(given.c.provider, given.c.session)
    return insert(conversations, dialect).from_select(list(c), rows).on_conflict_do_nothing().returning(c.id)


def _keep(given: FromClause, _dialect: str) -> Any:
    return update(conversations).where(conversations.c.id == given.c.id).values({n: given.c[n] for n in _CHANGES})


_COLUMNS = [conversations.c[field.name] for field in fields(Conversation)]
_CHANGES = (
    "round_id", "rounds_before", "checks", "inputs", "transcript", "page", "request", "answer", "ended", "rated",
    "who", "touched",
)  # fmt: skip
_FIND = Many(types_of(conversations, "provider", "session"), _find)
_LAST = Many(types_of(conversations, "caller"), _last)
_ADD = Many(types_of(conversations), _add)
_KEEP = Many(types_of(conversations, "id", *_CHANGES), _keep)


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
