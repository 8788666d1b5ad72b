"""What staff decide about messages that the gateway by itself sends no more: those in doubt, and those given up.

Each does nothing to a message that was settled meanwhile, so a second click does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import Move, State, messages, move_where


def went_out(db: Connection, ids: Sequence[str], now: datetime) -> int:
    """Of messages in doubt: they count as sent. Returns how many."""
    doubtful = messages.c.state == State.UNCONFIRMED  # what is just being sent is nobody's to decide
    return move_where(db, Move.ACCEPT, now, messages.c.id.in_(ids), doubtful, reason=None, lease=None)


def send_again(db: Connection, ids: Sequence[str], now: datetime) -> int:
    """Of messages in doubt: they go out once more, unless it is too late for them. Returns how many."""
    return move_where(db, Move.RESEND, now, messages.c.id.in_(ids), *_may_go(now), **_anew(now))


def try_again(db: Connection, ids: Sequence[str], now: datetime) -> int:
    """Of messages that were refused for now until the retry policy gave up: it begins anew. Returns how many."""
    return move_where(db, Move.RETRY, now, messages.c.id.in_(ids), messages.c.for_now, *_may_go(now), **_anew(now))


def _may_go(now: datetime) -> tuple[Any, ...]:
    cancelled = select(broadcasts.c.id).where(broadcasts.c.stage == Stage.CANCELLED)
    goes_on = or_(messages.c.broadcast.is_(None), messages.c.broadcast.not_in(cancelled))
    return messages.c.expires > now, goes_on, messages.c.number.is_not(None)


def _anew(now: datetime) -> dict[str, Any]:
    return {"attempts": 0, "reason": None, "for_now": False, "not_before": now}
