"""How far a broadcast is: its messages by state, the speed of the last minute, what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, select

from gateway.bulk import hours
from gateway.config import Settings
from gateway.models.installation import pause
from gateway.models.messages import PAUSED, Kind, State, messages

AHEAD = frozenset({State.QUEUED, State.HELD, State.CLAIMED, State.SENDING})
"""What is still to be handed to a provider, or just being."""
_LOOK = timedelta(minutes=1)


@dataclass(frozen=True)
class Progress:
    """Where the messages of one broadcast stand."""

    states: Mapping[State, int]
    reasons: Mapping[tuple[State, str], int]
    """Messages that did not arrive, or that wait for another attempt, by why."""
    again: int
    """Refused for now: they may be sent again."""
    parts: int
    parts_left: int
    speed: float
    """Segments a second, over the last minute."""
    ends: datetime | None
    """When it is through, at this speed or else at the providers' rates; None when it is, or is kept back."""

    @property
    def total(self) -> int:
        """Messages."""
        return sum(self.states.values())

    @property
    def done(self) -> int:
        """Messages that nothing will be done with any more by ourselves."""
        return self.total - self.left

    @property
    def left(self) -> int:
        """Messages still ahead."""
        return sum(count for state, count in self.states.items() if state in AHEAD)

    @property
    def can_be_cancelled(self) -> int:
        """Messages that a cancellation would stop."""
        return self.left - self.states.get(State.SENDING, 0)


def progress(db: Connection, settings: Settings, broadcast: int, now: datetime) -> Progress:
    """Looks at all messages of a broadcast."""
    m = messages.c
    recent = func.sum(case((m.sent > now - _LOOK, m.parts), else_=0))
    mine = m.broadcast == broadcast
    looked = select(m.state, m.reason, m.for_now, m.provider, m.kind, func.count(), func.sum(m.parts), recent,
                    func.min(m.sent), func.min(m.not_before))  # fmt: skip
    states: Counter[State] = Counter()
    reasons: Counter[tuple[State, str]] = Counter()
    left: Counter[str] = Counter()
    parts = sped = again = 0
    kind, first, begins = Kind.ANNOUNCEMENT, now, None
    for row in db.execute(looked.where(mine).group_by(m.state, m.reason, m.for_now, m.provider, m.kind)):
        state, reason, for_now, provider, kind, count, size, fresh, sent, not_before = row
        states[State(state)] += count
        if reason:
            reasons[State(state), reason] += count
        if state == State.REFUSED and for_now:
            again += count
        if state in AHEAD:
            left[provider] += size
            begins = min(begins or not_before, not_before)
        parts, sped = parts + size, sped + (fresh or 0)
        first = min(first, sent or first)
    seconds = min(max((now - first).total_seconds(), 1.0), _LOOK.total_seconds())
    speed = sped / seconds
    ends = None
    if begins is not None and not states[State.HELD]:
        rates = {provider: getattr(settings, f"{provider}_rate") for provider in left}
        needs = sum(left.values()) / speed if speed else max(size / rates[provider] for provider, size in left.items())
        ends = hours.until(max(now, begins), needs, settings.zone, pause(db) if kind in PAUSED else None)
    return Progress(
        states={state: states[state] for state in State if states[state]},
        reasons=dict(reasons.most_common()),
        again=again,
        parts=parts,
        parts_left=sum(left.values()),
        speed=speed,
        ends=ends,
    )


def done_of(db: Connection, broadcasts: Sequence[int]) -> Mapping[int, tuple[int, int]]:
    """For each of some broadcasts how many messages are done, and how many there are."""
    m = messages.c
    ahead = func.sum(case((m.state.in_([str(state) for state in AHEAD]), 1), else_=0))
    counted = select(m.broadcast, func.count() - ahead, func.count()).where(m.broadcast.in_(broadcasts))
    return {row[0]: (row[1], row[2]) for row in db.execute(counted.group_by(m.broadcast))}
