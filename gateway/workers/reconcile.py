"""Asks a provider what became of messages that are in doubt, or failed without a reason.

Where a provider lists what it took (Twilio, Somleng), a lost answer settles itself; where it does not, a receipt
that carries our id does, or staff decide (DESIGN.md, The outbox).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select, update

from gateway.config import Settings
from gateway.models.messages import State, messages, number_of
from gateway.models.store import Store
from gateway.privacy import KeyProblem, Keys
from gateway.providers.base import Doubtful, Receipt, Sender
from gateway.receipts import apply
from gateway.times import utc_now

log = structlog.get_logger()

EVERY = timedelta(minutes=1)
SECONDS = 15.0
AT_ONCE = 32
SETTLED_FOR = timedelta(minutes=1)
"""A message in doubt for less may still be on its way into the provider's list."""
GIVEN_UP_AFTER = timedelta(hours=24)


class Reconciler:
    """Looks messages up at one provider. Used by one thread, outside any transaction."""

    def __init__(
        self, store: Store, keys: Keys, settings: Settings, sender: Sender, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._store = store
        self._keys = keys
        self._zone = settings.zone
        self._sender = sender
        self._now = now
        self._last: datetime | None = None

    def look(self) -> int:
        """Asks, at most once a minute; returns how many messages were settled by what the provider said."""
        now = self._now()
        if type(self._sender).look_up is Sender.look_up or (self._last and now - self._last < EVERY):
            return 0
        self._last = now
        with self._store.read() as db:
            doubtful = [one for row in db.execute(self._unclear(now)) if (one := self._doubtful(db, row))]
        if not doubtful:
            return 0
        found = self._sender.look_up(doubtful, SECONDS)
        with self._store.write() as db:
            settled = sum(self._settle(db, receipt) for receipt in found)
        log.info("reconcile.done", provider=self._sender.name, asked=len(doubtful), settled=settled)
        return settled

    def _unclear(self, now: datetime) -> Any:
        unclear = (messages.c.state == State.UNCONFIRMED) | (
            (messages.c.state == State.UNDELIVERED) & messages.c.reason.is_(None)
        )
        lately = messages.c.changed.between(now - GIVEN_UP_AFTER, now - SETTLED_FOR)
        mine = messages.c.provider == self._sender.name
        known = messages.c.number.is_not(None)
        return select(messages).where(mine, unclear, lately, known).order_by(messages.c.changed).limit(AT_ONCE)

    def _doubtful(self, db: Connection, row: Row[Any]) -> Doubtful | None:
        same = (messages.c.phone == row.phone) & (messages.c.provider == row.provider) & (messages.c.id != row.id)
        others = db.scalars(select(messages.c.provider_id).where(same, messages.c.provider_id.is_not(None)))
        try:
            number = number_of(self._keys, row)
        except KeyProblem as problem:
            log.error("reconcile.sealed", message=row.id, error=str(problem))
            return None
        return Doubtful(
            id=row.id,
            number=number,
            text=row.text,
            since=row.sent or row.not_before,
            until=row.changed,
            provider_id=row.provider_id,
            others=frozenset(others),
        )

    def _settle(self, db: Connection, receipt: Receipt) -> bool:
        if receipt.message is None or receipt.status is None:
            return False
        this = messages.c.id == receipt.message
        same_id = (messages.c.provider == receipt.provider) & (messages.c.provider_id == receipt.provider_id)
        if db.execute(select(messages.c.id).where(same_id, ~this)).first() is not None:
            return False
        db.execute(
            update(messages).where(this, messages.c.provider_id.is_(None)).values(provider_id=receipt.provider_id)
        )
        if receipt.reason is not None:  # one that failed without a reason is told its reason
            failed = (messages.c.state == State.UNDELIVERED) & messages.c.reason.is_(None)
            db.execute(update(messages).where(this, failed).values(reason=receipt.reason))
        apply(db, receipt.message, receipt.status, receipt.reason, self._now(), self._zone)
        return True
