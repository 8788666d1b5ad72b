"""What was said of a forum and what will be, in the order of time: how far each is, or why it is left out."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, func, select

from gateway.bulk import hours
from gateway.bulk.progress import AHEAD
from gateway.config import Settings
from gateway.forums.facts import Forum
from gateway.forums.times import Planned, Skipped, Which, announced, key, plan
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.forums import REACHED
from gateway.models.installation import pause
from gateway.models.messages import State, messages


class Point(enum.Enum):
    """How far something to be said is."""

    DRAFT = "draft"
    WAITING = "waiting"
    """For approval."""
    PLANNED = "planned"
    GOING = "going"
    SAID = "said"
    PAUSED = "paused"
    ENDED = "ended"
    """Before all of it was sent, by a change of the forum or by staff."""
    MISSED = "missed"
    """Its time passed while the clock stood still, or before an approval."""
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Chapter:
    """One thing said to many, or to be said."""

    what: str
    """`invitation`, `invitation anew` after a move, `week`, `eve`, `morning`, `moved`, `cancelled`, `outcome`; with
    `first` behind it for who was not told before, or `at once`."""
    point: Point
    at: datetime | None = None
    broadcast: int | None = None
    reached: int = 0
    ahead: int = 0
    lost: int = 0
    """Refused, too late, cancelled, not delivered."""
    skipped: Skipped | None = None


def story(db: Connection, settings: Settings, forum: Forum, now: datetime) -> list[Chapter]:
    """All chapters, the first first."""
    b, m = broadcasts.c, messages.c
    rows = db.execute(select(broadcasts).where(b.forum == forum.id).order_by(b.id)).all()
    counts: dict[int, Counter[State]] = {row.id: Counter() for row in rows}
    counted = select(m.broadcast, m.state, func.count()).where(m.broadcast.in_(counts)).group_by(m.broadcast, m.state)
    for broadcast, state, count in db.execute(counted):
        counts[broadcast][State(state)] = count
    there = {row.key for row in rows}
    chapters = [_said(forum, row, counts[row.id]) for row in rows]
    if not forum.cancelled:
        told = announced(db, forum)
        then = told or hours.next_possible(now, settings.zone, pause(db))
        planned = [one for one in plan(forum, settings.zone, then) if key(forum, one.which) not in there]
        chapters += [_planned(one, now, told is not None) for one in planned]
    return sorted(chapters, key=lambda one: (one.at or now, one.broadcast or float("inf")))


def _said(forum: Forum, row: Row[tuple[object, ...]], states: Counter[State]) -> Chapter:
    named = str(row.key).removeprefix(f"forum {forum.id} ") if row.key else f"{row.kind} "
    what, _, revision = named.rpartition(" ")
    ahead = sum(states[state] for state in AHEAD - {State.SENDING})
    point = _POINTS.get(Stage(row.stage), Point.GOING if ahead or states[State.SENDING] else Point.SAID)
    reached = sum(states[state] for state in REACHED)
    if what == Which.INVITATION and row.author is None and revision != "1":  # by the clock
        what = _ANEW
    return Chapter(
        what=what or "outcome",
        point=point,
        at=row.start if row.approved else None,
        broadcast=row.id,
        reached=reached,
        ahead=ahead,
        lost=states.total() - reached - ahead,
    )


def _planned(one: Planned, now: datetime, announced: bool) -> Chapter:
    if one.which is Which.INVITATION:
        return Chapter(_ANEW, Point.PLANNED, one.at if announced else None)
    if one.skipped:
        return Chapter(one.which, Point.LEFT_OUT, one.at, skipped=one.skipped)
    return Chapter(one.which, Point.PLANNED if now < one.until else Point.MISSED, one.at)


_ANEW = "invitation anew"
_POINTS = {
    Stage.DRAFT: Point.DRAFT,
    Stage.WAITING: Point.WAITING,
    Stage.PAUSED: Point.PAUSED,
    Stage.CANCELLED: Point.ENDED,
}
