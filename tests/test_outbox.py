"""What a provider is handed, when, and how often; and what its outcomes and receipts do. On both databases."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text, update
from sqlalchemy.exc import OperationalError

from gateway import receipts as receipts_module
from gateway.bulk import broadcasts as sending
from gateway.models import decisions
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import set_pause
from gateway.models.messages import (
    PAUSED,
    Draft,
    Kind,
    State,
    has_opted_out,
    messages,
    opt_in,
    opt_out,
    receipts,
    write,
)
from gateway.models.store import Store
from gateway.providers.base import (
    Accepted,
    Delivery,
    Outcome,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Sender,
    Unknown,
)
from gateway.receipts import ReceiptDesk
from gateway.workers import outbox as outbox_module
from gateway.workers.outbox import DEADLINE_SECONDS, LEASE, MICRO_BATCH, Outbox
from tests.conftest import Installation

ME, OTHER = "+85510000001", "+85512000002"
PROVIDER = "simulator"
THROTTLED = Refused(Reason.THROTTLED, for_now=True)
BAD_NUMBER = Refused(Reason.BAD_NUMBER, for_now=False)
NO_ANSWER = Unknown(Reason.NO_ANSWER)
SECOND = timedelta(seconds=1)
A_DAY = timedelta(days=1)
PAUSES = (10, 30, 120, 600, 1800, 3600, 7200)
"""Seconds before each further attempt, as operators were told."""


class Killed(BaseException):
    """The worker was killed here."""


class Provider(Sender):
    """A provider whose outcomes a test writes; it records what it was handed."""

    name = PROVIDER

    def __init__(
        self,
        says: Callable[[Outgoing], Outcome] | Outcome | None = None,
        meanwhile: Callable[[Sequence[Outgoing]], object] = lambda batch: None,
    ) -> None:
        self._says = says
        self.meanwhile = meanwhile
        self.batches: list[list[Outgoing]] = []
        self.deadlines: list[float] = []

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        self.batches.append(list(batch))
        self.deadlines.append(seconds)
        self.meanwhile(batch)
        return [self._outcome(message) for message in batch]

    def _outcome(self, message: Outgoing) -> Outcome:
        if self._says is None:
            return Accepted(its_id(message.id))
        return self._says(message) if callable(self._says) else self._says

    @property
    def texts(self) -> list[str]:
        return [message.text for batch in self.batches for message in batch]


@dataclass
class House:
    """An installation whose clock stands at noon in Phnom Penh, and a provider to send by."""

    installation: Installation
    provider: Provider = field(default_factory=Provider)

    @property
    def now(self) -> datetime:
        return self.installation.clock.now

    def outbox(self, provider: Provider | None = None) -> Outbox:
        """A worker of its own."""
        house = self.installation
        return Outbox(house.store, house.keys, house.settings, provider or self.provider, now=house.clock)

    def at(self, time_there: str, day: int = 24) -> None:
        """It is this time of the programme's day."""
        there = datetime.combine(date(2026, 11, day), clock_time.fromisoformat(time_there))
        self.installation.clock.now = there.replace(tzinfo=self.installation.settings.zone).astimezone(UTC)

    def post(
        self, said: str = "hello", *, kind: Kind = Kind.ANSWER, number: str = ME, broadcast: int | None = None,
        **other: Any,
    ) -> str:  # fmt: skip
        """Puts a message into the outbox; its id."""
        times = {"not_before": self.now, "expires": self.now + A_DAY}
        draft = Draft(kind=kind, number=number, text=said, **{"provider": PROVIDER} | times | other)
        with self.installation.store.write() as db:
            message = write(db, self.installation.keys, draft, self.now)
            db.execute(update(messages).where(messages.c.id == message).values(broadcast=broadcast))
        return message

    def broadcast(self, stage: Stage = Stage.APPROVED) -> int:
        """One without messages; its id."""
        values = {"kind": Kind.REMINDER, "title": "x", "texts": "{}", "audience": "{}", "stage": stage,
                  "created": self.now, "changed": self.now}  # fmt: skip
        with self.installation.store.write() as db:
            made: int = db.execute(broadcasts.insert().values(values).returning(broadcasts.c.id)).scalar_one()
        return made

    def turn(self, broadcast: int, stage: Stage) -> None:
        """It is paused, goes on, or is cancelled; its messages are not touched."""
        with self.installation.store.write() as db:
            this = broadcasts.c.id == broadcast
            db.execute(update(broadcasts).where(this).values(stage=stage, changed=self.now))

    def pauses(self, *days: int) -> None:
        """Between these two days of the month the programme keeps silent."""
        with self.installation.store.write() as db:
            set_pause(db, (date(2026, 11, days[0]), date(2026, 11, days[1])) if days else None)

    def row(self, message: str) -> Any:
        with self.installation.store.read() as db:
            return db.execute(select(messages).where(messages.c.id == message)).one()

    def state(self, message: str) -> State:
        return State(self.row(message).state)

    def forward(self, by: timedelta) -> None:
        self.installation.clock.now += by

    def hear(self, status: Delivery | None, *, of: str = "", message: str | None = None, **other: Any) -> None:
        """A receipt comes in, after the one before it: of the provider's id, or of ours."""
        self.forward(timedelta(microseconds=1))
        receipt = Receipt(**{"provider": PROVIDER, "provider_id": of, "status": status, "said": "x"} | other,
                          message=message)  # fmt: skip
        ReceiptDesk(self.installation.store, self.installation.settings, self.installation.clock).receive(receipt)

    def kept_receipts(self) -> int:
        with self.installation.store.read() as db:
            return len(db.execute(select(receipts)).all())

    def opts_out(self, number: str) -> None:
        with self.installation.store.write() as db:
            opt_out(db, self.installation.keys.lookup(number), self.now.date(), "SMS")

    def has_opted_out(self, number: str) -> bool:
        with self.installation.store.read() as db:
            return has_opted_out(db, self.installation.keys.lookup(number))


