"""Retention: what is no longer needed is removed (DOMAIN.md, Privacy)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete

from gateway.models.conversations import SESSION, conversations
from gateway.models.messages import inbound, receipts
from gateway.models.store import Store

INBOUND_DAYS = 7
RECEIPT_DAYS = 7
TALK = timedelta(days=1)
assert TALK > SESSION  # a session that may still be on the line keeps its row


def purge(store: Store, now: datetime) -> dict[str, int]:
    """Removes inbound SMS and receipts after 7 days, talks after one; returns how many of each it removed."""
    with store.write() as db:
        removed = {
            "inbound SMS": db.execute(
                delete(inbound).where(inbound.c.received < now - timedelta(days=INBOUND_DAYS))
            ).rowcount,
            "receipts": db.execute(
                delete(receipts).where(receipts.c.received < now - timedelta(days=RECEIPT_DAYS))
            ).rowcount,
            "talks": db.execute(delete(conversations).where(conversations.c.touched < now - TALK)).rowcount,
        }
    return {what: count for what, count in removed.items() if count}
