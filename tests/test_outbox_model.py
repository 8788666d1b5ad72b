"""The outbox against a plain model of it: workers that stand still, die or go on at any step, receipts in any order.

A worker stands still before each of its transactions, and before and after it hands messages over, so every
interleaving and every moment of death can be tried without a sleep: while people opt out, broadcasts are paused,
resumed and cancelled, the programme keeps silent, night falls, and staff decide what is in doubt. A trigger in the
database notes each change of a state, whoever makes it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, event, select, text, update

from gateway.bulk import broadcasts as sending
from gateway.bulk.complaints import NotPossible
from gateway.models import decisions
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import set_pause
from gateway.models.messages import PRIORITY, Draft, Kind, messages, opt_in, opt_out, opt_outs, receipts, write
from gateway.models.store import Store
from gateway.providers.base import Accepted, Delivery, Outcome, Outgoing, Reason, Receipt, Refused, Sender, Unknown
from gateway.receipts import ReceiptDesk
from gateway.workers import outbox as outbox_module
from gateway.workers.outbox import Outbox
from tests.conftest import Installation

PHNOM_PENH = timezone(timedelta(hours=7))
NUMBERS = ("+85510000001", "+85512000002")
PROVIDER = "simulator"
LEASE = timedelta(seconds=60)
PAUSES = (10, 30, 120, 600, 1800, 3600, 7200)

MICRO_BATCH = 2
MOST = 8
"""Messages at once."""
SWEEP_EVERY = timedelta(seconds=5)
FOLLOWED = timedelta(hours=1)

CHANGES = {
    "queued": {"sending", "held", "expired", "cancelled"},
    "held": {"queued", "expired", "cancelled"},
    "sending": {"queued", "accepted", "delivered", "undelivered", "refused", "unconfirmed"},
    "unconfirmed": {"queued", "accepted", "delivered", "undelivered"},
    "accepted": {"delivered", "undelivered"},
    "refused": {"queued"},
}
"""All that can happen to a message; what is not named here is the end (DESIGN.md, The outbox)."""
BY_STAFF = {("unconfirmed", "queued"), ("refused", "queued")}
"""A person's explicit act."""
SILENT = {"invitation", "reminder", "tally", "poll", "check", "result"}
"""What does not leave in a pause (DOMAIN.md, Privacy)."""

OUTCOMES: Mapping[str, Outcome | None] = {
    "taken": None,
    "for now": Refused(Reason.THROTTLED, for_now=True),
    "for good": Refused(Reason.BAD_NUMBER, for_now=False),
    "opted out": Refused(Reason.OPTED_OUT, for_now=False),
    "unknown": Unknown(Reason.NO_ANSWER),
}

WORDS = st.sampled_from([*OUTCOMES, "taken", "taken", "for now", "for now"])
OFTEN = ["nothing"] * 5
MEANWHILE = {
    "begin": st.sampled_from(
        [*OFTEN, "an opt-out", "an opt-out", "a broadcast turns", "a broadcast turns", "silence", "silence",
         "the lease ends", "another takes over", "death", "night"]
    ),
    "handed over": st.sampled_from(
        [*OFTEN, "a receipt", "its broadcast stops", "its broadcast stops", "send again", "send again",
         "the lease ends", "another takes over", "death"]
    ),
}  # fmt: skip
"""What happens while a worker stands before a step."""
ELSE = st.sampled_from([*OFTEN, *OFTEN, "a receipt", "an opt-out", "a broadcast turns", "another takes over", "death"])
SECONDS = st.sampled_from([1, 11, 11, 11, 31, 31, 61, 61, 61, 121, 3601, 30000])
LIVES = st.sampled_from([*[timedelta(days=2)] * 3, timedelta(hours=1), timedelta(seconds=5)])
BEGINNINGS = st.sampled_from(["12:00:00", "12:00:00", "07:59:30", "18:59:30", "20:59:30"])
TURNS = st.sampled_from(["pause", "resume", "resume", "cancel"])
STOPS = st.sampled_from(["pause", "cancel"])
DECISIONS = st.sampled_from(["went out", "send again", "send again", "try again", "try again"])