@pytest.fixture
def house(installation: Installation) -> House:
    return House(installation)


def its_id(message: str) -> str:
    return f"p-{message}"


def one_batch() -> Callable[[], bool]:
    """A worker that is told to stop while it sends its first micro-batch."""
    answers = iter([False])
    return lambda: next(answers, True)


def killed_while_sending(house: House) -> None:
    """A worker begins with what is due, and hands nothing over."""

    def dies(_: Sequence[Outgoing]) -> None:
        raise Killed

    with pytest.raises(Killed):
        house.outbox(Provider(meanwhile=dies)).drain()


# what is handed over ------------------------------------------------------------------------------


def test_a_message_is_handed_over_once_with_number_and_text_and_is_accepted(house: House) -> None:
    message = house.post("Thank you! Received.")
    assert house.outbox().drain() == 1
    assert house.outbox().drain() == 0
    assert house.provider.batches == [[Outgoing(message, ME, "Thank you! Received.")]]
    row = house.row(message)
    assert (row.state, row.provider_id, row.attempts) == (State.ACCEPTED, its_id(message), 1)
    assert (row.lease, row.worker, row.reason) == (None, None, None)


def test_answers_go_first_then_what_is_due_longest(house: House) -> None:
    house.post("third", kind=Kind.TEST, not_before=house.now - 2 * SECOND)
    house.post("fourth", kind=Kind.TEST, not_before=house.now - SECOND)
    house.post("second", not_before=house.now)
    house.post("first", not_before=house.now - SECOND)
    house.outbox().drain()
    assert house.provider.texts == ["first", "second", "third", "fourth"]


