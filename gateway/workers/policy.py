"""When a message may be sent: the one retry policy, the quiet hours, the pause."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.models.messages import PAUSED, Kind

QUIET_FROM, QUIET_TO = 19, 8
"""Hours of the programme's day between which only answers are sent (DOMAIN.md, Phones)."""
URGENT_UNTIL = 21
"""The hour until which an urgent notice is sent all the same."""
_PAUSES = (10, 30, 120, 600, 1800, 3600, 7200)
_LONGEST = timedelta(hours=2)


def retry_after(attempts: int, asked: float | None = None) -> timedelta | None:
    """How long to wait after so many attempts that were refused for now; None when it is no use any more.

    A provider may have `asked` for more seconds, up to two hours.
    """
    if attempts > len(_PAUSES):
        return None
    return min(timedelta(seconds=max(_PAUSES[attempts - 1], asked or 0)), _LONGEST)


def is_quiet(now: datetime, zone: ZoneInfo) -> bool:
    """Whether these are the quiet hours."""
    return not QUIET_TO <= now.astimezone(zone).hour < QUIET_FROM


def kinds_now(now: datetime, zone: ZoneInfo, paused: bool) -> frozenset[Kind]:
    """What may be sent now; `paused`: this day lies between the two dates of a pause."""
    if not is_quiet(now, zone):
        return frozenset(Kind) - PAUSED if paused else frozenset(Kind)
    evening = QUIET_FROM <= now.astimezone(zone).hour < URGENT_UNTIL
    return frozenset({Kind.ANSWER, Kind.URGENT}) if evening else frozenset({Kind.ANSWER})
