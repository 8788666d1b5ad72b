"""The audit: what the provider's log says, held against what our database says. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.models.messages import State

WENT_OUT = frozenset({State.ACCEPTED, State.DELIVERED, State.UNDELIVERED})
"""States that say: the provider has taken it."""


@dataclass(frozen=True)
class Entry:
    """A message in our database at the end."""

    id: str
    number: str
    state: State


@dataclass(frozen=True)
class Audit:
    """What became of the messages."""

    written: int
    taken: int
    """Messages that the provider took at least once."""
    twice: int
    """Messages that it took more than once."""
    lost: int
    """Messages that are gone, stuck on their way, given up, or said to be sent that the provider never saw."""
    doubtful_taken: int
    """Left unconfirmed, though the provider took them."""
    doubtful_untaken: int
    """Left unconfirmed, and the provider never saw them."""

    @property
    def doubtful(self) -> int:
        """Messages that staff have to decide on."""
        return self.doubtful_taken + self.doubtful_untaken


def audit(written: int, entries: Sequence[Entry], lines: Iterable[Mapping[str, Any]]) -> Audit:
    """Holds the stub's lines against the database; `written`: so many messages were put out.

    By our id where the provider is told it, else by the number: each row of the table writes once to a number.
    """
    by_number = {entry.number: entry.id for entry in entries}
    taken = Counter(str(line["ours"] or by_number.get(line["number"], line["number"])) for line in lines)
    known = {entry.id for entry in entries}
    lost = written - len(entries) + len(taken.keys() - known)
    doubtful = Counter[bool]()
    for entry in entries:
        if entry.state is State.UNCONFIRMED:
            doubtful[entry.id in taken] += 1
        elif entry.state not in WENT_OUT or entry.id not in taken:
            lost += 1
    return Audit(
        written=written,
        taken=len(taken),
        twice=sum(count > 1 for count in taken.values()),
        lost=lost,
        doubtful_taken=doubtful[True],
        doubtful_untaken=doubtful[False],
    )


def doubted(log: str) -> int:
    """How often a message came to be in doubt, by the log of the workers."""
    total = 0
    for line in log.splitlines():
        if '"outbox.unconfirmed"' in line:
            total += int(json.loads(line).get("count", 1))
    return total