def test_an_answer_overtakes_bulk_that_waits(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MICRO_BATCH", 2)
    for each in range(4):
        house.post(f"bulk {each}", kind=Kind.TEST)

    def meanwhile(_: Sequence[Outgoing]) -> None:
        if len(house.provider.batches) == 1:
            house.post("answer")

    house.provider.meanwhile = meanwhile
    house.outbox().drain()
    assert house.provider.texts.index("answer") == 2


@pytest.mark.parametrize(
    ("time_there", "sent"),
    [
        ("08:00", ["answer", "bulk"]),
        ("12:00", ["answer", "bulk"]),
        ("18:59", ["answer", "bulk"]),
        ("19:00", ["answer"]),
        ("23:59", ["answer"]),
        ("00:00", ["answer"]),
        ("07:59", ["answer"]),
    ],
)
def test_in_quiet_hours_only_answers_are_sent(house: House, time_there: str, sent: list[str]) -> None:
    house.at(f"{time_there}:59")
    house.post("answer")
    bulk = house.post("bulk", kind=Kind.TEST, expires=house.now + 2 * A_DAY)
    house.outbox().drain()
    assert house.provider.texts == sent
    house.at("12:00", day=25)  # never lost, only later
    house.outbox().drain()
    assert house.provider.texts == ["answer", "bulk"]
    assert house.state(bulk) == State.ACCEPTED


@pytest.mark.parametrize(
    ("time_there", "sent"),
    [("18:59", True), ("19:00", True), ("20:59", True), ("21:00", False), ("00:30", False), ("07:59", False)],
)
def test_an_urgent_notice_is_sent_until_nine_in_the_evening(house: House, time_there: str, sent: bool) -> None:
    house.at(f"{time_there}:59")
    house.post("urgent", kind=Kind.URGENT)
    house.post("a notice", kind=Kind.NOTICE, not_before=house.now + 12 * A_DAY, expires=house.now + 13 * A_DAY)
    house.outbox().drain()
    assert house.provider.texts == ["urgent"] * sent


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(("time_there", "day"), [("08:00", 24), ("18:59", 26)])
def test_between_the_days_of_a_pause_nothing_of_these_kinds_leaves(
    house: House, kind: Kind, time_there: str, day: int
) -> None:
    """By the programme's days: its morning is the evening before in UTC."""
    house.at(time_there, day)
    message = house.post(str(kind), kind=kind, expires=house.now + 9 * A_DAY)
    house.pauses(24, 26)
    house.outbox().drain()
    silent = kind in PAUSED
    assert silent is (kind in ("invitation", "reminder", "tally", "poll", "check", "result"))
    assert house.state(message) == (State.QUEUED if silent else State.ACCEPTED)
    house.at("08:00", 27)
    house.outbox().drain()
    assert house.state(message) == State.ACCEPTED


def test_a_pause_that_is_over_or_taken_away_holds_nothing_back(house: House) -> None:
    house.at("18:59", 23)
    house.pauses(24, 26)
    house.post("before", kind=Kind.POLL)
    house.outbox().drain()
    house.at("12:00", 25)
    house.post("in it", kind=Kind.POLL)
    house.outbox().drain()
    assert house.provider.texts == ["before"]
    house.pauses()
    house.outbox().drain()
    assert house.provider.texts == ["before", "in it"]


@pytest.mark.parametrize(("stage", "state"), [(Stage.PAUSED, State.HELD), (Stage.CANCELLED, State.CANCELLED)])
def test_what_comes_back_to_a_broadcast_that_was_stopped_meanwhile_goes_where_the_others_went(
    house: House, stage: Stage, state: State
) -> None:
    broadcast = house.broadcast()
    house.provider = Provider(THROTTLED, meanwhile=lambda batch: house.turn(broadcast, stage))
    message = house.post(kind=Kind.REMINDER, broadcast=broadcast)
    outbox = house.outbox()
    outbox.drain()
    assert house.state(message) == State.QUEUED  # it was on its way, and was refused for now
    house.forward(10 * SECOND)
    outbox.drain()
    assert (house.state(message), len(house.provider.batches)) == (state, 1)


def test_what_a_paused_broadcast_still_has_in_the_queue_is_not_sent_and_goes_when_it_goes_on(house: House) -> None:
    broadcast = house.broadcast(Stage.PAUSED)
    house.forward(timedelta(hours=2))  # so long ago that no sweep looks at it
    message = house.post("bulk", kind=Kind.REMINDER, broadcast=broadcast)
    house.post("other", kind=Kind.REMINDER, number=OTHER, broadcast=house.broadcast())
    house.outbox().drain()
    assert (house.provider.texts, house.state(message)) == (["other"], State.QUEUED)
    house.turn(broadcast, Stage.APPROVED)
    house.outbox().drain()
    assert house.provider.texts == ["other", "bulk"]


def test_what_is_kept_back_for_too_long_expires(house: House) -> None:
    message = house.post(kind=Kind.REMINDER, broadcast=house.broadcast(Stage.PAUSED), expires=house.now + 5 * SECOND)
    house.outbox().drain()
    assert house.state(message) == State.HELD
    house.forward(5 * SECOND)
    house.outbox().drain()
    assert house.state(message) == State.EXPIRED


FORBIDDEN: dict[str, Callable[[House, int], None]] = {
    "an opt-out": lambda house, broadcast: house.opts_out(ME),
    "a pause of the broadcast": lambda house, broadcast: house.turn(broadcast, Stage.PAUSED),
    "its end": lambda house, broadcast: house.turn(broadcast, Stage.CANCELLED),
    "a pause of the programme": lambda house, broadcast: house.pauses(1, 30),
    "the evening": lambda house, broadcast: house.at("19:00"),
    "its expiry": lambda house, broadcast: house.forward(timedelta(hours=1)),
}


@pytest.mark.parametrize("why", FORBIDDEN)
def test_what_is_forbidden_while_others_are_sent_is_not_sent(
    house: House, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(outbox_module, "MICRO_BATCH", 1)
    house.at("18:59")
    broadcast = house.broadcast()
    house.post("first", kind=Kind.TEST, number=OTHER)
    message = house.post("bulk", kind=Kind.REMINDER, broadcast=broadcast, expires=house.now + timedelta(minutes=30))
    house.provider.meanwhile = lambda batch: FORBIDDEN[why](house, broadcast)
    house.outbox().drain()
    assert house.provider.texts == ["first"]
    house.forward(LEASE + SECOND)
    house.outbox().drain()
    assert house.provider.texts == ["first"]
    expected = {"an opt-out": "cancelled", "a pause of the broadcast": "held", "its end": "cancelled",
                "a pause of the programme": "queued", "the evening": "queued", "its expiry": "expired"}  # fmt: skip
    assert house.state(message) == expected[why]


@pytest.mark.parametrize("how_many", [0, 3000])
def test_what_is_due_is_found_by_its_index(house: House, how_many: int) -> None:
    """Without it a worker would look at every message there ever was."""
    store, now = house.installation.store, house.now
    rows = [
        {
            "id": f"{each:032}", "kind": "reminder", "priority": 4, "state": "queued" if each % 3 else "delivered",
            "phone": each.to_bytes(16, "big"), "number": b"", "number_key": 1, "text": "x", "parts": 1,
            "provider": PROVIDER, "attempts": 0, "not_before": now, "expires": now + A_DAY, "created": now,
            "changed": now,
        }
        for each in range(how_many)
    ]  # fmt: skip
    with store.write() as db:
        if rows:
            db.execute(messages.insert(), rows)
            db.exec_driver_sql("ANALYZE")
    explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
    plans: list[str] = []

    def look(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT messages.parts", "WITH due")):
            with store.engine.connect() as db:
                plans.append("\n".join(str(line[-1]) for line in db.exec_driver_sql(explain + statement, parameters)))

    event.listen(store.engine, "before_cursor_execute", look)
    house.post()
    house.outbox().drain(one_batch())
    assert len(plans) == 2  # a look, and what is begun
    for plan in plans:
        assert "ix_messages_due" in plan
        table = "messages messages_1" if "CTE" in plan else "messages"  # what was found is then read by its id
        for slow in ("SCAN messages", f"Seq Scan on {table}", "Sort", "TEMP B-TREE"):
            assert slow not in plan


def test_a_message_waits_for_its_time(house: House) -> None:
    message = house.post(not_before=house.now + timedelta(minutes=1))
    house.forward(59 * SECOND)
    house.outbox().drain()
    assert house.state(message) == State.QUEUED
    house.forward(SECOND)
    house.outbox().drain()
    assert house.state(message) == State.ACCEPTED


def test_a_message_that_is_too_old_is_never_sent(house: House) -> None:
    late = house.post("late", expires=house.now + timedelta(minutes=1))
    in_time = house.post("in time", expires=house.now + timedelta(minutes=1) + SECOND)
    house.forward(timedelta(minutes=1))
    house.outbox().drain()
    assert house.provider.texts == ["in time"]
    assert (house.state(late), house.state(in_time)) == (State.EXPIRED, State.ACCEPTED)


def test_a_message_that_grows_too_old_while_others_are_sent_is_not_sent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MICRO_BATCH", 1)
    house.post("first", not_before=house.now - SECOND)
    late = house.post("late", expires=house.now + timedelta(seconds=20))
    house.provider.meanwhile = lambda batch: house.forward(timedelta(seconds=20))
    house.outbox().drain()
    house.outbox().drain()
    assert house.provider.texts == ["first"]
    assert house.state(late) == State.EXPIRED


def test_another_provider_s_messages_are_left_alone(house: House) -> None:
    message = house.post(provider="kannel")
    house.outbox().drain()
    assert house.provider.batches == []
    assert house.state(message) == State.QUEUED


def test_an_opt_out_holds_when_it_came_after_the_message_was_written(house: House) -> None:
    bulk, answer = house.post("bulk", kind=Kind.TEST), house.post("answer")
    other = house.post("other", kind=Kind.TEST, number=OTHER)
    house.opts_out(ME)
    house.outbox().drain()
    assert sorted(house.provider.texts) == ["answer", "other"]
    assert [house.state(each) for each in (bulk, answer, other)] == [State.CANCELLED, State.ACCEPTED, State.ACCEPTED]
    assert house.row(bulk).reason == Reason.OPTED_OUT


def test_an_opt_out_holds_when_it_comes_while_others_are_being_sent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MICRO_BATCH", 1)
    house.post("first", kind=Kind.TEST, number=OTHER, not_before=house.now - SECOND)
    bulk = house.post("bulk", kind=Kind.TEST)
    house.provider.meanwhile = lambda batch: house.opts_out(ME)
    house.outbox().drain()
    assert house.provider.texts == ["first"]
    with house.installation.store.write() as db:  # even one taken back soon: what was written before it is not sent
        assert opt_in(db, house.installation.keys.lookup(ME))
    house.opts_out(ME)
    house.outbox().sweep()
    assert house.state(bulk) == State.CANCELLED


def test_micro_batches_are_of_32_at_most_and_get_30_seconds(house: House) -> None:
    for each in range(2 * MICRO_BATCH + 6):
        house.post(f"number {each}")
    assert house.outbox().drain() == 70
    assert [len(batch) for batch in house.provider.batches] == [32, 32, 6]
    assert house.provider.deadlines == [30.0, 30.0, 30.0] == [DEADLINE_SECONDS] * 3
    assert len(set(house.provider.texts)) == 70


def test_more_than_is_looked_ahead_is_sent_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "LOOK", 3)
    for each in range(10):
        house.post(f"number {each}")
    assert house.outbox().drain() == 10
    assert len(set(house.provider.texts)) == 10


def test_a_message_is_marked_as_going_out_and_no_transaction_is_open_while_it_is_handed_over(house: House) -> None:
    message = house.post()
    seen: list[State] = []

    def meanwhile(_: Sequence[Outgoing]) -> None:
        seen.append(house.state(message))
        house.post("written while sending")  # would wait for ever, were the database locked

    house.provider.meanwhile = meanwhile
    house.outbox().drain(stopped=lambda: bool(seen))
    assert seen == [State.SENDING]


def test_a_worker_that_is_told_to_stop_finishes_its_micro_batch_and_sends_no_other(house: House) -> None:
    for each in range(MICRO_BATCH + 1):
        house.post(f"number {each}")
    assert house.outbox().drain(stopped=lambda: bool(house.provider.batches)) == MICRO_BATCH
    house.forward(LEASE + SECOND)
    assert house.outbox().drain() == 1
    assert len(set(house.provider.texts)) == MICRO_BATCH + 1


# outcomes -----------------------------------------------------------------------------------------


def test_what_is_refused_for_now_is_tried_again_after_pauses_then_refused(house: House) -> None:
    house.provider = Provider(THROTTLED)
    message = house.post()
    for attempt, pause in enumerate(PAUSES, 1):
        house.outbox().drain()
        row = house.row(message)
        assert (row.state, row.attempts, row.reason) == (State.QUEUED, attempt, Reason.THROTTLED)
        assert row.not_before - house.now == timedelta(seconds=pause)
        house.forward(timedelta(seconds=pause) - SECOND)
        assert house.outbox().drain() == 0
        house.forward(SECOND)
    house.outbox().drain()
    assert (house.state(message), house.row(message).reason) == (State.REFUSED, Reason.THROTTLED)
    house.forward(timedelta(hours=5))
    assert house.outbox().drain() == 0
    assert len(house.provider.batches) == len(PAUSES) + 1


@pytest.mark.parametrize(
    ("asked", "pause"), [(None, 10), (5, 10), (10, 10), (45, 45), (7200, 7200), (999_999, 7200), (0, 10)]
)
def test_a_provider_that_asks_for_patience_gets_it_for_two_hours_at_most(
    house: House, asked: float | None, pause: int
) -> None:
    house.provider = Provider(Refused(Reason.THROTTLED, for_now=True, after=asked))
    message = house.post()
    house.outbox().drain()
    assert house.row(message).not_before - house.now == timedelta(seconds=pause)


@pytest.mark.parametrize(("outcome", "for_now"), [(THROTTLED, True), (BAD_NUMBER, False)])
def test_what_is_given_up_says_whether_it_may_be_tried_again(house: House, outcome: Outcome, for_now: bool) -> None:
    house.provider = Provider(outcome)
    message = house.post()
    for _ in range(len(PAUSES) + 1):
        house.outbox().drain()
        house.forward(timedelta(hours=2))
    assert (house.state(message), house.row(message).for_now) == (State.REFUSED, for_now)
    with house.installation.store.write() as db:
        assert decisions.try_again(db, [message], house.now) == for_now
    house.provider = Provider()
    house.outbox().drain()
    assert house.provider.texts == ["hello"] * for_now


def test_when_a_message_was_last_handed_over_is_kept(house: House) -> None:
    house.provider = Provider(THROTTLED)
    message = house.post()
    assert house.row(message).sent is None
    for _ in range(2):
        house.outbox().drain()
        assert house.row(message).sent == house.now
        house.forward(10 * SECOND)


def test_what_was_refused_for_now_and_then_taken_is_accepted(house: House) -> None:
    outcomes: list[Outcome] = [THROTTLED, Refused(Reason.NO_BALANCE, for_now=True), Accepted("p-1")]
    house.provider = Provider(lambda _: outcomes.pop(0))
    message = house.post()
    for _ in range(3):
        house.outbox().drain()
        house.forward(timedelta(minutes=1))
    row = house.row(message)
    assert (row.state, row.provider_id, row.reason, row.attempts) == (State.ACCEPTED, "p-1", None, 3)


def test_what_was_refused_for_now_expires_and_keeps_the_quiet_hours(house: House) -> None:
    house.at("18:59:55")
    house.provider = Provider(THROTTLED)
    answer = house.post("answer", expires=house.now + 5 * SECOND)
    bulk = house.post("bulk", kind=Kind.TEST)
    house.outbox().drain()
    house.forward(10 * SECOND)
    house.outbox().drain()
    assert (house.state(answer), house.state(bulk)) == (State.EXPIRED, State.QUEUED)
    assert house.provider.texts == ["answer", "bulk"]
    house.forward(timedelta(hours=13))
    house.outbox().drain()
    assert house.provider.texts == ["answer", "bulk", "bulk"]


def test_who_opts_out_between_two_attempts_gets_no_second_one(house: House) -> None:
    house.provider = Provider(THROTTLED)
    bulk = house.post("bulk", kind=Kind.TEST)
    house.outbox().drain()
    house.opts_out(ME)
    house.forward(timedelta(minutes=1))
    house.outbox().drain()
    assert house.state(bulk) == State.CANCELLED
    assert house.provider.texts == ["bulk"]


@pytest.mark.parametrize("reason", [Reason.BAD_NUMBER, Reason.NOT_PERMITTED, Reason.TOO_LONG, Reason.OPTED_OUT])
def test_what_is_refused_for_good_is_not_tried_again(house: House, reason: Reason) -> None:
    house.provider = Provider(Refused(reason, for_now=False))
    message = house.post()
    house.outbox().drain()
    house.forward(timedelta(hours=3))
    house.outbox().drain()
    assert (house.state(message), house.row(message).reason) == (State.REFUSED, reason)
    assert len(house.provider.batches) == 1
    assert house.has_opted_out(ME) == (reason is Reason.OPTED_OUT)


def test_who_opted_out_at_the_provider_has_opted_out_here(house: House) -> None:
    house.provider = Provider(Refused(Reason.OPTED_OUT, for_now=False))
    house.post("bulk", kind=Kind.TEST)
    house.outbox().drain()
    later = house.post("later", kind=Kind.TEST)
    house.outbox().drain()
    assert house.state(later) == State.CANCELLED
    assert house.provider.texts == ["bulk"]


def test_what_is_in_doubt_is_never_sent_again(house: House) -> None:
    house.provider = Provider(NO_ANSWER)
    message = house.post()
    house.outbox().drain()
    for _ in range(20):
        house.forward(timedelta(hours=1))
        house.outbox().drain()
    assert (house.state(message), house.row(message).reason) == (State.UNCONFIRMED, Reason.NO_ANSWER)
    assert len(house.provider.batches) == 1


def test_each_message_of_a_batch_gets_its_own_outcome(house: House) -> None:
    outcomes: dict[str, Outcome] = {"taken": Accepted("p-1"), "bad": BAD_NUMBER, "later": THROTTLED, "doubt": NO_ANSWER}
    house.provider = Provider(lambda message: outcomes[message.text])
    ids = {said: house.post(said) for said in outcomes}
    house.outbox().drain()
    assert {said: house.state(message) for said, message in ids.items()} == {
        "taken": State.ACCEPTED,
        "bad": State.REFUSED,
        "later": State.QUEUED,
        "doubt": State.UNCONFIRMED,
    }


@pytest.mark.parametrize("given", ["p-1", ""])
def test_a_provider_that_gives_two_messages_one_id_leaves_no_other_in_doubt(house: House, given: str) -> None:
    house.provider = Provider(lambda message: Accepted(given if message.text == "same" else its_id(message.id)))
    same = [house.post("same"), house.post("same")]
    others = [house.post("another"), house.post("a third")]
    house.outbox().drain()
    assert {house.state(message) for message in (*same, *others)} == {State.ACCEPTED}
    assert {house.row(message).provider_id for message in others} == {its_id(message) for message in others}
    assert len(house.provider.texts) == 4


def test_a_number_that_cannot_be_unsealed_leaves_no_other_in_doubt(house: House) -> None:
    damaged, whole = house.post("damaged"), house.post("whole")
    with house.installation.store.write() as db:
        db.execute(update(messages).where(messages.c.id == damaged).values(number_key=99))
    house.outbox().drain()
    assert house.provider.texts == ["whole"]
    assert house.state(whole) == State.ACCEPTED
    row = house.row(damaged)
    assert (row.state, row.reason) == (State.QUEUED, Reason.SETUP)  # the key may be put back


# leases -------------------------------------------------------------------------------------------


def test_what_a_worker_of_an_earlier_version_had_claimed_is_sent_once_the_lease_ends(house: House) -> None:
    message = house.post()
    with house.installation.store.write() as db:
        claimed = update(messages).where(messages.c.id == message)
        db.execute(claimed.values(state=State.CLAIMED, worker="earlier", lease=house.now + LEASE))
    house.forward(LEASE)
    assert house.outbox().drain() == 0
    house.forward(SECOND)
    assert house.outbox().drain() == 1
    assert house.state(message) == State.ACCEPTED
    assert len(house.provider.texts) == 1


def test_a_lost_worker_holds_up_no_more_than_it_was_sending(house: House) -> None:
    ids = [house.post(f"number {each}") for each in range(MICRO_BATCH + 8)]
    killed_while_sending(house)
    assert house.outbox().drain() == 8
    assert Counter(house.state(each) for each in ids) == {State.SENDING: MICRO_BATCH, State.ACCEPTED: 8}


@pytest.mark.parametrize("problem", [Killed(), RuntimeError("a sender must not raise")])
def test_what_a_lost_worker_was_sending_is_in_doubt_and_never_sent_again(house: House, problem: BaseException) -> None:
    def dies(_: Sequence[Outgoing]) -> None:
        raise problem

    message = house.post()
    with pytest.raises(type(problem)):
        house.outbox(Provider(meanwhile=dies)).drain()
    house.forward(LEASE)
    house.outbox().drain()
    assert house.state(message) == State.SENDING
    house.forward(SECOND)
    house.outbox().drain()
    assert (house.state(message), house.row(message).reason) == (State.UNCONFIRMED, Reason.WORKER_LOST)
    house.forward(timedelta(hours=12))
    house.outbox().drain()
    assert house.provider.batches == []


def test_a_sender_that_answers_for_too_few_leaves_all_in_doubt(house: House) -> None:
    class Forgetful(Provider):
        def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
            return super().send(batch, seconds)[1:]

    two = [house.post("one"), house.post("two")]
    with pytest.raises(ValueError, match="zip"):
        house.outbox(Forgetful()).drain()
    house.forward(LEASE + SECOND)
    assert house.outbox().drain() == 0
    assert {house.state(message) for message in two} == {State.UNCONFIRMED}


def test_a_worker_that_lost_its_lease_does_not_send(house: House) -> None:
    """Its first micro-batch takes longer than the lease; another worker sends the rest meanwhile."""
    ids = [house.post(f"number {each}") for each in range(MICRO_BATCH + 8)]
    other = Provider()

    def takes_long(_: Sequence[Outgoing]) -> None:
        house.forward(LEASE + SECOND)
        house.outbox(other).drain()

    slow = Provider(meanwhile=takes_long)
    assert house.outbox(slow).drain() == MICRO_BATCH
    assert [len(batch) for batch in slow.batches] == [MICRO_BATCH]
    assert [len(batch) for batch in other.batches] == [8]
    assert Counter(slow.texts + other.texts).most_common(1)[0][1] == 1
    assert {house.state(message) for message in ids} == {State.ACCEPTED}  # its word came late, and still counts


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Accepted("p-1"), State.ACCEPTED),
        (THROTTLED, State.UNCONFIRMED),
        (BAD_NUMBER, State.UNCONFIRMED),
        (NO_ANSWER, State.UNCONFIRMED),
    ],
)
def test_a_late_outcome_confirms_but_never_sends_again(house: House, outcome: Outcome, state: State) -> None:
    message = house.post()
    other = Provider()

    def takes_long(_: Sequence[Outgoing]) -> None:
        house.forward(LEASE + SECOND)
        house.outbox(other).drain()
        assert house.state(message) == State.UNCONFIRMED

    house.outbox(Provider(outcome, meanwhile=takes_long)).drain()
    assert house.state(message) == state
    house.forward(timedelta(hours=3))
    house.outbox(other).drain()
    assert other.batches == []


