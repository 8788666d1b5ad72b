"""Sends what stands in the outbox: claim, send, settle.

The database is the queue. A claim has a lease: a worker that dies before it sent gives its messages back, one
that dies while sending leaves `unconfirmed` what it may have handed over (its journal says what it did not), and
nothing is ever sent twice by itself (DESIGN.md, The outbox).
"""

from __future__ import annotations

import functools
import itertools
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    bindparam,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.sql.dml import ReturningUpdate

from gateway import routing
from gateway.config import Settings
from gateway.models.base import Moment
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import no_pause
from gateway.models.messages import (
    PAUSED,
    PRIORITY,
    QUEUED,
    Kind,
    Move,
    accept,
    messages,
    move_where,
    number_of,
    opt_out,
    opt_outs,
    receipts,
)
from gateway.models.store import Store
from gateway.privacy import KeyProblem, Keys
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Sender, Unknown
from gateway.receipts import apply_kept
from gateway.times import utc_now
from gateway.workers.journal import HANDS_OVER_SECONDS, SLOTS, Journal, take_over
from gateway.workers.pace import Pace
from gateway.workers.policy import kinds_now, retry_after
from gateway.workers.sweep import sweep

log = structlog.get_logger()

LEASE = timedelta(seconds=60)
DEADLINE_SECONDS = 30.0
SETTLE_SECONDS = 8.0
"""So long it is tried to write down what a provider said, when the database has just gone away."""
AWAY = (OperationalError, InterfaceError, InternalError)
"""The last: PostgreSQL cut the transaction off, for this process was frozen in the middle of it."""
LOOK = 256
"""So many messages at most are looked ahead, for their segments."""
MICRO_BATCH = 32
"""What a worker that is killed can leave unconfirmed."""
assert MICRO_BATCH <= SLOTS
assert DEADLINE_SECONDS < HANDS_OVER_SECONDS < LEASE.total_seconds()
SWEEP_EVERY = timedelta(seconds=5)
WELL_FOR = timedelta(seconds=1)
"""So long it need not be noted again that a provider is well: what other workers heard of it counts a second later."""
WORTH_SECONDS = 0.5
"""Bulk waits until so much of the rate has gathered: claims of a message each would cost more than they send."""


@dataclass
class _Allowed:
    """How much the rate lets go."""

    messages: int
    segments: int


