"""Which provider sends: by operator, by preference, and past one that fails again and again.

A provider that fails several times in a row is left alone for a while. What still waits for it is handed to the next
one; what it may have sent is never sent again by another (DESIGN.md, The outbox).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, case, select, update

from gateway.config import Settings
from gateway.models.health import provider_changes, provider_health, resting
from gateway.models.messages import State, messages
from gateway.models.store import insert
from gateway.phones import operator
from gateway.providers import sending
from gateway.providers.base import Accepted, Outcome, Reason, Refused, Unknown

log = structlog.get_logger()

FAILURES = 5
"""So many messages in a row that a provider failed to take, and it rests."""
REST = timedelta(minutes=5)
FRESH = timedelta(seconds=30)
"""So exactly is kept when a provider last took a message: the workers of a provider that is well never wait for its
row."""
_ITS_OWN = {Reason.GATEWAY_DOWN, Reason.NO_BALANCE, Reason.THROTTLED, Reason.SETUP, Reason.NO_ANSWER, Reason.CUT_OFF,
            Reason.UNCLEAR}  # fmt: skip
"""Reasons that lie with the provider, not with the number or the text."""


def choose(db: Connection, settings: Settings, number: str, now: datetime, came_by: str | None = None) -> str:
    """Who sends to a number; `came_by`: the way its question came is taken first."""
    return chooser(db, settings, now)(operator(number), came_by)


def chooser(db: Connection, settings: Settings, now: datetime) -> Callable[[str | None, str | None], str]:
    """Who sends, by a number's operator: the way the question came, else the operator's route, else by preference.

    One that rests is passed over when another can send.
    """
    can, tired = sending(settings), resting(db, now)

    def choice(company: str | None, came_by: str | None = None) -> str:
        routed = settings.routes.get(company or "")
        wanted = [name for name in (came_by, routed, *settings.providers, *can) if name in can]
        return next((name for name in wanted if name not in tired), wanted[0])

    return choice


def note(db: Connection, settings: Settings, provider: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Counts a provider's failures after a batch; when they are too many in a row, it rests and another takes over."""
    mine = select(provider_health).where(provider_health.c.provider == provider)
    took = any(isinstance(outcome, Accepted) for outcome in outcomes)
    if not any(map(_fault, outcomes)) and not _is_news(db.execute(mine).first(), took, now):
        return
    health = db.execute(mine.with_for_update()).first()
    failures = health.failures if health else 0
    rests = health.rests_until if health else None
    last: Reason | None = None
    for outcome in outcomes:
        if reason := _fault(outcome):
            failures, last = failures + 1, reason
        elif isinstance(outcome, Accepted):
            failures = 0
    changed: datetime | None = rests
    if failures == 0 and rests is not None:
        _record(db, provider, "back", "it takes messages again", None, 0, now)
        changed = None
    elif failures >= FAILURES and last is not None and (rests is None or rests <= now):
        changed = now + REST
        other = next((n for n in settings.providers if n != provider and n not in resting(db, now)), None)
        moved = _hand_over(db, provider, other, now) if other else 0
        _record(db, provider, "rests", str(last), other, moved, now)
    accepted = now if took else health.accepted if health else None
    values = {"provider": provider, "failures": failures, "rests_until": changed, "accepted": accepted}
    statement = insert(provider_health, db.dialect.name).values(values)
    db.execute(statement.on_conflict_do_update(index_elements=[provider_health.c.provider], set_=values))


def _fault(outcome: Outcome) -> Reason | None:
    """The reason that lies with the provider why a message did not go, or may not have gone."""
    return outcome.reason if isinstance(outcome, Refused | Unknown) and outcome.reason in _ITS_OWN else None


def _is_news(health: Row[Any] | None, took: bool, now: datetime) -> bool:
    """Whether what went well changes anything of what is known of a provider."""
    if health is None:
        return took
    is_well = health.failures == 0 and health.rests_until is None
    return took and not (is_well and health.accepted is not None and health.accepted > now - FRESH)


def _hand_over(db: Connection, provider: str, other: str, now: datetime) -> int:
    """Hands what waits for a provider to another: it was never sent, or was refused.

    What was refused goes at once; what is to go later, goes later.
    """
    waiting = (messages.c.provider == provider) & (messages.c.state == State.QUEUED)
    due = case((messages.c.attempts > 0, now), else_=messages.c.not_before)
    return db.execute(update(messages).where(waiting).values(provider=other, not_before=due, changed=now)).rowcount


def _record(
    db: Connection, provider: str, change: str, reason: str, other: str | None, moved: int, now: datetime
) -> None:
    log.warning("provider.change", provider=provider, change=change, reason=reason, other=other, messages=moved)
    db.execute(
        provider_changes.insert().values(
            at=now, provider=provider, change=change, reason=reason, taken_over_by=other, messages=moved
        )
    )