LATE = pytest.mark.parametrize("late", [Accepted("p-1"), THROTTLED, BAD_NUMBER, NO_ANSWER])


def sent_again(house: House, message: str) -> None:
    """Its worker takes too long, and staff decide that it did not go out."""
    house.forward(LEASE + SECOND)
    house.outbox().sweep()
    with house.installation.store.write() as db:
        assert decisions.send_again(db, [message], house.now) == 1


@LATE
def test_a_late_outcome_leaves_alone_what_another_is_sending_since_staff_sent_it_again(
    house: House, late: Outcome
) -> None:
    """Else it would go out a third time."""
    message = house.post()
    going, go_on = threading.Event(), threading.Event()

    def stands(_: Sequence[Outgoing]) -> None:
        going.set()
        assert go_on.wait(10)

    other = Provider(meanwhile=stands)
    with ThreadPoolExecutor(1) as pool:

        def takes_long(_: Sequence[Outgoing]) -> None:
            sent_again(house, message)
            pool.submit(house.outbox(other).drain)
            assert going.wait(10)

        house.outbox(Provider(late, meanwhile=takes_long)).drain()
        assert house.state(message) == (State.ACCEPTED if isinstance(late, Accepted) else State.SENDING)
        go_on.set()
    house.forward(timedelta(hours=1))
    house.outbox(other).drain()
    assert (house.state(message), other.texts) == (State.ACCEPTED, ["hello"])


