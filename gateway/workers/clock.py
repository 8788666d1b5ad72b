"""`mati clock`: what is due by the time of day. Two clocks do no harm: each task may be done twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gateway.config import Settings
from gateway.conversation import utc_now
from gateway.models.store import DatabaseDown, Store
from gateway.workers.housekeeping import purge

log = structlog.get_logger()

LOOK_SECONDS = 10.0


@dataclass
class Task:
    """Something done again and again."""

    name: str
    every: timedelta
    do: Callable[[datetime], object]
    due: datetime


def run(settings: Settings) -> None:
    """Does what is due until told to stop."""
    store = Store(settings.database)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    tasks = [Task("purge", timedelta(hours=1), lambda now: purge(store, now), utc_now())]
    while not told.is_set():
        do_due(tasks, utc_now())
        told.wait(LOOK_SECONDS)
    store.close()


def do_due(tasks: list[Task], now: datetime) -> None:
    """Does the tasks that are due; one that fails is tried again at its next time."""
    for task in tasks:
        if task.due > now:
            continue
        task.due = now + task.every
        try:
            if done := task.do(now):
                log.info("clock.done", task=task.name, done=done)
        except DatabaseDown as error:
            log.error("clock.database_down", task=task.name, error=type(error).__name__)
        except Exception as error:
            log.error("clock.failed", task=task.name, exc_info=error)