class Outbox:
    """One provider's part of the outbox, as one worker sends it. Used by one thread."""

    rest: float | None = None
    """After `drain`: so many seconds until the provider's rate lets more go; None when nothing more was due."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        settings: Settings,
        sender: Sender,
        now: Callable[[], datetime] = utc_now,
        journals: Path | None = None,
    ) -> None:
        """`journals`: the folder of the journals; without it a worker that dies leaves more in doubt."""
        self._store = store
        self._keys = keys
        self._settings = settings
        self._zone = settings.zone
        self._sender = sender
        self._now = now
        self._journals = journals
        self._journal: Journal | None = None
        self._begin_life()
        self._pace = Pace(store, settings, sender.name)
        self._swept: datetime | None = None
        self._well: datetime | None = None
        """When it was last noted that the provider takes all it is given."""

    def drain(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Sends what is due until nothing is, or the rate is used up; returns how many messages were handed over."""
        try:
            return self._drain(stopped)
        except Exception:
            if self._in_hand:
                self._begin_life()
            raise

    def _begin_life(self) -> None:
        """Under a new name; what it had in hand is left as by a dead worker, for nothing of it is under way."""
        if self._journal:
            self._journal.close()
            self._journal = None
        self._worker, self._in_hand = secrets.token_hex(8), False
        if self._journals:
            try:
                self._journal = Journal(self._journals, self._worker)
            except OSError as error:
                log.warning("outbox.no_journal", error=str(error), note="a worker that dies leaves more in doubt")

    def _drain(self, stopped: Callable[[], bool]) -> int:
        sent = 0
        while not stopped():
            self._sweep_now_and_then()
            allowed = self._look()
            if not allowed.messages:
                break
            self._in_hand, now = True, self._now()
            with self._store.write() as db:
                rows = begun = self._begin(db, now, allowed)
            while rows:
                said, outcomes = self._hand_over(rows)
                sent += len(said)
                if stopped() or self._sweep_is_due():
                    allowed.messages = 0
                rows = self._settle(rows, outcomes, said, allowed)
            self._in_hand = False
            self._pace.give_back(allowed.segments)
            if not begun:  # others were faster
                break
        return sent

    def sweep(self) -> None:
        """Takes back what lost its worker, lets lapse what is too old, applies receipts that came early."""
        self._swept = self._now()
        if self._journals:
            take_over(self._store, self._journals, self._swept)
        with self._store.write() as db:
            sweep(db, self._swept, self._zone)

    def _sweep_now_and_then(self) -> None:
        if self._sweep_is_due():
            self.sweep()

    def _sweep_is_due(self) -> bool:
        return self._swept is None or abs(self._now() - self._swept) >= SWEEP_EVERY  # abs: a clock may be put back

    def _look(self) -> _Allowed:
        """How much may go of what is due, by the rate."""
        now = self._now()
        self.rest = None
        with self._store.read() as db:
            due = _due(kinds_now(now, self._zone, paused=False), messages.c.parts, messages.c.kind).limit(LOOK)
            waiting = db.execute(due, self._asked(now)).all()
        if not waiting:
            return _Allowed(0, 0)
        first, wanted = waiting[0].parts, sum(row.parts for row in waiting)
        grant = self._pace.take(first, wanted)
        if not grant.segments:
            worth = first if waiting[0].kind == Kind.ANSWER else min(wanted, self._pace.rate * WORTH_SECONDS)
            self.rest = self._pace.seconds_until(max(first, worth), grant.left)
            return _Allowed(0, 0)
        return _Allowed(_within(grant.segments, [row.parts for row in waiting]), grant.segments)

    def _begin(self, db: Connection, now: datetime, allowed: _Allowed) -> list[Row[Any]]:
        """Marks a micro-batch of what is due as going out, answers first, and takes it off what is allowed."""
        count = min(MICRO_BATCH, allowed.messages)
        marks = {"until": now + LEASE, "mine": self._worker, "count": count}
        rows = sorted(
            db.execute(_begun(kinds_now(now, self._zone, paused=False)), self._asked(now) | marks), key=_order
        )
        allowed.messages = allowed.messages - count if len(rows) == count else 0
        allowed.segments -= sum(row.parts for row in rows)
        return rows

    def _asked(self, now: datetime) -> dict[str, Any]:
        """What the statements on what is due are asked with."""
        return {"now": now, "today": now.astimezone(self._zone).date().isoformat(), "by": self._sender.name}

    def _hand_over(self, rows: Sequence[Row[Any]]) -> tuple[list[Outcome], dict[str, Outcome]]:
        """Sends a micro-batch: what the provider said, and what became of each message."""
        batch, outcomes = self._unsealed(rows)
        if self._journal:
            self._journal.begin([message.id for message in batch])
            if not self._sender.tells:
                for message in batch:
                    message.goes_out()
        said = self._sender.send(batch, DEADLINE_SECONDS) if batch else []
        return said, outcomes | {message.id: outcome for message, outcome in zip(batch, said, strict=True)}

    def _unsealed(self, rows: Sequence[Row[Any]]) -> tuple[list[Outgoing], dict[str, Outcome]]:
        """What is to be handed over, and the outcome of what cannot be: it must not hold back the others."""
        goes_out = self._journal.goes_out if self._journal else _nobody_asks
        batch: list[Outgoing] = []
        outcomes: dict[str, Outcome] = {}
        for row in rows:
            try:
                batch.append(Outgoing(row.id, number_of(self._keys, row), row.text, partial(goes_out, row.id)))
            except KeyProblem as problem:
                outcomes[row.id] = Refused(Reason.SETUP, for_now=True, said=str(problem))
        return batch, outcomes

    def _settle(
        self, rows: Sequence[Row[Any]], outcomes: Mapping[str, Outcome], said: Sequence[Outcome], allowed: _Allowed
    ) -> list[Row[Any]]:
        """Writes down what became of a micro-batch and, in the same transaction, begins the next; returns that."""
        given_up = math.inf
        while True:
            now = self._now()
            try:
                with self._store.write() as db:
                    self._settle_all(db, rows, outcomes, said, now)
                    following = self._begin(db, now, allowed) if allowed.messages else []
            except AWAY as error:  # what is not written down now, nobody knows later
                allowed.messages = 0
                given_up = min(given_up, time.monotonic() + SETTLE_SECONDS)
                if time.monotonic() >= given_up:
                    raise
                log.warning("outbox.settles_again", error=type(error).__name__)
                time.sleep(SETTLE_SECONDS / 8)
            else:
                if given_up != math.inf:  # what was begun before may stand there all the same
                    self._begin_life()
                return following

    def _settle_all(
        self, db: Connection, rows: Sequence[Row[Any]], outcomes: Mapping[str, Outcome], said: Sequence[Outcome],
        now: datetime,
    ) -> None:  # fmt: skip
        given = [outcome.provider_id for outcome in said if isinstance(outcome, Accepted)]
        known = db.execute(_KNOWN, {"by": self._sender.name, "given": given}).all() if given else ()
        taken, accepted = {row.provider_id: row.id for row in known if row.id}, dict[str, str | None]()
        for row in rows:
            match outcomes[row.id]:
                case Accepted(provider_id):
                    is_its_own = provider_id and taken.setdefault(provider_id, row.id) == row.id
                    accepted[row.id] = provider_id if is_its_own else None
                case Unknown(reason, said_of_it):
                    log.warning("outbox.unconfirmed", message=row.id, why=str(reason), said=said_of_it)
                    self._settle_one(db, row, Move.DOUBT, now, reason=reason)
                case Refused() as refused:
                    self._refused(db, row, refused, now)
        accept(db, accepted, now)
        if any(row.id is None for row in known):
            apply_kept(db, now, self._zone, given)
        self._note_health(db, said, now)

    def _note_health(self, db: Connection, said: Sequence[Outcome], now: datetime) -> None:
        """Each failure; that all is well only now and then, when it was so before."""
        is_well = all(isinstance(outcome, Accepted) for outcome in said)
        if not is_well or self._well is None or abs(now - self._well) >= WELL_FOR:
            routing.note(db, self._settings, self._sender.name, said, now)
            self._well = now if is_well else None

    def _refused(self, db: Connection, row: Row[Any], refused: Refused, now: datetime) -> None:
        reason, for_now = refused.reason, refused.for_now
        pause = retry_after(row.attempts, refused.after) if for_now else None
        log.warning("outbox.refused", message=row.id, why=str(reason), said=refused.said, again=bool(pause))
        if pause is not None:
            self._settle_one(db, row, Move.DEFER, now, reason=reason, not_before=now + pause)
        else:
            self._settle_one(db, row, Move.REFUSE, now, reason=reason, for_now=for_now)
        if reason is Reason.OPTED_OUT:
            opt_out(db, row.phone, now.astimezone(self._zone).date(), self._sender.name)

    def _settle_one(self, db: Connection, row: Row[Any], what: Move, now: datetime, **change: Any) -> None:
        """Unless it is another worker's by now: staff may have sent again what was in doubt."""
        ours = (messages.c.id == row.id, messages.c.worker == self._worker)
        move_where(db, what, now, *ours, lease=None, worker=None, **change)


