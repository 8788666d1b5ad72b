"""Retention: what is no longer needed is removed (DOMAIN.md, Privacy)."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete

from gateway.forums import forums
from gateway.models import rollups
from gateway.models.conversations import SESSION, conversations
from gateway.models.messages import inbound, receipts
from gateway.models.pace import periods
from gateway.models.store import Store
from gateway.models.uploads import forget_uploads

INBOUND_DAYS = 7
RECEIPT_DAYS = 7
PERIOD_DAYS = 60
"""Longer than the longest period of a task: one that was done is never taken for missed."""
TALK = timedelta(days=1)
assert TALK > SESSION  # a session that may still be on the line keeps its row


def count_days(store: Store, zone: ZoneInfo, now: datetime) -> int:
    """Counts the days that have closed, and anew those that changed since; returns how many days of communes' rounds.

    Twenty minutes after midnight at the earliest: an answer that is on its way has come by then.
    """
    yesterday = (now - timedelta(minutes=20)).astimezone(zone).date() - timedelta(days=1)
    with store.write() as db:
        counted = rollups.roll(db, yesterday)
    while True:
        with store.write() as db:
            again = rollups.roll_stale(db)
        counted += again
        if not again:
            return counted


def purge(store: Store, now: datetime) -> dict[str, int]:
    """Removes inbound SMS and receipts after 7 days, talks after one, the clock's finished periods after 60.

    Makes counts of the replies to forums of a week ago. Returns how many of each it removed.
    """
    with store.write() as db:
        removed = {
            "inbound SMS": db.execute(
                delete(inbound).where(inbound.c.received < now - timedelta(days=INBOUND_DAYS))
            ).rowcount,
            "receipts": db.execute(
                delete(receipts).where(receipts.c.received < now - timedelta(days=RECEIPT_DAYS))
            ).rowcount,
            "periods": db.execute(delete(periods).where(periods.c.done < now - timedelta(days=PERIOD_DAYS))).rowcount,
            "forums' replies": forums.forget_replies(db, now),
            "files brought to the panel": forget_uploads(db, now),
            "talks": db.execute(delete(conversations).where(conversations.c.touched < now - TALK)).rowcount,
        }
    return {what: count for what, count in removed.items() if count}
