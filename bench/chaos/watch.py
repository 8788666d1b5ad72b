"""Watches while messages go out: what the provider has taken, and whether anything waits to be sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError

from gateway.models.messages import State, messages
from gateway.models.store import Store

LOOK = 0.05
SAMPLE = 0.5
"""Seconds between two looks into the outbox."""


@dataclass(frozen=True)
class Sample:
    """Whether messages were waiting at a moment; None: the database did not say."""

    at: float
    waiting: bool | None


@dataclass
class Watch:
    """What was seen so far. Times are seconds since 1970, as the stub's."""

    log: Path
    store: Store
    lines: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._follow, self._sample)]
        for thread in self._threads:
            thread.start()

    @property
    def taken(self) -> int:
        """Messages that the provider has taken."""
        return len(self.lines)

    def stop(self) -> None:
        """Looks once more, and ends."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def pause(self) -> float:
        """The longest time in which messages waited and none was taken, in seconds."""
        return longest_pause([moment(line) for line in self.lines], self.samples)

    def rate(self) -> float:
        """Messages a second, from the first to the last that was taken."""
        if len(self.lines) < 2:
            return 0.0
        return len(self.lines) / max(moment(self.lines[-1]) - moment(self.lines[0]), 0.001)

    def _follow(self) -> None:
        with self.log.open() as file:
            rest = ""
            while True:
                last = self._stopped.is_set()
                rest += file.read()
                *whole, rest = rest.split("\n")
                self.lines += [json.loads(line) for line in whole]
                if last:
                    return
                time.sleep(LOOK)

    def _sample(self) -> None:
        while not self._stopped.is_set():
            at = time.time()
            try:
                self.samples.append(Sample(at, something_waits(self.store)))
            except DBAPIError:
                self.samples.append(Sample(at, None))
            self._stopped.wait(SAMPLE)


def something_waits(store: Store) -> bool:
    """Whether a message is due, or was claimed by a worker whose lease is over."""
    now = datetime.now(UTC)
    due = (messages.c.state == State.QUEUED) & (messages.c.not_before <= now)
    left = (messages.c.state == State.CLAIMED) & (messages.c.lease < now)
    with store.read() as db:
        return db.scalar(select(messages.c.id).where(or_(due, left)).limit(1)) is not None


def moment(line: dict[str, Any]) -> float:
    """When the stub took a message."""
    return datetime.fromisoformat(line["at"]).timestamp()


def longest_pause(taken: Sequence[float], samples: Sequence[Sample]) -> float:
    """The longest time in which messages waited and none was taken.

    What waits for the lease of a dead worker alone is not waiting yet. While the database says nothing, what it said
    last is taken to be so.
    """
    marks = sorted([(at, "taken") for at in taken] + [(s.at, _SAID[s.waiting]) for s in samples])
    longest, since, waits = 0.0, None, False
    for at, what in marks:
        if since is not None and waits:
            longest = max(longest, at - since)
        if what == "taken":
            since = at if waits else None
        elif what == "waiting":
            since, waits = (at if since is None else since), True
        elif what == "nothing":
            since, waits = None, False
    return longest


_SAID = {True: "waiting", False: "nothing", None: "unknown"}
