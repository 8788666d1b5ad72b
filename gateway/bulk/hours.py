"""When bulk may go: the hours of the programme's day, the pause, and how long a long list takes within them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.workers.policy import QUIET_FROM, QUIET_TO

Days = tuple[date, date]
"""The first and the last day of a pause, inclusive."""


def next_possible(moment: datetime, zone: ZoneInfo, pause: Days | None = None) -> datetime:
    """The moment itself, or the first one after it that is neither in the quiet hours nor in the pause."""
    local = moment.astimezone(zone)
    if local.hour >= QUIET_FROM:
        local = _morning(local.date() + timedelta(days=1), zone)
    elif local.hour < QUIET_TO:
        local = _morning(local.date(), zone)
    if pause and pause[0] <= local.date() <= pause[1]:
        local = _morning(pause[1] + timedelta(days=1), zone)
    return local


def until(start: datetime, seconds: float, zone: ZoneInfo, pause: Days | None = None) -> datetime:
    """When so many seconds of sending from a start on are over; nights and the pause do not count.

    What takes longer than a year of such days is said to take a year.
    """
    seconds = min(seconds, 365 * (QUIET_FROM - QUIET_TO) * 3600)
    while True:
        start = next_possible(start, zone, pause)
        evening = datetime.combine(start.date(), time(QUIET_FROM), zone)
        room = (evening - start).total_seconds()
        if seconds <= room:
            return start + timedelta(seconds=seconds)
        seconds -= room
        start = evening


def offered(now: datetime, zone: ZoneInfo, pause: Days | None = None) -> datetime:
    """The next possible time as it is offered to staff: of a whole minute, not yet begun."""
    return next_possible(now.replace(second=0, microsecond=0) + timedelta(minutes=1), zone, pause)


def written(text: str, zone: ZoneInfo) -> datetime:
    """A time as staff write it, `2026-12-01 09:00` or ISO; without an offset it is the programme's local time.

    Raises ValueError.
    """
    text = text.strip()
    moment = datetime.fromisoformat(text)
    if len(text) <= len("2026-12-01"):
        raise ValueError("a day without a time")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _morning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(QUIET_TO), zone)