TRIGGERS = {
    "sqlite": ["""
        CREATE TRIGGER changes_noted AFTER UPDATE OF state ON messages BEGIN
            INSERT INTO changes (message, old, new) VALUES (OLD.id, OLD.state, NEW.state);
        END"""],
    "postgresql": [
        """
        CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO changes (message, old, new) VALUES (OLD.id, OLD.state, NEW.state); RETURN NEW;
        END $$""",
        "CREATE TRIGGER changes_noted AFTER UPDATE OF state ON messages FOR EACH ROW EXECUTE FUNCTION note_change()",
    ],
}  # fmt: skip

SEQUENCE = {"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "postgresql": "SERIAL PRIMARY KEY"}


# a worker that stands still -------------------------------------------------------------------------


class Killed(BaseException):
    """The worker was killed here."""


class Worker(Sender):
    """A worker and its provider's connection, in a thread that takes one step at a time."""

    name = PROVIDER
    here = threading.local()
    """In a worker's own thread: which one it is."""

    def __init__(self, house: Installation, store: Store, number: int) -> None:
        self.number = number
        self._house, self._store = house, store
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._killed = False
        self._problem: BaseException | None = None
        self.at: str | None = None
        self.handed: list[list[Outgoing]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.takes_all = False

    def start(self) -> None:
        self.at, self._problem, self._killed = None, None, False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def step(self) -> None:
        """Does what it stands before, and stands before the next thing; `at` is None when it has ended."""
        self._go.release()
        self._wait()

    def kill(self) -> None:
        self._killed = True
        self.step()

    def stand(self, at: str) -> None:
        self.at = at
        self._stands.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        if self.takes_all:
            return [Accepted(its_id(message.id)) for message in batch]
        self.stand("handing over")
        self.handed.append(list(batch))
        self.stand("handed over")
        return [self.outcomes[message.id] for message in batch]

    def _run(self) -> None:
        self.here.worker = self
        try:
            house = self._house  # an outbox of its own each time: after a death it is another worker
            Outbox(self._store, house.keys, house.settings, self, now=house.clock).drain()
        except Killed:
            pass
        except BaseException as problem:  # told in the thread of the test
            self._problem = problem
        self.at = None
        self._stands.release()

    def _wait(self) -> None:
        assert self._stands.acquire(timeout=20), "the worker hangs"
        if self.at is None and self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._problem is not None:
            raise self._problem


class PausingStore(Store):
    """A store at each of whose transactions a worker stands still first."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        worker = getattr(Worker.here, "worker", None)
        if worker is not None:
            worker.stand("transaction")
        with super().write() as db:
            yield db


# the model ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """What the model knows of a message."""

    kind: Kind
    number: str
    not_before: datetime
    expires: datetime
    broadcast: int | None = None
    state: str = "queued"
    attempts: int = 0
    lease: datetime | None = None
    worker: int | None = None
    provider_id: str | None = None
    sent: datetime | None = None
    for_now: bool = False


@dataclass
class At:
    """Where a worker stands: before a step, with the messages it is sending."""

    step: str
    ids: list[str]
    since: datetime
    """The time by its clock: it looked there before it came to stand here."""
    seen: int = 0
    """Messages that were due when it looked: it begins with no more. While it sends, what is left of them."""
    over: int = 0
    """Segments it was granted and could not use."""
    sent: bool = False
    """Whether it has sent some."""


class Model(RuleBasedStateMachine):
    """The machine: what can happen, in any order; the model; and the real outbox beside it."""

    house: Installation
    store: PausingStore

    def __init__(self) -> None:
        super().__init__()
        house, store = self.house, self.store
        self.clock = house.clock
        self.clock.now = datetime.fromisoformat("2026-11-23T12:00:00+07:00")
        with store.write() as db:
            for table in ("receipts", "messages", "opt_outs", "changes", "broadcasts", "paces", "installation"):
                db.execute(text(f"DELETE FROM {table}"))
        self.desk = ReceiptDesk(store, house.settings, house.clock)
        self.workers = [Worker(house, store, number) for number in range(2)]
        self.stand: dict[int, At] = {}
        self.known: dict[str, Message] = {}
        self.kept: dict[tuple[str, Delivery], Reason | None] = {}
        self.stopped: set[str] = set()
        self.silence: tuple[date, date] | None = None
        self.stages: dict[int, tuple[str, datetime]] = {}
        self.swept: dict[int, datetime] = {}
        self.by_hand: Counter[str] = Counter()
        self.all_say: str | None = None
        """What a provider says next of all that it was handed."""

    # what can happen

    @initialize(beginning=BEGINNINGS)
    def first(self, beginning: str) -> None:
        self.clock.now = datetime.fromisoformat(f"2026-11-23T{beginning}+07:00")
        values = {"kind": Kind.REMINDER, "title": "x", "texts": "{}", "audience": "{}", "stage": Stage.APPROVED,
                  "created": self.clock.now, "changed": self.clock.now, "approved": self.clock.now}  # fmt: skip
        for _ in range(2):
            with self.store.write() as db:
                made = db.execute(broadcasts.insert().values(values).returning(broadcasts.c.id)).scalar_one()
            self.stages[made] = (Stage.APPROVED, self.clock.now)
        self.post(Kind.ANSWER, NUMBERS[0], timedelta(days=2), bulk=False)
        self.post(Kind.REMINDER, NUMBERS[1], timedelta(days=2), bulk=True)

    @precondition(lambda self: len(self.known) < MOST)
    @rule(kind=st.sampled_from(Kind), number=st.sampled_from(NUMBERS), life=LIVES, bulk=st.booleans())
    def post(self, kind: Kind, number: str, life: timedelta, bulk: bool) -> None:
        if len(self.known) >= MOST:
            return
        now = self.clock.now
        taken = {message.broadcast for message in self.known.values() if message.number == number}
        free = [each for each, (stage, _) in self.stages.items() if each not in taken and stage != Stage.CANCELLED]
        broadcast = free[0] if free and bulk and kind is not Kind.ANSWER else None
        draft = Draft(kind, number, f"message {len(self.known)}", PROVIDER, now, now + life)
        with self.store.write() as db:
            message = write(db, self.house.keys, draft, now)
            db.execute(update(messages).where(messages.c.id == message).values(broadcast=broadcast))
        self.known[message] = Message(kind, number, now, now + life, broadcast)

    @rule(which=st.integers(0, 1), turn=TURNS)
    def a_broadcast_turns(self, which: int, turn: str) -> None:
        broadcast = list(self.stages)[which]
        now, house = self.clock.now, self.house
        try:
            with self.store.write() as db:
                getattr(sending, turn)(db, house.settings, broadcast, now)
                row = db.execute(select(broadcasts).where(broadcasts.c.id == broadcast)).one()
        except NotPossible:  # it was not so, or there is nothing left to cancel
            return
        self.stages[broadcast] = (row.stage, row.changed)
        leaves, to = {
            "pause": ({"queued"}, "held"),
            "resume": ({"held"}, "queued"),
            "cancel": ({"queued", "held"}, "cancelled"),
        }[turn]
        for id_, message in self.known.items():
            if message.broadcast == broadcast and message.state in leaves:
                self._change(id_, state=to, lease=None, worker=None)

    @rule(days=st.sampled_from([None, 0, 1]))
    def the_programme_keeps_silent(self, days: int | None) -> None:
        today = self.clock.now.astimezone(PHNOM_PENH).date()
        self.silence = None if days is None else (today, today + timedelta(days=days))
        with self.store.write() as db:
            set_pause(db, self.silence)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), decision=DECISIONS)
    def staff_decide(self, data: st.DataObject, decision: str) -> None:
        now = self.clock.now
        of = {"went out": "unconfirmed", "send again": "unconfirmed", "try again": "refused"}[decision]
        open_ones = [id_ for id_, message in self.known.items() if message.state == of] or list(self.known)
        id_ = data.draw(st.sampled_from(open_ones))
        with self.store.write() as db:
            getattr(decisions, decision.replace(" ", "_"))(db, [id_], now)
        message = self.known[id_]
        stage = self.stages[message.broadcast][0] if message.broadcast else Stage.APPROVED
        may_go = message.expires > now and stage != Stage.CANCELLED
        if decision == "went out" and message.state == "unconfirmed":
            self._change(id_, state="accepted")
        elif message.state == of and may_go and (of == "unconfirmed" or message.for_now) and decision != "went out":
            fresh = {"state": "queued", "attempts": 0, "not_before": now, "for_now": False}
            self._change(id_, **fresh)
            self.by_hand[id_] += 1

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.clock.forward(seconds=seconds)

    @precondition(lambda self: len(self.stand) < len(self.workers))
    @rule(data=st.data())
    def a_worker_looks(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([each for each in range(len(self.workers)) if each not in self.stand]))
        self._start(number)

    def _start(self, number: int) -> None:
        self.swept[number] = self.clock.now
        self.workers[number].start()
        self.stand[number] = At("sweep", [], self.clock.now)

    @precondition(lambda self: self.stand)
    @rule(data=st.data(), most=st.integers(1, 6))
    def a_worker_takes_steps(self, data: st.DataObject, most: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.stand)))
        for _ in range(most):
            if number in self.stand:
                self._step(self.workers[number], data)
                self.model_and_database_agree()

    @rule(data=st.data())
    def a_worker_works_through_the_day(self, data: st.DataObject) -> None:
        noon = self.clock.now.astimezone(PHNOM_PENH).replace(hour=12, minute=0, second=0)
        self.clock.now = noon if noon > self.clock.now else noon + timedelta(days=1)
        for _ in range(3):
            self.post(
                data.draw(st.sampled_from(Kind)), data.draw(st.sampled_from(NUMBERS)), timedelta(days=2), bulk=True
            )
            self.a_worker_comes_to_its_end(data)

    @rule(data=st.data())
    def a_worker_comes_to_its_end(self, data: st.DataObject) -> None:
        if not self.stand:
            self.a_worker_looks(data)
        number = data.draw(st.sampled_from(sorted(self.stand)))
        while number in self.stand:
            at = self.stand[number]
            match data.draw(MEANWHILE.get(at.step, ELSE)):
                case "a receipt":
                    status, by_our_id = data.draw(st.sampled_from(Delivery)), data.draw(st.booleans())
                    self.a_receipt_comes(data, status, by_our_id, opted=False)
                case "an opt-out":
                    somebody = [self.known[id_].number for id_ in at.ids] or NUMBERS
                    self.a_person_opts(data.draw(st.sampled_from(somebody)), on=False)
                case "the lease ends":
                    self.time_passes(61)
                    self.somebody_sweeps()
                case "another takes over":
                    self.time_passes(61)
                    self._another_begins(1 - number, data)
                case "its broadcast stops":  # and then it is refused for now
                    for which in self._broadcasts_of(at.ids)[:1]:
                        self.a_broadcast_turns(which, data.draw(STOPS))
                        self.time_passes(6)
                        self.all_say = "for now"
                case "a broadcast turns":
                    which = data.draw(st.sampled_from(self._broadcasts_of(at.ids) or [0, 1]))
                    self.a_broadcast_turns(which, data.draw(TURNS))
                case "silence":
                    self.the_programme_keeps_silent(0)
                case "night":
                    self.time_passes(7 * 3600)
                case "send again":
                    self.time_passes(61)
                    self.somebody_sweeps()
                    self.staff_decide(data, "send again")
                    self._another_begins(1 - number, data, steps=6)
                case "death":
                    self.workers[number].kill()
                    del self.stand[number]
                    break
            self._step(self.workers[number], data)
            self.model_and_database_agree()

    def _broadcasts_of(self, ids: list[str]) -> list[int]:
        theirs = {self.known[id_].broadcast for id_ in ids}
        return [place for place, broadcast in enumerate(self.stages) if broadcast in theirs]

    def _another_begins(self, number: int, data: st.DataObject, steps: int = 3) -> None:
        if number not in self.stand:
            self._start(number)
        for _ in range(steps):
            if number in self.stand:
                self._step(self.workers[number], data)
                self.model_and_database_agree()

    def _step(self, worker: Worker, data: st.DataObject) -> None:
        at = self.stand[worker.number]
        if at.step == "handed over":
            said = {message: self.all_say or data.draw(WORDS) for message in at.ids}
            self.all_say = None
            worker.outcomes = {m: OUTCOMES[word] or Accepted(its_id(m)) for m, word in said.items()}
        worker.step()
        {
            "sweep": self._swept,
            "take": self._taken,
            "begin": self._begun,
            "give back": self._given_back,
            "handing over": self._handed,
            "handed over": self._answered,
            "settle": self._settled,
        }[at.step](worker)

    @precondition(lambda self: self.stand)
    @rule(data=st.data())
    def a_worker_is_killed(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.stand)))
        self.workers[number].kill()
        del self.stand[number]

    @rule()
    def somebody_sweeps(self) -> None:
        Outbox(self.store, self.house.keys, self.house.settings, self.workers[0], now=self.clock).sweep()
        self._sweep(self.clock.now)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), status=st.sampled_from(Delivery), by_our_id=st.booleans(), opted=st.booleans())
    def a_receipt_comes(self, data: st.DataObject, status: Delivery, by_our_id: bool, opted: bool) -> None:
        self.clock.forward(seconds=1)
        message = list(self.known)[data.draw(st.integers(0, len(self.known) - 1))]
        reason = Reason.OPTED_OUT if opted and status is Delivery.FAILED else None
        ours = message if by_our_id else None
        self.desk.receive(Receipt(PROVIDER, its_id(message), status, "x", reason, ours))
        if by_our_id:
            self._change(message, provider_id=its_id(message))
        if self.known[message].provider_id:
            self._hear(message, status, reason)
        else:
            self.kept.setdefault((message, status), reason)

    @rule(number=st.sampled_from(NUMBERS), on=st.booleans())
    def a_person_opts(self, number: str, on: bool) -> None:
        with self.store.write() as db:
            phone = self.house.keys.lookup(number)
            opt_in(db, phone) if on else opt_out(db, phone, self.clock.now.date(), "SMS")
        self.stopped = self.stopped - {number} if on else self.stopped | {number}

    # what the model says of it

    def _change(self, message: str, **values: Any) -> None:
        self.known[message] = replace(self.known[message], **values)

    def _may_go(self, message: Message, now: datetime) -> bool:
        """The rules, as the field has them (DOMAIN.md, Phones and Privacy)."""
        there = now.astimezone(PHNOM_PENH)
        if message.expires <= now:
            return False
        if message.broadcast and self.stages[message.broadcast][0] != Stage.APPROVED:
            return False
        if message.kind is Kind.ANSWER:
            return True
        if message.number in self.stopped:
            return False
        if message.kind in SILENT and self.silence and self.silence[0] <= there.date() <= self.silence[1]:
            return False
        return 8 <= there.hour < (21 if message.kind is Kind.URGENT else 19)

    def _due(self, now: datetime) -> list[str]:
        """Which may go, in their order."""
        due = [
            id_ for id_, message in self.known.items()
            if message.state == "queued" and message.not_before <= now and self._may_go(message, now)
        ]  # fmt: skip
        return sorted(due, key=self._order)

    def _order(self, id_: str) -> tuple[int, datetime]:
        return PRIORITY[self.known[id_].kind], self.known[id_].not_before

    def _sweep(self, now: datetime) -> None:
        for id_, message in self.known.items():
            stage, changed = self.stages.get(message.broadcast or 0, (Stage.APPROVED, now))
            if message.state == "queued" and stage != Stage.APPROVED and changed > now - FOLLOWED:
                self._change(id_, state="held" if stage == Stage.PAUSED else "cancelled")
        for id_ in self.known:
            lease = self.known[id_].lease
            if lease is not None and lease < now:
                self._change(id_, lease=None, state="unconfirmed")
            message = self.known[id_]
            if message.state in ("queued", "held"):
                if message.expires <= now:
                    self._change(id_, state="expired")
                elif message.kind is not Kind.ANSWER and message.number in self.stopped:
                    self._change(id_, state="cancelled")
        self._apply_kept()

    def _swept(self, worker: Worker) -> None:
        self._sweep(self.stand[worker.number].since)
        self._looks(worker)

    def _goes_on(self, worker: Worker) -> None:
        """It begins anew: with a sweep, when the last one is long ago, or with a look at what is due."""
        now = self.clock.now
        if now - self.swept[worker.number] >= SWEEP_EVERY:
            self.swept[worker.number] = now
            self._comes_to(worker, "sweep", [])
        else:
            self._looks(worker)

    def _looks(self, worker: Worker) -> None:
        due = self._due(self.clock.now)
        self._comes_to(worker, "take" if due else None, [], seen=len(due))

    def _taken(self, worker: Worker) -> None:
        at = self.stand[worker.number]
        self._comes_to(worker, "begin", [], seen=at.seen)

    def _begun(self, worker: Worker) -> None:
        at = self.stand[worker.number]
        ids, allowed = self._begins(worker, at.since, at.seen)
        over = at.seen - len(ids)
        if ids:
            self._comes_to(worker, "handing over", ids, seen=allowed, over=over)
        else:
            self._comes_to(worker, "give back", [], over=over)

    def _begins(self, worker: Worker, since: datetime, allowed: int) -> tuple[list[str], int]:
        """What it begins with of what is due, and how much it may begin with after that."""
        due, most = self._due(since), min(MICRO_BATCH, allowed)
        with self.store.read() as db:
            now_sending = set(db.scalars(select(messages.c.id).where(messages.c.state == "sending")))
        ids = [id_ for id_ in due if id_ in now_sending]
        assert len(ids) == min(len(due), most)  # of those that are as urgent as each other, any
        assert [self._order(id_) for id_ in ids] == [self._order(id_) for id_ in due][: len(ids)]
        for id_ in ids:
            sent = {"lease": since + LEASE, "attempts": self.known[id_].attempts + 1, "sent": since}
            self._change(id_, state="sending", worker=worker.number, **sent)
        return ids, allowed - most if len(ids) == most else 0

    def _given_back(self, worker: Worker) -> None:
        if self.stand[worker.number].sent:
            self._goes_on(worker)
        else:
            self._comes_to(worker, None, [])

    def _handed(self, worker: Worker) -> None:
        ids = self.stand[worker.number].ids
        assert sorted(message.id for message in worker.handed[-1]) == sorted(ids)
        assert {(m.id, m.number) for m in worker.handed[-1]} == {(id_, self.known[id_].number) for id_ in ids}
        at = self.stand[worker.number]
        self._comes_to(worker, "handed over", ids, seen=at.seen, over=at.over)

    def _answered(self, worker: Worker) -> None:
        at = self.stand[worker.number]
        sweeps = self.clock.now - self.swept[worker.number] >= SWEEP_EVERY
        self._comes_to(worker, "settle", at.ids, seen=0 if sweeps else at.seen, over=at.over)

    def _settled(self, worker: Worker) -> None:
        at = self.stand[worker.number]
        for id_ in at.ids:
            outcome, message = worker.outcomes[id_], self.known[id_]
            ours = message.state == "sending" and message.worker == worker.number
            if isinstance(outcome, Accepted):
                self._change(id_, provider_id=outcome.provider_id)
                if message.state in ("sending", "unconfirmed"):
                    self._change(id_, state="accepted", lease=None, worker=None)
            elif ours and isinstance(outcome, Unknown):
                self._change(id_, state="unconfirmed", lease=None, worker=None)
            elif ours and isinstance(outcome, Refused):
                tries = message.attempts
                if outcome.for_now and tries <= len(PAUSES):
                    later = at.since + timedelta(seconds=PAUSES[tries - 1])
                    self._change(id_, state="queued", lease=None, worker=None, not_before=later)
                else:
                    self._change(id_, state="refused", lease=None, worker=None, for_now=outcome.for_now)
            if isinstance(outcome, Refused) and outcome.reason is Reason.OPTED_OUT:
                self.stopped.add(message.number)
        self._apply_kept({id_ for id_ in at.ids if isinstance(worker.outcomes[id_], Accepted)})
        following, allowed = self._begins(worker, at.since, at.seen) if at.seen else ([], 0)
        over = at.over - len(following)
        if following:
            self._comes_to(worker, "handing over", following, seen=allowed, over=over)
        elif over:
            self._comes_to(worker, "give back", [], over=over, sent=True)
        else:
            self._goes_on(worker)

    def _hear(self, message: str, status: Delivery, reason: Reason | None) -> None:
        may_leave = {"sending", "unconfirmed"} | ({"accepted"} if status is not Delivery.ON_THE_WAY else set())
        if self.known[message].state in may_leave:
            to = {Delivery.ON_THE_WAY: "accepted", Delivery.DELIVERED: "delivered", Delivery.FAILED: "undelivered"}
            self._change(message, state=to[status], lease=None)
        if reason is Reason.OPTED_OUT:
            self.stopped.add(self.known[message].number)

    def _apply_kept(self, of: set[str] | None = None) -> None:
        for (message, status), reason in list(self.kept.items()):
            if self.known[message].provider_id and (of is None or message in of):
                self._hear(message, status, reason)
                del self.kept[message, status]

    def _comes_to(
        self, worker: Worker, step: str | None, ids: list[str], since: datetime | None = None, **more: Any
    ) -> None:
        if step is None:
            assert worker.at is None, worker.at
            del self.stand[worker.number]
            return
        assert worker.at == (step if "hand" in step else "transaction"), (worker.at, step)
        self.stand[worker.number] = At(step, ids, since or self.clock.now, **more)

    # what is always so

    @invariant()
    def model_and_database_agree(self) -> None:
        c = messages.c
        columns = (c.id, c.state, c.attempts, c.lease, c.provider_id, c.sent, c.for_now, c.not_before)
        with self.store.read() as db:
            found = {row.id: tuple(row)[1:] for row in db.execute(select(*columns))}
            heard = {(row.provider_id, row.move) for row in db.execute(select(receipts))}
            phones = set(db.scalars(select(opt_outs.c.phone)))
        assert found == {
            id_: (m.state, m.attempts, m.lease, m.provider_id, m.sent, m.for_now, m.not_before)
            for id_, m in self.known.items()
        }
        assert heard == {(its_id(message), status) for message, status in self.kept}
        assert phones == {self.house.keys.lookup(number) for number in self.stopped}

    @invariant()
    def only_what_may_happen_happens_and_only_staff_send_again(self) -> None:
        by_hand: Counter[str] = Counter()
        for message, old, new in self._changes():
            assert new in CHANGES.get(old, ()), (old, new)
            by_hand[message] += (old, new) in BY_STAFF
        assert +by_hand == self.by_hand

    @invariant()
    def nothing_is_handed_over_twice_unless_it_was_refused_for_now_or_sent_again_by_staff(self) -> None:
        handed = Counter(message.id for worker in self.workers for batch in worker.handed for message in batch)
        refused = Counter(message for message, old, new in self._changes() if (old, new) == ("sending", "queued"))
        for message, times in handed.items():
            assert times <= 1 + refused[message] + self.by_hand[message]

    def teardown(self) -> None:
        """Everybody has died. When broadcasts go on and the silence is over, whatever waits and is in time goes out."""
        for worker in self.workers:
            if worker.at is not None:
                worker.kill()
        house, last = self.house, self.workers[0]
        with self.store.write() as db:
            set_pause(db, None)
            db.execute(update(broadcasts).where(broadcasts.c.stage == Stage.PAUSED).values(stage=Stage.APPROVED))
            held = update(messages).where(messages.c.state == "held")
            db.execute(held.values(state="queued"))
        noon = self.clock.now.astimezone(PHNOM_PENH).replace(hour=12, minute=0, second=0)
        self.clock.now = noon + timedelta(days=1)
        last.takes_all = True
        outbox = Outbox(self.store, house.keys, house.settings, last, now=self.clock)
        outbox.drain()
        with self.store.read() as db:
            rows = db.execute(select(messages)).all()
        assert len(rows) == len(self.known)
        assert not {"sending", "queued", "held"} & {row.state for row in rows}
        for row in rows:
            before = self.known[row.id]
            stopped = before.number in self.stopped and before.kind is not Kind.ANSWER
            ended = before.broadcast and self.stages[before.broadcast][0] == Stage.CANCELLED
            if before.state in ("queued", "held") and before.expires > self.clock.now:
                went = row.state in ("accepted", "delivered", "undelivered")
                assert went is not (stopped or bool(ended)), row.state

    def _changes(self) -> list[tuple[str, str, str]]:
        with self.store.read() as db:
            rows = db.execute(text("SELECT message, old, new FROM changes ORDER BY n"))
            return [(row.message, row.old, row.new) for row in rows]


def its_id(message: str) -> str:
    return f"p-{message}"


@pytest.fixture
def pausing(installation: Installation) -> Iterator[PausingStore]:
    """A store beside the installation's own; on SQLite it does not wait for the disk."""
    store = PausingStore(installation.settings.database)
    if store.is_sqlite:
        event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    kind = store.url.get_backend_name()
    with store.write() as db:
        db.execute(text(f"CREATE TABLE changes (n {SEQUENCE[kind]}, message TEXT, old TEXT, new TEXT)"))
        for statement in TRIGGERS[kind]:
            db.execute(text(statement))
    yield store
    store.close()


def test_the_outbox_does_what_its_model_does(
    installation: Installation, pausing: PausingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MICRO_BATCH", MICRO_BATCH)

    class Ours(Model):
        house, store = installation, pausing

    chosen = settings(
        max_examples=150 if pausing.is_sqlite else 30,
        stateful_step_count=50,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ours, settings=chosen)
