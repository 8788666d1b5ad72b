"""When a message may be sent: the one retry policy, and the quiet hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

QUIET_FROM, QUIET_TO = 19, 8
"""Hours of the programme's day between which only answers are sent (DOMAIN.md, Phones)."""
_PAUSES = (10, 30, 120, 600, 1800, 3600, 7200)


def retry_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts that were refused for now; None when it is no use any more."""
    return timedelta(seconds=_PAUSES[attempts - 1]) if attempts <= len(_PAUSES) else None


def is_quiet(now: datetime, zone: ZoneInfo) -> bool:
    """Whether nothing but answers is sent now."""
    hour = now.astimezone(zone).hour
    return hour >= QUIET_FROM or hour < QUIET_TO
