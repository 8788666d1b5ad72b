"""The sweep: what becomes of messages that no worker has in hand. Every worker does it; twice does no harm."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, exists, select

from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import QUEUED, WAITING, Kind, Move, messages, move_idle, opt_outs
from gateway.providers.base import Reason
from gateway.receipts import apply_kept

log = structlog.get_logger()

FOLLOWED = timedelta(hours=1)
"""So long after a broadcast was paused or cancelled one of its messages may come back to the queue, refused for now."""


def sweep(db: Connection, now: datetime, zone: ZoneInfo) -> None:
    """Takes back what lost its worker, lets lapse what is too old, keeps back and cancels, applies early receipts."""
    _follow_broadcasts(db, now)  # first: who pauses one locks it before its messages, too
    late = messages.c.lease < now
    move_idle(db, Move.LAPSE, now, late, lease=None, worker=None)
    lost = move_idle(db, Move.DOUBT, now, late, lease=None, reason=Reason.WORKER_LOST)
    move_idle(db, Move.EXPIRE, now, WAITING, messages.c.expires <= now)
    stopped = exists().where(opt_outs.c.phone == messages.c.phone)
    to_nobody = (WAITING, messages.c.expires > now, messages.c.kind != Kind.ANSWER, stopped)
    move_idle(db, Move.CANCEL, now, *to_nobody, reason=Reason.OPTED_OUT)
    apply_kept(db, now, zone)
    if lost:
        log.warning("outbox.unconfirmed", count=lost, why=str(Reason.WORKER_LOST))


def _follow_broadcasts(db: Connection, now: datetime) -> None:
    """What came back to the queue after its broadcast was paused or cancelled goes where the others went."""
    lately = broadcasts.c.changed > now - FOLLOWED
    for stage, what in ((Stage.PAUSED, Move.HOLD), (Stage.CANCELLED, Move.CANCEL)):
        # locked, so that none is held back by one who has not seen that it goes on
        there = select(broadcasts.c.id).where(broadcasts.c.stage == stage, lately).with_for_update(read=True)
        if ids := db.scalars(there).all():
            move_idle(db, what, now, QUEUED, messages.c.broadcast.in_(ids))
