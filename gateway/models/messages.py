"""The outbox: every SMS we send is a row, written in the transaction of what caused it.

The table of moves is the whole truth about states (DESIGN.md, The outbox). Each change is one UPDATE that names
the states it may leave, so a late or repeated word from anywhere changes nothing it must not.
"""

from __future__ import annotations

import enum
import functools
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    Update,
    bindparam,
    column,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.expression import false, true

from gateway.models.base import Hash, Moment, metadata
from gateway.models.store import insert, insert_new
from gateway.privacy import HASH_BYTES, Keys, Sealed
from gateway.text import plain, segments


class State(enum.StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    HELD = "held"
    """Kept back while its broadcast is paused."""
    CLAIMED = "claimed"
    """A worker of an earlier version has it, for as long as its lease: today's go from `queued` to `sending`."""
    SENDING = "sending"
    """It may be on its way: from here on it is never simply sent again."""
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNCONFIRMED = "unconfirmed"
    """Nobody knows whether it went out; a receipt or staff decide."""


class Move(enum.Enum):
    """What can happen to a message: the states it may leave, and the one it comes to."""

    LAPSE = ({State.CLAIMED}, State.QUEUED)
    BEGIN = ({State.QUEUED}, State.SENDING)
    ACCEPT = ({State.SENDING, State.UNCONFIRMED}, State.ACCEPTED)
    SPARE = ({State.SENDING}, State.QUEUED)
    """Its worker died or was frozen before it handed it over: the worker's journal proves it."""
    DEFER = ({State.SENDING}, State.QUEUED)
    REFUSE = ({State.SENDING}, State.REFUSED)
    DOUBT = ({State.SENDING}, State.UNCONFIRMED)
    DELIVER = ({State.SENDING, State.ACCEPTED, State.UNCONFIRMED}, State.DELIVERED)
    FAIL = ({State.SENDING, State.ACCEPTED, State.UNCONFIRMED}, State.UNDELIVERED)
    EXPIRE = ({State.QUEUED, State.HELD}, State.EXPIRED)
    CANCEL = ({State.QUEUED, State.HELD, State.CLAIMED}, State.CANCELLED)
    HOLD = ({State.QUEUED, State.CLAIMED}, State.HELD)
    RELEASE = ({State.HELD}, State.QUEUED)
    RETRY = ({State.REFUSED}, State.QUEUED)
    """Staff send again what was refused for now until the retry policy gave up."""
    RESEND = ({State.UNCONFIRMED}, State.QUEUED)
    """Staff decide that a message in doubt did not go out: the one way by which it may be sent twice."""

    @property
    def leaves(self) -> frozenset[State]:
        """The states it may leave."""
        return frozenset(self.value[0])

    @property
    def to(self) -> State:
        """The state it comes to."""
        return self.value[1]


class Kind(enum.StrEnum):
    """What a message is for. An answer goes ahead of all, at any hour, even to who opted out."""

    ANSWER = "answer"
    TEST = "test"
    URGENT = "urgent notice"
    """A forum moved or cancelled within 24 hours: it may be told until 21:00 (DOMAIN.md, Phones)."""
    NOTICE = "notice"
    """A forum moved or cancelled."""
    INVITATION = "invitation"
    REMINDER = "reminder"
    TALLY = "tally"
    """A council's weekly figures."""
    POLL = "poll"
    CHECK = "check"
    """Was a promise kept?"""
    RESULT = "result"
    """What came of a forum or a promise."""
    ANNOUNCEMENT = "announcement"


PRIORITY = {Kind.ANSWER: 0, Kind.TEST: 1, Kind.URGENT: 2, Kind.NOTICE: 3, Kind.INVITATION: 5, Kind.REMINDER: 4,
            Kind.TALLY: 5, Kind.POLL: 5, Kind.CHECK: 5, Kind.RESULT: 5, Kind.ANNOUNCEMENT: 5}  # fmt: skip
PAUSED = frozenset({Kind.INVITATION, Kind.REMINDER, Kind.TALLY, Kind.POLL, Kind.CHECK, Kind.RESULT})
"""What does not leave between the two dates of a pause (DOMAIN.md, Privacy)."""

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    # the look-up key of the number, and the number, sealed; gone with the text when it is old (retention)
    Column("phone", Hash),
    Column("number", LargeBinary),
    Column("number_key", Integer),
    Column("text", Text, nullable=False),
    Column("parts", SmallInteger, nullable=False),
    Column("language", Text),  # of a broadcast's message: what follows it speaks the same
    Column("broadcast", ForeignKey("broadcasts.id")),
    Column("provider", Text, nullable=False),
    Column("provider_id", Text),
    Column("attempts", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("for_now", Boolean, nullable=False, server_default=false()),  # refused, but may be sent again by staff
    Column("not_before", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("lease", Moment),
    Column("worker", Text),
    Column("created", Moment, nullable=False),
    Column("sent", Moment),  # when it was last handed to the provider
    Column("changed", Moment, nullable=False),
    CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in State)})", name="state"),
)
QUEUED = messages.c.state == literal(State.QUEUED.value, literal_execute=True)
WAITING = messages.c.state.in_(bindparam("waiting", [State.QUEUED.value, State.HELD.value], literal_execute=True))
UNCONFIRMED = messages.c.state == literal(State.UNCONFIRMED.value, literal_execute=True)
"""Written out in each statement: SQLite takes a partial index only where the statement says what the index says."""
Index("ix_messages_due", messages.c.provider, messages.c.priority, messages.c.not_before,
      sqlite_where=QUEUED, postgresql_where=QUEUED)  # fmt: skip