class Failing(Store):
    """A database that goes away for so many transactions once `left` is set."""

    left = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self.left:
            self.left -= 1
            raise OperationalError("COMMIT", {}, Exception("the database is away"))
        with super().write() as db:
            yield db


@pytest.mark.parametrize(("away", "state"), [(2, State.ACCEPTED), (99, State.UNCONFIRMED)])
def test_what_a_provider_said_is_written_down_when_the_database_comes_back_soon(
    house: House, monkeypatch: pytest.MonkeyPatch, away: int, state: State
) -> None:
    monkeypatch.setattr(outbox_module, "SETTLE_SECONDS", 0.4)
    message = house.post()
    house.installation.store = store = Failing(house.installation.settings.database)
    house.provider.meanwhile = lambda batch: setattr(store, "left", away)
    begun = time.monotonic()
    with nullcontext() if state == State.ACCEPTED else pytest.raises(OperationalError):
        house.outbox().drain()
    assert time.monotonic() - begun < 2
    store.left = 0
    house.forward(LEASE + SECOND)
    house.outbox().drain()
    assert (house.state(message), house.provider.texts) == (state, ["hello"])
    store.close()


def test_workers_beside_each_other_never_send_a_message_twice(house: House) -> None:
    ids = [house.post(f"number {each}", kind=Kind.TEST if each % 3 else Kind.ANSWER) for each in range(200)]
    providers = [Provider(meanwhile=lambda batch: time.sleep(0.001)) for _ in range(4)]
    ready = threading.Barrier(len(providers))

    def work(provider: Provider) -> int:
        outbox = house.outbox(provider)
        ready.wait()
        return outbox.drain()

    with ThreadPoolExecutor(len(providers)) as pool:
        written = pool.submit(lambda: [house.post(f"late {each}") for each in range(20)])
        sent = sum(pool.map(work, providers))
        ids += written.result()
    sent += house.outbox().drain()
    handed = [said for provider in (*providers, house.provider) for said in provider.texts]
    assert (sent, len(handed), len(set(handed))) == (220, 220, 220)
    assert {house.state(message) for message in ids} == {State.ACCEPTED}


