"""One row of the table as it is played: waiting for the right moment, doing harm, putting it right again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from bench.chaos.audit import Entry
from bench.chaos.ground import Ground
from bench.chaos.held import Held
from bench.chaos.watch import Watch
from gateway.models.messages import State, messages, number_of

ON_ITS_WAY = (State.QUEUED, State.HELD, State.CLAIMED, State.SENDING)
STUCK = 150.0
"""Seconds without anything happening after which a row is given up: a lease is 60, a pause after refusals 30."""


class Stuck(Exception):
    """The messages do not go on; the message says how far they came."""


@dataclass
class Play:
    """What the script of a row has at hand."""

    ground: Ground
    watch: Watch
    messages: int
    say: Callable[[str], None]
    faults: int = 0
    """Done so far."""
    chance: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311  # no secret

    def workers(self, count: int) -> list[Held]:
        """Starts so many."""
        found = [self.ground.role("worker") for _ in range(count)]
        for worker in found:
            worker.start()
        return found

    def role(self, name: str) -> Held:
        """One of the processes, such as `worker 2`."""
        return self.ground.held[name]

    def until_taken(self, share: float) -> None:
        """Waits until the provider has taken that share of the messages, and a moment more. Raises Stuck."""
        wanted = int(self.messages * share)
        seen, since = -1, time.monotonic()
        while self.watch.taken < wanted:
            if self.watch.taken != seen:
                seen, since = self.watch.taken, time.monotonic()
            elif time.monotonic() - since > STUCK:
                raise Stuck(f"{seen:,} of {wanted:,} messages were taken, and no more for {STUCK:g} seconds")
            self.report()
            time.sleep(0.01)
        time.sleep(self.chance.uniform(0, 0.05))

    def spread(self, faults: int, first: float = 0.02, last: float = 0.9) -> list[float]:
        """Shares of the messages at which to do harm."""
        return [first + (last - first) * n / max(faults - 1, 1) for n in range(faults)]

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.report()
            time.sleep(min(left, 0.5))

    def fault(self, count: int = 1) -> None:
        """Notes that harm was done."""
        self.faults += count
        self.report()

    def settle(self) -> None:
        """Waits until nothing is on its way and all receipts are in. Raises Stuck."""
        seen: tuple[object, ...] = ()
        since = time.monotonic()
        while True:
            found = self._standing()
            if found is not None:
                counts, summary = found
                waiting = sum(counts.get(state, 0) for state in ON_ITS_WAY)
                if not waiting and not summary["receipts_waiting"]:
                    return
                now = (tuple(sorted(counts.items())), summary["receipts_waiting"], self.watch.taken)
                if now != seen:
                    seen, since = now, time.monotonic()
            if time.monotonic() - since > STUCK:
                raise Stuck(f"nothing happens any more: {found}")
            self.report()
            time.sleep(0.25)

    def report(self) -> None:
        """A line of progress. Raises Stuck when a process has ended that nobody ended."""
        if gone := [held.name for held in self.ground.held.values() if held.stays and not held.runs]:
            raise Stuck(f"ended by itself: {', '.join(gone)}")
        self.say(f"{self.watch.taken:,} of {self.messages:,} taken, {self.faults} faults")

    def entries(self) -> list[Entry]:
        """All messages, as our database has them."""
        with self.ground.store.read() as db:
            rows = db.execute(select(messages)).all()
        return [Entry(row.id, number_of(self.ground.keys, row), State(row.state)) for row in rows]

    def _standing(self) -> tuple[dict[State, int], dict[str, int]] | None:
        try:
            with self.ground.store.read() as db:
                rows = db.execute(select(messages.c.state, func.count()).group_by(messages.c.state))
                counts = {State(state): count for state, count in rows}
        except DBAPIError:
            return None
        return counts, self.ground.summary()
