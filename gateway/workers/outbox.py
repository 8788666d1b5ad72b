"""Sends what stands in the outbox: claim, send, settle.

The database is the queue. A claim has a lease: a worker that dies before it sent gives its messages back, one
that dies while sending leaves them `unconfirmed`, and nothing is ever sent twice by itself (DESIGN.md, The outbox).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, or_, select, update

from gateway import routing
from gateway.config import Settings
from gateway.conversation import utc_now
from gateway.models.messages import Kind, Move, State, messages, move, move_where, number_of, opt_out, opt_outs
from gateway.models.store import Store
from gateway.privacy import KeyProblem, Keys
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Sender, Unknown
from gateway.receipts import apply_kept
from gateway.workers.policy import is_quiet, retry_after

log = structlog.get_logger()

LEASE = timedelta(seconds=60)
DEADLINE_SECONDS = 30.0
CLAIM = 256
MICRO_BATCH = 32
"""What a worker that is killed can leave unconfirmed."""


class Outbox:
    """One provider's part of the outbox, as one worker sends it. Used by one thread."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        settings: Settings,
        sender: Sender,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._zone = settings.zone
        self._sender = sender
        self._now = now
        self._worker = secrets.token_hex(8)

    def drain(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Sends what is due until nothing is; returns how many messages were handed to the provider."""
        sent = 0
        self.sweep()
        while not stopped() and (ids := self._claim()):
            for start in range(0, len(ids), MICRO_BATCH):
                if stopped():
                    break
                sent += self._send(ids[start : start + MICRO_BATCH])
        return sent

    def sweep(self) -> None:
        """Takes back what lost its worker, lets lapse what is too old, applies receipts that came early."""
        now = self._now()
        late = messages.c.lease < now
        with self._store.write() as db:
            move_where(db, Move.LAPSE, now, late, lease=None, worker=None)
            lost = move_where(db, Move.DOUBT, now, late, lease=None, reason=Reason.WORKER_LOST)
            move_where(db, Move.EXPIRE, now, messages.c.expires <= now)
            stopped = messages.c.phone.in_(select(opt_outs.c.phone)) & (messages.c.kind != Kind.ANSWER)
            move_where(db, Move.CANCEL, now, stopped, reason=Reason.OPTED_OUT)
            apply_kept(db, now, self._zone)
        if lost:
            log.warning("outbox.unconfirmed", count=lost, why=str(Reason.WORKER_LOST))

    def _claim(self) -> list[str]:
        """The next messages that are due, answers first, ours for the time of a lease."""
        now = self._now()
        due = (
            select(messages.c.id)
            .where(
                messages.c.state == State.QUEUED,
                messages.c.provider == self._sender.name,
                messages.c.not_before <= now,
                messages.c.expires > now,
                or_(messages.c.kind == Kind.ANSWER, messages.c.phone.not_in(select(opt_outs.c.phone))),
            )
            .order_by(messages.c.priority, messages.c.not_before)
            .limit(CLAIM)
            .with_for_update(skip_locked=True)
        )
        if is_quiet(now, self._zone):
            due = due.where(messages.c.kind == Kind.ANSWER)
        with self._store.write() as db:
            ids = list(db.scalars(due))
            claimed = set(move(db, Move.CLAIM, ids, now, lease=now + LEASE, worker=self._worker))
        return [message for message in ids if message in claimed]  # an UPDATE returns its rows in any order

    def _send(self, ids: Sequence[str]) -> int:
        """One micro-batch: marked as going out, committed, sent, settled."""
        rows = self._begin(ids)
        if not rows:
            return 0
        batch, outcomes = self._unsealed(rows)
        said = self._sender.send(batch, DEADLINE_SECONDS) if batch else []
        outcomes |= {message.id: outcome for message, outcome in zip(batch, said, strict=True)}
        with self._store.write() as db:
            taken = self._taken(db, said)
            for row in rows:
                self._settle(db, row, outcomes[row.id], taken)
            apply_kept(db, self._now(), self._zone)
            routing.note(db, self._settings, self._sender.name, said, self._now())
        return len(batch)

    def _unsealed(self, rows: Sequence[Row[Any]]) -> tuple[list[Outgoing], dict[str, Outcome]]:
        """What is to be handed over, and the outcome of what cannot be: it must not hold back the others."""
        batch: list[Outgoing] = []
        outcomes: dict[str, Outcome] = {}
        for row in rows:
            try:
                batch.append(Outgoing(row.id, number_of(self._keys, row), row.text))
            except KeyProblem as problem:
                outcomes[row.id] = Refused(Reason.SETUP, for_now=True, said=str(problem))
        return batch, outcomes

    def _begin(self, ids: Sequence[str]) -> list[Row[Any]]:
        now = self._now()
        mine = (messages.c.id.in_(ids)) & (messages.c.worker == self._worker)
        going = update(messages).where(mine, messages.c.state.in_(Move.BEGIN.leaves))
        values = {"state": Move.BEGIN.to, "lease": now + LEASE, "changed": now, "attempts": messages.c.attempts + 1}
        with self._store.write() as db:
            rows = {row.id: row for row in db.execute(going.values(values).returning(messages))}
        return [rows[message] for message in ids if message in rows]

    def _taken(self, db: Connection, outcomes: Sequence[Outcome]) -> dict[str, str]:
        """Which of the provider's ids are whose already: two messages with one id could not both be settled."""
        given = [outcome.provider_id for outcome in outcomes if isinstance(outcome, Accepted)]
        mine = (messages.c.provider == self._sender.name) & messages.c.provider_id.in_(given)
        return {
            row.provider_id: row.id for row in db.execute(select(messages.c.provider_id, messages.c.id).where(mine))
        }

    def _settle(self, db: Connection, row: Row[Any], outcome: Outcome, taken: dict[str, str]) -> None:
        now = self._now()
        settled: dict[str, Any] = {"lease": None, "worker": None}
        match outcome:
            case Accepted(provider_id):
                if provider_id and taken.setdefault(provider_id, row.id) == row.id:
                    settled["provider_id"] = provider_id
                if not move(db, Move.ACCEPT, [row.id], now, reason=None, **settled):  # a receipt by our id was faster
                    db.execute(update(messages).where(messages.c.id == row.id).values(settled))
            case Unknown(reason, said):
                log.warning("outbox.unconfirmed", message=row.id, why=str(reason), said=said)
                move(db, Move.DOUBT, [row.id], now, reason=reason, **settled)
            case Refused(reason, for_now, said):
                pause = retry_after(row.attempts) if for_now else None
                log.warning("outbox.refused", message=row.id, why=str(reason), said=said, again=bool(pause))
                if pause is not None:
                    move(db, Move.DEFER, [row.id], now, reason=reason, not_before=now + pause, **settled)
                else:
                    move(db, Move.REFUSE, [row.id], now, reason=reason, **settled)
                if reason is Reason.OPTED_OUT:
                    opt_out(db, row.phone, now.astimezone(self._zone).date(), self._sender.name)