def test_workers_beside_each_other_never_send_twice_what_is_refused_now_and_then(house: House) -> None:
    """Each message is refused once, then taken; a sweep of one worker runs beside the settling of another."""
    lock, seen = threading.Lock(), Counter[str]()

    def once(message: Outgoing) -> Outcome:
        with lock:
            seen[message.text] += 1
            return THROTTLED if seen[message.text] == 1 else Accepted(its_id(message.id))

    ids = [house.post(f"number {each}") for each in range(80)]
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: house.outbox(Provider(once)).drain(), range(3)))
        house.forward(11 * SECOND)
    assert set(seen.values()) == {2}
    assert {house.state(message) for message in ids} == {State.ACCEPTED}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_waits_for_a_message_that_another_holds(house: House) -> None:
    held = house.post("held", not_before=house.now - SECOND)
    house.post("free")
    with ThreadPoolExecutor(1) as pool, house.installation.store.write() as db:
        db.execute(select(messages).where(messages.c.id == held).with_for_update())
        assert pool.submit(house.outbox().drain).result(timeout=10) == 1
    assert house.provider.texts == ["free"]
    house.outbox().drain()
    assert house.provider.texts == ["free", "held"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_pauses_a_broadcast_does_not_wait_for_a_worker_and_the_sweep_finds_the_rest(house: House) -> None:
    """They would wait for each other: a deadlock, and a page that says "not possible just now"."""
    broadcast = house.broadcast()
    held = house.post("held", kind=Kind.REMINDER, broadcast=broadcast)
    other = house.post("other", kind=Kind.REMINDER, number=OTHER, broadcast=broadcast)

    def pause() -> int:
        with house.installation.store.write() as db:
            return sending.pause(db, house.installation.settings, broadcast, house.now)

    with ThreadPoolExecutor(1) as pool, house.installation.store.write() as db:
        db.execute(select(messages).where(messages.c.id == held).with_for_update())
        assert pool.submit(pause).result(timeout=10) == 1
    assert (house.state(held), house.state(other)) == (State.QUEUED, State.HELD)
    house.outbox().drain()
    assert (house.state(held), house.provider.texts) == (State.HELD, [])


# receipts -----------------------------------------------------------------------------------------

ON_THE_WAY, DELIVERED, FAILED = Delivery.ON_THE_WAY, Delivery.DELIVERED, Delivery.FAILED


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        ([ON_THE_WAY], State.ACCEPTED),
        ([DELIVERED], State.DELIVERED),
        ([FAILED], State.UNDELIVERED),
        ([None], State.ACCEPTED),
        ([ON_THE_WAY, DELIVERED], State.DELIVERED),
        ([DELIVERED, ON_THE_WAY], State.DELIVERED),
        ([FAILED, ON_THE_WAY], State.UNDELIVERED),
        ([DELIVERED, DELIVERED], State.DELIVERED),
        ([FAILED, FAILED], State.UNDELIVERED),
        ([DELIVERED, FAILED], State.DELIVERED),
        ([FAILED, DELIVERED], State.UNDELIVERED),
        ([ON_THE_WAY, ON_THE_WAY, None, FAILED, DELIVERED], State.UNDELIVERED),
    ],
)
def test_the_first_final_word_stands(house: House, heard: list[Delivery | None], state: State) -> None:
    """Whether the words come after the message is settled, while it is sent, or some before and some after."""
    after, before, by_our_id = house.post("after"), house.post("before"), house.post("by our id")
    half = house.post("half")

    def meanwhile(batch: Sequence[Outgoing]) -> None:
        for status in heard:
            house.hear(status, of=its_id(before))
            house.hear(status, message=by_our_id)
        house.hear(heard[0], of=its_id(half))

    house.provider.meanwhile = meanwhile
    house.outbox().drain()
    for status in heard:
        house.hear(status, of=its_id(after))
    for status in heard[1:]:
        house.hear(status, of=its_id(half))
    assert [house.state(each) for each in (after, before, by_our_id, half)] == [state] * 4
    assert house.kept_receipts() == 0


