"""What a provider's own list says settles messages in doubt, and never the wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.models.messages import Draft, Kind, messages, write
from gateway.providers.base import Accepted, Delivery, Doubtful, Outcome, Outgoing, Reason, Receipt, Sender, Unknown
from gateway.workers.outbox import Outbox
from gateway.workers.reconcile import Reconciler
from tests.conftest import Installation

NUMBER = "+85510000001"


class Lister(Sender):
    """A provider that takes messages without a word, and has a list of what it took."""

    name = "simulator"

    def __init__(self, says: Outcome, listed: dict[str, Any]) -> None:
        self.says = says
        self.listed = listed
        self.asked: list[Doubtful] = []

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        return [self.says for _ in batch]

    def look_up(self, doubtful: Sequence[Doubtful], seconds: float) -> list[Receipt]:
        self.asked += doubtful
        return [Receipt(self.name, message=one.id, said="", **self.listed) for one in doubtful]


def queue(installation: Installation) -> str:
    now = installation.clock.now
    with installation.store.write() as db:
        draft = Draft(Kind.ANSWER, NUMBER, "Hello", "simulator", now, now + timedelta(hours=1))
        return write(db, installation.keys, draft, now)


def run(installation: Installation, sender: Lister, after: timedelta = timedelta(minutes=2)) -> int:
    i = installation
    Outbox(i.store, i.keys, i.settings, sender, now=i.clock).drain()
    i.clock.now += after
    return Reconciler(i.store, i.keys, i.settings, sender, now=i.clock).look()


def row(installation: Installation, message: str) -> Any:
    with installation.store.read() as db:
        return db.execute(select(messages).where(messages.c.id == message)).one()


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        (Delivery.DELIVERED, None, "delivered"),
        (Delivery.ON_THE_WAY, None, "accepted"),
        (Delivery.FAILED, Reason.UNREACHABLE, "undelivered"),
    ],
    ids=["delivered", "on its way", "failed"],
)
def test_a_message_in_doubt_is_settled(
    installation: Installation, status: Delivery, reason: Reason | None, state: str
) -> None:
    message = queue(installation)
    sender = Lister(Unknown(Reason.NO_ANSWER), {"provider_id": "p1", "status": status, "reason": reason})
    assert run(installation, sender) == 1
    assert (sender.asked[0].number, sender.asked[0].text) == (NUMBER, "Hello")
    found = row(installation, message)
    assert (found.state, found.provider_id, found.reason) == (state, "p1", reason)


def test_one_that_is_in_doubt_since_a_moment_is_not_asked_for(installation: Installation) -> None:
    queue(installation)
    sender = Lister(Unknown(Reason.NO_ANSWER), {"provider_id": "p1", "status": Delivery.DELIVERED})
    assert run(installation, sender, after=timedelta(seconds=30)) == 0
    assert sender.asked == []


def test_one_that_was_accepted_is_not_asked_for(installation: Installation) -> None:
    queue(installation)
    sender = Lister(Accepted("p1"), {"provider_id": "p1", "status": Delivery.DELIVERED})
    assert run(installation, sender) == 0
    assert sender.asked == []


def test_an_id_that_another_message_has_settles_nothing(installation: Installation) -> None:
    first = queue(installation)
    Outbox(
        installation.store, installation.keys, installation.settings, Lister(Accepted("p1"), {}), now=installation.clock
    ).drain()
    second = queue(installation)
    sender = Lister(Unknown(Reason.CUT_OFF), {"provider_id": "p1", "status": Delivery.DELIVERED})
    assert run(installation, sender) == 0
    assert sender.asked[0].others == {"p1"}
    assert [row(installation, message).state for message in (first, second)] == ["accepted", "unconfirmed"]


def test_it_asks_at_most_once_a_minute(installation: Installation) -> None:
    queue(installation)
    i = installation
    sender = Lister(Unknown(Reason.NO_ANSWER), {"provider_id": "p1", "status": None})
    Outbox(i.store, i.keys, i.settings, sender, now=i.clock).drain()
    reconciler = Reconciler(i.store, i.keys, i.settings, sender, now=i.clock)
    for _ in range(4):
        i.clock.forward(seconds=40)
        reconciler.look()
    assert len(sender.asked) == 1