Index("ix_messages_expires", messages.c.expires, sqlite_where=WAITING, postgresql_where=WAITING)
Index("ix_messages_lease", messages.c.lease, sqlite_where=messages.c.lease.is_not(None),
      postgresql_where=messages.c.lease.is_not(None))  # fmt: skip
Index("ix_messages_unconfirmed", messages.c.created, sqlite_where=UNCONFIRMED, postgresql_where=UNCONFIRMED)
Index("ix_messages_provider_id", messages.c.provider, messages.c.provider_id)
Index("ix_messages_phone", messages.c.phone, messages.c.created)
Index("ix_messages_created", messages.c.created)
_of_broadcast = messages.c.broadcast.is_not(None)
Index("uq_messages_broadcast_phone", messages.c.broadcast, messages.c.phone, unique=True,
      sqlite_where=_of_broadcast, postgresql_where=_of_broadcast)  # fmt: skip

inbound = Table(
    "inbound",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("phone", Hash, nullable=False),
    Column("text", LargeBinary, nullable=False),  # sealed; purged after 7 days (DOMAIN.md, Privacy)
    Column("text_key", Integer, nullable=False),
    Column("received", Moment, nullable=False, index=True),
    Column("answer", ForeignKey("messages.id", ondelete="SET NULL"), index=True),  # else each message removed reads all
    Column("was_menu", SmallInteger, nullable=False),  # answered with the menu because it was not understood
    Column("letter", Integer),  # the broadcast of the weekly letter that it answered
)
Index("ix_inbound_phone", inbound.c.phone, inbound.c.received)