def test_a_late_receipt_of_an_earlier_stage_changes_nothing(house: House) -> None:
    message = house.post()
    house.outbox().drain()
    house.hear(DELIVERED, of=its_id(message))
    before = house.row(message)
    house.forward(timedelta(days=2))
    house.hear(ON_THE_WAY, of=its_id(message))
    house.hear(FAILED, of=its_id(message), reason=Reason.UNREACHABLE)
    assert house.row(message) == before


def test_a_receipt_for_nothing_we_sent_is_kept_and_changes_nothing(house: House) -> None:
    message = house.post()
    house.outbox().drain()
    for _ in range(2):
        house.hear(FAILED, of="never heard of", reason=Reason.OPTED_OUT)
        house.hear(DELIVERED, of="elsewhere", message="no such message")
    house.hear(FAILED, of=its_id(message), provider="kannel")  # another provider's id of the same name
    house.outbox().drain()
    assert house.state(message) == State.ACCEPTED
    assert house.kept_receipts() == 3


def test_a_status_that_nobody_listed_is_taken_and_changes_nothing(house: House) -> None:
    message = house.post()
    house.outbox().drain()
    before = house.row(message)
    house.hear(None, of=its_id(message))
    house.hear(None, of="never heard of")
    assert house.row(message) == before
    assert house.kept_receipts() == 0


