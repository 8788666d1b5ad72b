"""Receipts: a provider's word on what became of a message.

It comes twice, late, out of order, and before our own commit; the table of moves sees to it that a state only
goes forward.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, delete, select, tuple_, update

from gateway.config import Settings
from gateway.models.messages import Move, messages, move, opt_out, receipts
from gateway.models.store import Store, insert, insert_new
from gateway.providers.base import Delivery, Reason, Receipt
from gateway.times import utc_now

log = structlog.get_logger()

_HAS_ID = messages.c.provider_id.is_not(None)
MOVES = {Delivery.ON_THE_WAY: Move.ACCEPT, Delivery.DELIVERED: Move.DELIVER, Delivery.FAILED: Move.FAIL}
"""What a receipt does to a message."""


class ReceiptDesk:
    """Takes receipts in. One object a process; safe for threads."""

    def __init__(self, store: Store, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._zone = settings.zone
        self._now = now

    def receive(self, receipt: Receipt) -> None:
        """Applies a receipt, or keeps it until the message is settled."""
        if receipt.status is None:
            log.warning("receipt.unknown_status", provider=receipt.provider, status=receipt.said)
            return
        now = self._now()
        with self._store.write() as db:
            if receipt.message is not None:
                this = (messages.c.id == receipt.message) & (messages.c.provider == receipt.provider)
                found = db.scalar(select(messages.c.id).where(this))
                if receipt.provider_id and _find(db, receipt.provider, receipt.provider_id) is None:
                    db.execute(update(messages).where(this, ~_HAS_ID).values(provider_id=receipt.provider_id))
            else:
                found = _find(db, receipt.provider, receipt.provider_id)
            if found is None:
                kept = {
                    "provider": receipt.provider, "provider_id": receipt.provider_id, "move": receipt.status,
                    "reason": receipt.reason, "received": now,
                }  # fmt: skip
                insert_new(db, insert(receipts, db.dialect.name).values(kept))
            else:
                apply(db, found, receipt.status, receipt.reason, now, self._zone)


def apply(db: Connection, message: str, status: Delivery, reason: str | None, now: datetime, zone: ZoneInfo) -> None:
    """Moves a message as its receipt says; a provider's opt-out is one here too."""
    move(db, MOVES[status], [message], now, lease=None, reason=reason)
    if reason == Reason.OPTED_OUT:
        phone = db.scalars(select(messages.c.phone).where(messages.c.id == message)).one()
        if phone is not None:  # not forgotten
            opt_out(db, phone, now.astimezone(zone).date(), "provider")


def apply_kept(db: Connection, now: datetime, zone: ZoneInfo, given: Collection[str] | None = None) -> int:
    """Applies the receipts that came before their message was settled; returns how many.

    `given`: only those of these provider's ids. Others' may be many: of who shares our account at the provider.
    """
    waiting = select(receipts, messages.c.id.label("message")).join(
        messages, (messages.c.provider == receipts.c.provider) & (messages.c.provider_id == receipts.c.provider_id)
    )
    if given is not None:
        waiting = waiting.where(receipts.c.provider_id.in_(given))
    rows = db.execute(waiting.order_by(receipts.c.received)).all()
    for row in rows:
        apply(db, row.message, Delivery(row.move), row.reason, now, zone)
        this = (receipts.c.provider, receipts.c.provider_id, receipts.c.move)  # another may have come meanwhile
        db.execute(delete(receipts).where(tuple_(*this) == tuple_(row.provider, row.provider_id, row.move)))
    return len(rows)


def _find(db: Connection, provider: str, provider_id: str) -> str | None:
    mine = (messages.c.provider == provider) & (messages.c.provider_id == provider_id)
    return db.scalar(select(messages.c.id).where(mine))
