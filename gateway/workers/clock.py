"""`mati clock`: what is due by the time of day.

Two clocks do no harm, nor does one that is killed in the middle, nor a wall clock put an hour forward or back: what a
task does may be done twice, for it asks the database what is still to do, and works in transactions of its own. What
comes once a day or more rarely has a row in `periods`, written when it is done, so that a missed period is made up;
only the latest one is, whatever the gap. What comes oftener looks anew each time, and each clock does it for itself.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from gateway.bulk import polls
from gateway.config import Settings
from gateway.forums import times as forum_times
from gateway.models import pace
from gateway.models.editions import beginning
from gateway.models.store import DatabaseDown, Store
from gateway.privacy import Keys
from gateway.promises import asking
from gateway.scorecard import closing, weekly
from gateway.times import utc_now
from gateway.workers.housekeeping import count_days, mix_comments, purge

log = structlog.get_logger()

LOOK_SECONDS = 10.0
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
NIGHT = (1, 5)
"""From and until which hour."""
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday's midnight, from which periods are counted, by the programme's clock as if it showed UTC."""


@dataclass(frozen=True)
class Task:
    """Something done again and again."""

    name: str
    every: timedelta
    do: Callable[[datetime], object]
    """Returns what it did, for the log; nothing when there was nothing to do."""
    at: timedelta = timedelta(0)
    """When its period begins: so long after midnight, or after the midnight before Monday."""

    def begins(self, now: datetime, zone: ZoneInfo) -> datetime:
        """When the period in which a moment lies began."""
        local = now.astimezone(zone).replace(tzinfo=UTC)
        first = _MONDAY + self.at
        return (first + (local - first) // self.every * self.every).replace(tzinfo=zone).astimezone(UTC)


def tasks(store: Store, keys: Keys, settings: Settings) -> tuple[Task, ...]:
    """All that the clock does."""
    return (
        Task("purge", HOUR, lambda now: purge(store, settings, now)),
        Task("comments", HOUR, lambda _now: mix_comments(store)),
        Task("closed rounds", MINUTE, lambda now: closing.finish(store, keys, at_night=_is_night(now, settings.zone))),
        Task("forum reminders", MINUTE, lambda now: forum_times.due(store, settings, now)),
        Task("polls", MINUTE, lambda now: polls.close_due(store, keys, settings, now)),
        Task("promises", MINUTE, lambda now: asking.due(store, keys, settings, now)),
        Task("closed days", HOUR, lambda now: count_days(store, settings.zone, now)),
        Task("weekly letters", WEEK, lambda now: weekly.write_all(store, settings, now), at=weekly.HOUR),
    )


def _is_night(now: datetime, zone: ZoneInfo) -> bool:
    """Whether hardly anybody rates: what keeps others waiting is done now."""
    return NIGHT[0] <= now.astimezone(zone).hour < NIGHT[1]


class Clock:
    """Looks at what is due, and does it. One object a process."""

    def __init__(self, store: Store, zone: ZoneInfo, tasks: Sequence[Task]) -> None:
        self._store = store
        self._zone = zone
        self._tasks = tasks
        self._done: dict[str, datetime] = {}

    def look(self, now: datetime) -> None:
        """Does the tasks that are due; one that fails is tried again at the next look, and keeps back no other."""
        for task in self._tasks:
            period = task.begins(now, self._zone)
            if self._done.get(task.name) == period:
                continue
            try:
                if self._is_due(task, period):
                    if done := task.do(now):
                        log.info("clock.done", task=task.name, done=done)
                    self._note(task, period, now)
                self._done[task.name] = period
            except DatabaseDown as error:
                log.error("clock.database_down", task=task.name, error=type(error).__name__)
            except Exception as error:
                log.error("clock.failed", task=task.name, exc_info=error)

    def _is_due(self, task: Task, period: datetime) -> bool:
        """Whether a period is still to be done. One that began before there was an installation is not."""
        if task.every < DAY:
            return True
        following = task.begins(period + task.every + HOUR, self._zone)  # an hour: where clocks change in summer
        with self._store.read() as db:
            begun = beginning(db)
            # the one after it may be done already when the wall clock was put back
            return begun is not None and begun <= period and not pace.is_done(db, task.name, (period, following))

    def _note(self, task: Task, period: datetime, now: datetime) -> None:
        if task.every >= DAY:
            with self._store.write() as db:
                pace.note_done(db, task.name, period, now)


def run(settings: Settings) -> None:
    """Does what is due until told to stop."""
    store = Store(settings.database)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    clock = Clock(store, settings.zone, tasks(store, Keys(settings), settings))
    while not told.is_set():
        clock.look(utc_now())
        told.wait(LOOK_SECONDS)
    store.close()