@pytest.mark.parametrize(
    ("status", "state"), [(ON_THE_WAY, State.ACCEPTED), (DELIVERED, State.DELIVERED), (FAILED, State.UNDELIVERED)]
)
def test_a_receipt_by_our_own_id_settles_what_was_in_doubt(house: House, status: Delivery, state: State) -> None:
    house.provider = Provider(NO_ANSWER)
    message = house.post()
    house.outbox().drain()
    house.hear(status, of="p-1", message=message)
    row = house.row(message)
    assert (row.state, row.reason) == (state, None)  # it is not in doubt any more


@pytest.mark.parametrize("status", [ON_THE_WAY, DELIVERED, FAILED])
def test_a_receipt_for_what_has_not_gone_out_changes_nothing(house: House, status: Delivery) -> None:
    house.provider = Provider(THROTTLED)
    queued, claimed, refused = house.post("queued"), house.post("claimed"), house.post("refused")
    with house.installation.store.write() as db:
        for message, state in ((claimed, State.CLAIMED), (refused, State.REFUSED)):
            db.execute(update(messages).where(messages.c.id == message).values(state=state))
    for message in (queued, claimed, refused):
        house.hear(status, message=message)
    assert [house.state(each) for each in (queued, claimed, refused)] == ["queued", "claimed", "refused"]


@pytest.mark.parametrize("with_both", [True, False])
def test_the_provider_s_id_is_known_though_a_receipt_by_ours_came_first(house: House, with_both: bool) -> None:
    message = house.post()
    both = its_id(message) if with_both else ""
    house.provider.meanwhile = lambda batch: house.hear(ON_THE_WAY, of=both, message=message)
    house.outbox().drain()
    assert house.row(message).provider_id == its_id(message)
    house.hear(DELIVERED, of=its_id(message))
    assert house.state(message) == State.DELIVERED


def test_a_receipt_with_both_ids_tells_the_provider_s_of_what_was_in_doubt(house: House) -> None:
    house.provider = Provider(NO_ANSWER)
    message = house.post()
    house.outbox().drain()
    house.hear(DELIVERED, of="p-1")  # kept: nobody knows yet whose it is
    house.hear(ON_THE_WAY, of="p-1", message=message)
    house.outbox().sweep()
    assert (house.state(message), house.row(message).provider_id) == (State.DELIVERED, "p-1")


def test_a_receipt_that_gives_one_message_the_other_s_id_changes_its_own_alone(house: House) -> None:
    taken = house.post("taken")
    house.outbox().drain()
    house.provider = Provider(NO_ANSWER)
    doubt = house.post("doubt")
    house.outbox().drain()
    house.hear(DELIVERED, of=its_id(taken), message=doubt)
    assert (house.state(taken), house.state(doubt)) == (State.ACCEPTED, State.DELIVERED)
    assert (house.row(taken).provider_id, house.row(doubt).provider_id) == (its_id(taken), None)


def test_a_receipt_with_both_ids_is_found_by_ours(house: House) -> None:
    first, second = house.post("first"), house.post("second")
    house.outbox().drain()
    house.hear(DELIVERED, of=its_id(second), message=first)
    assert (house.state(first), house.state(second)) == (State.DELIVERED, State.ACCEPTED)


def test_a_failure_because_of_an_opt_out_opts_out_here(house: House) -> None:
    message = house.post("bulk", kind=Kind.TEST)
    house.outbox().drain()
    house.hear(FAILED, of=its_id(message), reason=Reason.OPTED_OUT)
    assert (house.state(message), house.row(message).reason) == (State.UNDELIVERED, Reason.OPTED_OUT)
    assert house.has_opted_out(ME)
    assert not house.has_opted_out(OTHER)


def test_a_failure_because_of_an_opt_out_that_came_early_opts_out_too(house: House) -> None:
    message = house.post("bulk", kind=Kind.TEST)
    house.provider.meanwhile = lambda batch: house.hear(FAILED, of=its_id(message), reason=Reason.OPTED_OUT)
    house.outbox().drain()
    assert house.state(message) == State.UNDELIVERED
    assert house.has_opted_out(ME)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_receipt_that_comes_while_kept_ones_are_applied_is_not_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is being settled: the receipt cannot see its provider's id yet, and is kept."""
    message = house.post()
    apply = receipts_module.apply

    def applied_slowly(*args: Any) -> None:
        apply(*args)
        if args[2] is ON_THE_WAY:
            another_process.submit(house.hear, DELIVERED, of=its_id(message)).result(timeout=10)

    monkeypatch.setattr(receipts_module, "apply", applied_slowly)
    house.provider.meanwhile = lambda batch: house.hear(ON_THE_WAY, of=its_id(message))
    with ThreadPoolExecutor(1) as another_process:
        house.outbox().drain()
    house.outbox().sweep()
    assert house.state(message) == State.DELIVERED
    assert house.kept_receipts() == 0


def test_receipts_beside_the_settling_of_their_messages_are_never_lost(house: House) -> None:
    """A provider that answers and reports in the same moment."""
    with ThreadPoolExecutor(4) as pool:

        def reported(batch: Sequence[Outgoing]) -> None:
            for message in batch:
                for status in (ON_THE_WAY, DELIVERED):
                    pool.submit(house.hear, status, of=its_id(message.id))

        ids = [house.post(f"number {each}") for each in range(40)]
        house.outbox(Provider(meanwhile=reported)).drain()
    house.outbox().sweep()
    assert {house.state(message) for message in ids} == {State.DELIVERED}
    assert house.kept_receipts() == 0


# the table of states ------------------------------------------------------------------------------


def test_the_database_takes_no_state_that_nobody_listed(house: House) -> None:
    message = house.post()
    with pytest.raises(Exception, match="state"), house.installation.store.write() as db:
        db.execute(text("UPDATE messages SET state = 'sent' WHERE id = :id"), {"id": message})