def _nobody_asks(_message: str, noted: bool = False) -> None:
    """Where there is no journal."""


def _within(segments: int, parts: Sequence[int]) -> int:
    """How many messages have so many segments together, one at least; `parts`: of each, in their order."""
    for place, sum_so_far in enumerate(itertools.accumulate(parts)):
        if sum_so_far > segments:
            return max(place, 1)
    return len(parts)


def _order(row: Row[Any]) -> tuple[int, datetime]:
    return row.priority, row.not_before


# statements, each made once -----------------------------------------------------------------------

_NOW: BindParameter[datetime] = bindparam("now", type_=Moment)
_TODAY: BindParameter[str] = bindparam("today", type_=Text)
_COUNT: BindParameter[int] = bindparam("count", type_=Integer, literal_execute=True)
"""Written out: for a number that it does not know, PostgreSQL plans as for a tenth of all that waits."""
_KNOWN = union_all(
    *(
        select(table.c.provider_id, whose.label("id")).where(
            table.c.provider == bindparam("by"), table.c.provider_id.in_(bindparam("given", expanding=True))
        )
        for table, whose in ((messages, messages.c.id), (receipts, null()))
    )
)
"""Of ids that a provider gave, which are whose already (two messages with one id could not both be settled), and those
of which a receipt came before; these with no message of ours."""
_NEEDED = (messages.c.id, messages.c.number, messages.c.number_key, messages.c.text, messages.c.parts,
           messages.c.phone, messages.c.attempts, messages.c.priority, messages.c.not_before)  # fmt: skip


@functools.cache
def _due(kinds: frozenset[Kind], *columns: Column[Any]) -> Select[Any]:
    """What may go now, of these kinds: answers first, then what is due longest."""
    c = messages.c
    statement = select(*columns).where(QUEUED, c.provider == bindparam("by"), c.not_before <= _NOW, c.expires > _NOW)
    statement = statement.where(c.priority <= max(PRIORITY[kind] for kind in kinds))  # that is in the index
    if kinds != frozenset(Kind):
        statement = statement.where(c.kind.in_(kinds))
    kept_back = select(broadcasts.c.id).where(broadcasts.c.stage.in_((Stage.PAUSED, Stage.CANCELLED)))
    return statement.where(
        or_(c.kind == Kind.ANSWER, c.phone.not_in(select(opt_outs.c.phone))),
        or_(c.broadcast.is_(None), c.broadcast.not_in(kept_back)),
        or_(c.kind.not_in(PAUSED), no_pause(_TODAY)),
    ).order_by(c.priority, c.not_before)


@functools.cache
def _begun(kinds: frozenset[Kind]) -> ReturningUpdate[Any]:
    """Marks so many of them as going out. A list by itself: so PostgreSQL makes it once."""
    due = _due(kinds, messages.c.id).limit(_COUNT).with_for_update(skip_locked=True).cte("due")
    values = {"state": Move.BEGIN.to, "lease": bindparam("until", type_=Moment), "changed": _NOW, "sent": _NOW,
              "worker": bindparam("mine"), "attempts": messages.c.attempts + 1}  # fmt: skip
    return update(messages).where(messages.c.id.in_(select(due.c.id))).values(values).returning(*_NEEDED)
