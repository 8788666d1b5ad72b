"""Sends what stands in the outbox: claim, send, settle.

The database is the queue. A claim has a lease: a worker that dies before it sent gives its messages back, one
that dies while sending leaves `unconfirmed` what it may have handed over (its journal says what it did not), and
nothing is ever sent twice by itself (DESIGN.md, The outbox).
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, Select, or_, select, update
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from gateway import routing
from gateway.config import Settings
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import is_paused
from gateway.models.messages import (
    PRIORITY,
    QUEUED,
    Kind,
    Move,
    accept,
    messages,
    move,
    move_where,
    number_of,
    opt_out,
    opt_outs,
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
CLAIM = 256
MICRO_BATCH = 32
"""What a worker that is killed can leave unconfirmed."""
assert MICRO_BATCH <= SLOTS
assert DEADLINE_SECONDS < HANDS_OVER_SECONDS < LEASE.total_seconds()
SWEEP_EVERY = timedelta(seconds=5)
WORTH_SECONDS = 0.5
"""Bulk waits until so much of the rate has gathered: claims of a message each would cost more than they send."""


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
        self._a_second = CLAIM
        """Messages that go out in about a second: what comes meanwhile waits for no more."""

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
            ids = self._claim()
            if not ids:
                break
            began = time.monotonic()
            for start in range(0, len(ids), MICRO_BATCH):
                if stopped():
                    return sent
                sent += self._send(ids[start : start + MICRO_BATCH])
            self._in_hand = False
            self._a_second = max(MICRO_BATCH, int(len(ids) / max(time.monotonic() - began, 0.001)))
        return sent

    def sweep(self) -> None:
        """Takes back what lost its worker, lets lapse what is too old, applies receipts that came early."""
        self._swept = self._now()
        if self._journals:
            take_over(self._store, self._journals, self._swept)
        with self._store.write() as db:
            sweep(db, self._swept, self._zone)

    def _sweep_now_and_then(self) -> None:
        if self._swept is None or abs(self._now() - self._swept) >= SWEEP_EVERY:  # abs: a clock may be put back
            self.sweep()

    def _claim(self) -> list[str]:
        """The next messages that are due, as many as the rate lets go, answers first: ours for the time of a lease."""
        now = self._now()
        self.rest = None
        with self._store.read() as db:
            waiting = db.execute(self._due(db, now).limit(min(CLAIM, self._a_second))).all()
        if not waiting:
            return []
        first, wanted = waiting[0].parts, sum(row.parts for row in waiting)
        grant = self._pace.take(first, wanted)
        if not grant.segments:
            worth = first if waiting[0].kind == Kind.ANSWER else min(wanted, self._pace.rate * WORTH_SECONDS)
            self.rest = self._pace.seconds_until(max(first, worth), grant.left)
            return []
        self._in_hand = True
        with self._store.write() as db:
            next_ones = self._due(db, now).limit(min(len(waiting), grant.segments)).with_for_update(skip_locked=True)
            rows = list(_within(grant.segments, db.execute(next_ones).all()))
            ids = [row.id for row in rows]
            move(db, Move.CLAIM, ids, now, lease=now + LEASE, worker=self._worker)
        self._pace.give_back(grant.segments - sum(row.parts for row in rows))
        self._in_hand = bool(ids)
        return ids

    def _due(self, db: Connection, now: datetime) -> Select[Any]:
        return (
            select(messages.c.id, messages.c.parts, messages.c.kind)
            .where(QUEUED, messages.c.provider == self._sender.name, messages.c.not_before <= now)
            .where(*self._rules(db, now))
            .order_by(messages.c.priority, messages.c.not_before)
        )

    def _rules(self, db: Connection, now: datetime) -> Iterator[ColumnElement[bool]]:
        """What may go now: asked when messages are claimed, and once more when they go out."""
        kinds = kinds_now(now, self._zone, is_paused(db, now.astimezone(self._zone).date()))
        yield messages.c.priority <= max(PRIORITY[kind] for kind in kinds)  # that is in the index
        if kinds != frozenset(Kind):
            yield messages.c.kind.in_(kinds)
        yield messages.c.expires > now
        yield or_(messages.c.kind == Kind.ANSWER, messages.c.phone.not_in(select(opt_outs.c.phone)))
        kept_back = select(broadcasts.c.id).where(broadcasts.c.stage.in_((Stage.PAUSED, Stage.CANCELLED)))
        yield or_(messages.c.broadcast.is_(None), messages.c.broadcast.not_in(kept_back))

    def _send(self, ids: Sequence[str]) -> int:
        """One micro-batch: marked as going out, committed, sent, settled."""
        rows = self._begin(ids)
        if not rows:
            return 0
        batch, outcomes = self._unsealed(rows)
        if self._journal:
            self._journal.begin([message.id for message in batch])
            if not self._sender.tells:
                for message in batch:
                    message.goes_out()
        said = self._sender.send(batch, DEADLINE_SECONDS) if batch else []
        outcomes |= {message.id: outcome for message, outcome in zip(batch, said, strict=True)}
        given_up = math.inf
        while True:
            try:
                self._settle_all(rows, outcomes, said)
                return len(batch)
            except AWAY as error:  # what is not written down now, nobody knows later
                given_up = min(given_up, time.monotonic() + SETTLE_SECONDS)
                if time.monotonic() >= given_up:
                    raise
                log.warning("outbox.settles_again", error=type(error).__name__)
                time.sleep(SETTLE_SECONDS / 8)

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

    def _begin(self, ids: Sequence[str]) -> list[Row[Any]]:
        """Marks messages as going out, those that may still go; the others come back when their lease ends."""
        now = self._now()
        mine = (messages.c.id.in_(ids), messages.c.worker == self._worker, messages.c.state.in_(Move.BEGIN.leaves))
        values = {"state": Move.BEGIN.to, "lease": now + LEASE, "changed": now, "sent": now,
                  "attempts": messages.c.attempts + 1}  # fmt: skip
        with self._store.write() as db:
            going = select(messages.c.id).where(*mine, *self._rules(db, now)).with_for_update(skip_locked=True)
            begun = update(messages).where(messages.c.id.in_(going)).values(values).returning(messages)
            rows = {row.id: row for row in db.execute(begun)}
        return [rows[message] for message in ids if message in rows]

    def _settle_all(self, rows: Sequence[Row[Any]], outcomes: dict[str, Outcome], said: Sequence[Outcome]) -> None:
        now = self._now()
        given = [outcome.provider_id for outcome in said if isinstance(outcome, Accepted)]
        with self._store.write() as db:
            taken, accepted = self._taken(db, given), dict[str, str | None]()
            for row in rows:
                match outcomes[row.id]:
                    case Accepted(provider_id):
                        is_its_own = provider_id and taken.setdefault(provider_id, row.id) == row.id
                        accepted[row.id] = provider_id if is_its_own else None
                    case Unknown(reason, said_of_it):
                        log.warning("outbox.unconfirmed", message=row.id, why=str(reason), said=said_of_it)
                        self._settle(db, row, Move.DOUBT, now, reason=reason)
                    case Refused() as refused:
                        self._refused(db, row, refused, now)
            accept(db, accepted, now)
            apply_kept(db, now, self._zone, given)
            routing.note(db, self._settings, self._sender.name, said, now)

    def _taken(self, db: Connection, given: Sequence[str]) -> dict[str, str]:
        """Which of the provider's ids are whose already: two messages with one id could not both be settled."""
        mine = (messages.c.provider == self._sender.name) & messages.c.provider_id.in_(given)
        return {
            row.provider_id: row.id for row in db.execute(select(messages.c.provider_id, messages.c.id).where(mine))
        }

    def _refused(self, db: Connection, row: Row[Any], refused: Refused, now: datetime) -> None:
        reason, for_now = refused.reason, refused.for_now
        pause = retry_after(row.attempts, refused.after) if for_now else None
        log.warning("outbox.refused", message=row.id, why=str(reason), said=refused.said, again=bool(pause))
        if pause is not None:
            self._settle(db, row, Move.DEFER, now, reason=reason, not_before=now + pause)
        else:
            self._settle(db, row, Move.REFUSE, now, reason=reason, for_now=for_now)
        if reason is Reason.OPTED_OUT:
            opt_out(db, row.phone, now.astimezone(self._zone).date(), self._sender.name)

    def _settle(self, db: Connection, row: Row[Any], what: Move, now: datetime, **change: Any) -> None:
        """Unless it is another worker's by now: staff may have sent again what was in doubt."""
        ours = (messages.c.id == row.id, messages.c.worker == self._worker)
        move_where(db, what, now, *ours, lease=None, worker=None, **change)


def _nobody_asks(_message: str, noted: bool = False) -> None:
    """Where there is no journal."""


def _within(segments: int, rows: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """As many messages as have so many segments together, but one at least."""
    for place, row in enumerate(rows):
        segments -= row.parts
        if segments < 0 and place:
            return
        yield row
