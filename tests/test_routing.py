"""Who sends: by operator, by preference, and past a provider that fails again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway import routing
from gateway.models.health import provider_changes, provider_health
from gateway.models.messages import Draft, Kind, messages, write
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Sender, Unknown
from gateway.workers.outbox import Outbox
from tests.conftest import Installation

SMART, CELLCARD = "+85510000001", "+85512000001"
DOWN = Refused(Reason.GATEWAY_DOWN, for_now=True)


@pytest.fixture
def two(installation: Installation) -> Installation:
    """An installation that sends by Africa's Talking first and by the simulator next."""
    settings = installation.settings.model_copy(
        update={
            "providers": ("africastalking", "simulator"),
            "africastalking_username": "sandbox",
            "africastalking_api_key": "key",
            "routes": {"cellcard": "simulator"},
        }
    )
    return replace(installation, settings=settings)


class Scripted(Sender):
    """Says what it is told to say; remembers what it was handed."""

    def __init__(self, name: str, says: Outcome | None = None) -> None:
        self.name = name  # type: ignore[misc]
        self.says = says
        self.handed: list[str] = []

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        self.handed += [message.id for message in batch]
        return [self.says or Accepted(f"{self.name}-{message.id}") for message in batch]


def chosen(two: Installation, number: str, came_by: str | None = None) -> str:
    with two.store.write() as db:
        return routing.choose(db, two.settings, number, two.clock.now, came_by)


def queue(two: Installation, count: int, provider: str = "africastalking", later: timedelta = timedelta()) -> list[str]:
    with two.store.write() as db:
        now = two.clock.now
        draft = Draft(Kind.ANSWER, SMART, "Hello", provider, now + later, now + timedelta(days=1))
        return [write(db, two.keys, draft, now) for _ in range(count)]


def drain(two: Installation, sender: Scripted) -> None:
    Outbox(two.store, two.keys, two.settings, sender, now=two.clock).drain()


def changes(two: Installation) -> list[tuple[str, str, str, str | None, int]]:
    table = provider_changes.c
    columns = (table.provider, table.change, table.reason, table.taken_over_by, table.messages)
    with two.store.read() as db:
        return [tuple(row) for row in db.execute(select(*columns).order_by(table.id))]


def states(two: Installation) -> dict[str, tuple[str, str]]:
    with two.store.read() as db:
        return {row.id: (row.provider, row.state) for row in db.execute(select(messages))}


@pytest.mark.parametrize(
    ("number", "came_by", "expected"),
    [
        (SMART, None, "africastalking"),
        (CELLCARD, None, "simulator"),
        (SMART, "simulator", "simulator"),
        (CELLCARD, "africastalking", "africastalking"),
        (SMART, "kannel", "africastalking"),
    ],
    ids=["preferred", "by operator", "the way it came", "the way it came over the route", "a way that cannot send"],
)
def test_who_sends(two: Installation, number: str, came_by: str | None, expected: str) -> None:
    assert chosen(two, number, came_by) == expected


def test_five_failures_in_a_row_and_another_takes_over_what_was_refused(two: Installation) -> None:
    refused = queue(two, 5)
    later = queue(two, 1, later=timedelta(hours=3))
    drain(two, Scripted("africastalking", DOWN))
    assert changes(two) == [("africastalking", "rests", "gateway down", "simulator", 6)]
    assert chosen(two, SMART) == "simulator"
    assert chosen(two, SMART, came_by="africastalking") == "simulator"
    other = Scripted("simulator")
    drain(two, other)
    assert sorted(other.handed) == sorted(refused), "the refused go at once, what is to go later does not"
    two.clock.forward(hours=3)
    drain(two, other)
    assert other.handed[-1:] == later


def test_four_failures_are_not_enough(two: Installation) -> None:
    queue(two, 4)
    drain(two, Scripted("africastalking", DOWN))
    assert changes(two) == []
    assert chosen(two, SMART) == "africastalking"


def test_when_a_provider_last_took_a_message_is_kept_to_the_half_minute(two: Installation) -> None:
    begin, kept = two.clock.now, []
    for seconds, says in ((0, None), (20, None), (20, DOWN), (20, None), (60, DOWN)):
        two.clock.forward(seconds=seconds)
        queue(two, 1)
        drain(two, Scripted("africastalking", says))
        with two.store.read() as db:
            row = db.execute(select(provider_health)).one()
        kept.append(((row.accepted - begin).total_seconds(), row.failures))
    assert kept == [(0, 0), (0, 0), (0, 1), (60, 0), (60, 1)]


def test_what_may_have_been_sent_stays_and_is_never_sent_by_another(two: Installation) -> None:
    unclear = queue(two, 6)
    drain(two, Scripted("africastalking", Unknown(Reason.NO_ANSWER)))
    assert [change[:2] for change in changes(two)] == [("africastalking", "rests")]
    other = Scripted("simulator")
    drain(two, other)
    assert other.handed == []
    assert {states(two)[message] for message in unclear} == {("africastalking", "unconfirmed")}


@pytest.mark.parametrize("reason", [Reason.BAD_NUMBER, Reason.OPTED_OUT, Reason.TOO_LONG, Reason.NOT_MOBILE])
def test_a_number_s_own_fault_is_not_the_provider_s(two: Installation, reason: Reason) -> None:
    queue(two, 8)
    drain(two, Scripted("africastalking", Refused(reason, for_now=False)))
    assert changes(two) == []


def test_it_comes_back_after_its_rest_and_that_is_recorded(two: Installation) -> None:
    queue(two, 5)
    drain(two, Scripted("africastalking", DOWN))
    two.clock.forward(minutes=6)
    assert chosen(two, SMART) == "africastalking"
    queue(two, 1)
    drain(two, Scripted("africastalking"))
    assert [change[1] for change in changes(two)] == ["rests", "back"]


def test_a_success_between_failures_starts_the_count_anew(two: Installation) -> None:
    for says in (DOWN, None, DOWN):
        queue(two, 3)
        drain(two, Scripted("africastalking", says))
    assert changes(two) == []


def test_alone_it_keeps_its_messages(two: Installation) -> None:
    alone = replace(two, settings=two.settings.model_copy(update={"providers": ("africastalking",)}))
    waiting = queue(alone, 5)
    drain(alone, Scripted("africastalking", DOWN))
    assert changes(alone) == [("africastalking", "rests", "gateway down", None, 0)]
    assert {states(alone)[message] for message in waiting} == {("africastalking", "queued")}
    assert chosen(alone, SMART) == "africastalking", "there is no other"