receipts = Table(
    "receipts",
    metadata,
    # those that came before we knew the provider's id: applied when the message is settled
    Column("provider", Text, primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("move", Text, primary_key=True),
    Column("reason", Text),
    Column("received", Moment, nullable=False, index=True),
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("phone", Hash, primary_key=True),
    Column("since", Date, nullable=False),
    Column("source", Text, nullable=False),  # the person's own SMS, or a provider's word
    sqlite_with_rowid=False,
)


@dataclass(frozen=True)
class Draft:
    """A message to be written."""

    kind: Kind
    number: str
    """E.164."""
    text: str
    provider: str
    not_before: datetime
    expires: datetime


def write(db: Connection, keys: Keys, draft: Draft, now: datetime) -> str:
    """Puts a message into the outbox; returns its id."""
    message_id = secrets.token_hex(16)
    body = plain(draft.text)
    sealed = keys.seal_number(draft.number)
    db.execute(
        messages.insert().values(
            id=message_id, kind=draft.kind, priority=PRIORITY[draft.kind], state=State.QUEUED,
            phone=keys.lookup(draft.number), number=sealed.data, number_key=sealed.key, text=body,
            parts=segments(body).parts, provider=draft.provider, attempts=0, not_before=draft.not_before,
            expires=draft.expires, created=now, changed=now,
        )
    )  # fmt: skip
    return message_id


def is_sms(provider: str, provider_id: str) -> ColumnElement[bool]:
    """The row of an SMS that came in."""
    return (inbound.c.provider == provider) & (inbound.c.provider_id == provider_id)


def number_of(keys: Keys, row: Row[Any]) -> str:
    """The number a message goes to, unsealed: for sending, and for staff who ask."""
    return keys.open_number(Sealed(row.number_key, row.number))


def move(db: Connection, what: Move, ids: Sequence[str], now: datetime, **change: Any) -> list[str]:
    """Moves messages, as far as the table of moves lets them; returns the ids of those moved."""
    if not ids:
        return []
    statement = (
        update(messages)
        .where(messages.c.id.in_(ids), messages.c.state.in_(what.leaves))
        .values(state=what.to, changed=now, **change)
        .returning(messages.c.id)
    )
    return list(db.scalars(statement))


def accept(db: Connection, given: Mapping[str, str | None], now: datetime) -> None:
    """Messages that a provider took, by our ids, each with the provider's id of it, or None."""
    if not given:
        return
    if db.dialect.name == "sqlite":
        asked: Any = [{"ours": message, "theirs": theirs, "now": now} for message, theirs in given.items()]
    else:  # one statement for all: a fifth of the time of one for each
        asked = {"ours": list(given), "theirs": list(given.values()), "now": now}
    taken, named = _accepting(db.dialect.name)
    if db.execute(taken, asked).rowcount != len(given):
        db.execute(named, asked)  # receipts by our ids were faster; the next ones may come by the provider's


@functools.cache
def _accepting(dialect: str) -> tuple[Update, Update]:
    """What accepts messages, and what only notes the provider's ids of them."""
    theirs: ColumnElement[str]
    if dialect == "sqlite":
        this, theirs = messages.c.id == bindparam("ours"), bindparam("theirs", type_=Text)
    else:
        both = [bindparam(name, type_=ARRAY(Text)) for name in ("ours", "theirs")]
        pairs = func.unnest(*both).table_valued(column("ours", Text), column("theirs", Text)).render_derived()
        this, theirs = messages.c.id == pairs.c.ours, pairs.c.theirs
    named = update(messages).where(this).values(provider_id=func.coalesce(theirs, messages.c.provider_id))
    leaves = or_(*(messages.c.state == state for state in Move.ACCEPT.leaves))
    when = bindparam("now", type_=Moment)
    accepted = named.where(leaves).values(state=Move.ACCEPT.to, reason=None, lease=None, worker=None, changed=when)
    return accepted, named


def move_where(db: Connection, what: Move, now: datetime, *conditions: Any, **change: Any) -> int:
    """Moves all messages that meet conditions, as far as the table of moves lets them; returns how many."""
    statement = update(messages).where(messages.c.state.in_(what.leaves), *conditions)
    return db.execute(statement.values(state=what.to, changed=now, **change)).rowcount


def move_idle(db: Connection, what: Move, now: datetime, *conditions: Any, **change: Any) -> int:
    """As `move_where`, but leaves alone what somebody moves just now: to wait for workers may be to wait for ever.

    What is left out is found by the next sweep.
    """
    idle = select(messages.c.id).where(messages.c.state.in_(what.leaves), *conditions)
    return move_where(db, what, now, messages.c.id.in_(idle.with_for_update(skip_locked=True)), **change)


def opt_out(db: Connection, phone: bytes, day: date, source: str) -> bool:
    """From now on nothing that we start goes to this number. False when it was so already."""
    return insert_new(db, insert(opt_outs, db.dialect.name).values(phone=phone, since=day, source=source))


def opt_in(db: Connection, phone: bytes) -> bool:
    """The number may be written to again. False when it was so already."""
    return db.execute(delete(opt_outs).where(opt_outs.c.phone == phone)).rowcount == 1


def has_opted_out(db: Connection, phone: bytes) -> bool:
    """Whether the number is not to be written to."""
    return db.scalar(select(func.count()).select_from(opt_outs).where(opt_outs.c.phone == phone)) == 1


def forget_talks(db: Connection, phones: Select[Any] | None = None, until: datetime | None = None) -> None:
    """Takes the numbers out of what was said by SMS: called when a round closes, or with the phones that a poll asked.

    `until`: what was said later stays. The provider's ids stay, so that an SMS that comes again is still known.
    """
    said: ColumnElement[bool] = true() if phones is None else inbound.c.phone.in_(phones)
    waiting = (State.QUEUED, State.CLAIMED, State.SENDING)
    answered = (messages.c.kind == Kind.ANSWER) & messages.c.state.not_in(waiting)
    answered &= true() if phones is None else messages.c.phone.in_(phones)
    if until is not None:
        said &= inbound.c.received <= until
        answered &= messages.c.created <= until
    db.execute(update(inbound).where(said).values(phone=bytes(HASH_BYTES), text=b"", text_key=0))
    db.execute(delete(messages).where(answered))


def states(db: Connection, within: Collection[int] | None = None) -> Mapping[State, int]:
    """How many messages stand where; `within`: of these broadcasts."""
    here = true() if within is None else messages.c.broadcast.in_(within)
    rows = db.execute(select(messages.c.state, func.count()).where(here).group_by(messages.c.state))
    return {State(state): count for state, count in rows}


def listed(
    db: Connection, state: State | None, first: int, size: int, within: Collection[int] | None = None
) -> Sequence[Row[Any]]:
    """So many messages, in one state or in all, the newest first, after skipping the `first` ones."""
    here = true() if within is None else messages.c.broadcast.in_(within)
    statement = select(messages).where(here).order_by(messages.c.created.desc(), messages.c.id)
    statement = statement.offset(first).limit(size)
    return db.execute(statement if state is None else statement.where(messages.c.state == state)).all()
