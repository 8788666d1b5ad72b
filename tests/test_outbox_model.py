"""The outbox against a plain model of it: workers that stand still, die or go on at any step, receipts in any order.

A worker stands still before each of its transactions, and before and after it hands messages over, so every
interleaving and every moment of death can be tried without a sleep. A trigger in the database notes each change
of a state, whoever makes it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
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
from sqlalchemy import Connection, event, select, text

from gateway.models.messages import Draft, Kind, messages, opt_in, opt_out, opt_outs, receipts, write
from gateway.models.store import Store
from gateway.providers.base import Accepted, Delivery, Outcome, Outgoing, Reason, Receipt, Refused, Sender, Unknown
from gateway.receipts import ReceiptDesk
from gateway.workers.outbox import Outbox
from tests.conftest import Installation

PHNOM_PENH = timezone(timedelta(hours=7))
NUMBERS = ("+85510000001", "+85512000002")
PROVIDER = "simulator"
LEASE = timedelta(seconds=60)
PAUSES = (10, 30, 120, 600, 1800, 3600, 7200)

WAYS_BACK = {("claimed", "queued"), ("sending", "queued")}
"""The only ones (DESIGN.md, The outbox)."""
STAGES = {
    "queued": 0,
    "claimed": 1,
    "sending": 2,
    "unconfirmed": 3,
    "accepted": 4,
    "delivered": 5,
    "undelivered": 5,
    "refused": 5,
    "expired": 5,
    "cancelled": 5,
}
FINAL = {state for state, stage in STAGES.items() if stage == 5}

OUTCOMES: Mapping[str, Outcome | None] = {
    "taken": None,
    "for now": Refused(Reason.THROTTLED, for_now=True),
    "for good": Refused(Reason.BAD_NUMBER, for_now=False),
    "opted out": Refused(Reason.OPTED_OUT, for_now=False),
    "unknown": Unknown(Reason.NO_ANSWER),
}

WORDS = st.sampled_from([*OUTCOMES, "taken", "taken", "for now", "for now"])
MEANWHILE = st.sampled_from(
    [*["nothing"] * 6, "a receipt", "an opt-out", "the lease ends", "another takes over", "another takes over", "death"]
)
SECONDS = st.sampled_from([1, 11, 11, 11, 31, 31, 61, 61, 61, 121, 3601, 30000])
LIVES = st.sampled_from([*[timedelta(days=2)] * 3, timedelta(hours=1), timedelta(seconds=5)])

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
    state: str = "queued"
    attempts: int = 0
    lease: datetime | None = None
    worker: int | None = None
    provider_id: str | None = None


@dataclass
class At:
    """Where a worker stands: before a step, with the messages it has claimed or is sending."""

    step: str
    ids: list[str]
    since: datetime
    """The time by its clock: it looked there before it came to stand here."""


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
            for table in ("receipts", "messages", "opt_outs", "changes"):
                db.execute(text(f"DELETE FROM {table}"))
        self.desk = ReceiptDesk(store, house.settings, house.clock)
        self.workers = [Worker(house, store, number) for number in range(2)]
        self.stand: dict[int, At] = {}
        self.known: dict[str, Message] = {}
        self.kept: dict[tuple[str, Delivery], Reason | None] = {}
        self.stopped: set[str] = set()

    # what can happen

    @initialize()
    def first(self) -> None:
        self.post(Kind.ANSWER, NUMBERS[0], timedelta(days=2))
        self.post(Kind.TEST, NUMBERS[1], timedelta(days=2))

    @precondition(lambda self: len(self.known) < 4)
    @rule(kind=st.sampled_from(Kind), number=st.sampled_from(NUMBERS), life=LIVES)
    def post(self, kind: Kind, number: str, life: timedelta) -> None:
        now = self.clock.now
        draft = Draft(kind, number, f"message {len(self.known)}", PROVIDER, now, now + life)
        with self.store.write() as db:
            message = write(db, self.house.keys, draft, now)
        self.known[message] = Message(kind, number, now, now + life)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.clock.forward(seconds=seconds)

    @precondition(lambda self: len(self.stand) < len(self.workers))
    @rule(data=st.data())
    def a_worker_looks(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([each for each in range(len(self.workers)) if each not in self.stand]))
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
    def a_worker_comes_to_its_end(self, data: st.DataObject) -> None:
        if not self.stand:
            self.a_worker_looks(data)
        number = data.draw(st.sampled_from(sorted(self.stand)))
        while number in self.stand:
            match data.draw(MEANWHILE):
                case "a receipt":
                    status, by_our_id = data.draw(st.sampled_from(Delivery)), data.draw(st.booleans())
                    self.a_receipt_comes(data, status, by_our_id, opted=False)
                case "an opt-out":
                    self.a_person_opts(data.draw(st.sampled_from(NUMBERS)), on=False)
                case "the lease ends":
                    self.time_passes(61)
                    self.somebody_sweeps()
                case "another takes over":
                    self.time_passes(61)
                    self._another_claims(1 - number, data)
                case "death":
                    self.workers[number].kill()
                    del self.stand[number]
                    break
            self._step(self.workers[number], data)
            self.model_and_database_agree()

    def _another_claims(self, number: int, data: st.DataObject) -> None:
        if number not in self.stand:
            self.workers[number].start()
            self.stand[number] = At("sweep", [], self.clock.now)
        for _ in range(2):
            if number in self.stand:
                self._step(self.workers[number], data)
                self.model_and_database_agree()

    def _step(self, worker: Worker, data: st.DataObject) -> None:
        at = self.stand[worker.number]
        if at.step == "handed over":
            said = {message: data.draw(WORDS) for message in at.ids}
            worker.outcomes = {m: OUTCOMES[word] or Accepted(its_id(m)) for m, word in said.items()}
        worker.step()
        {
            "sweep": self._swept,
            "claim": self._claimed,
            "begin": self._begun,
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

    def _sweep(self, now: datetime) -> None:
        for id_ in self.known:
            lease = self.known[id_].lease
            if lease is not None and lease < now:
                to = {"claimed": "queued", "sending": "unconfirmed"}[self.known[id_].state]
                self._change(id_, state=to, lease=None)
            message = self.known[id_]
            if message.state == "queued" and message.expires <= now:
                self._change(id_, state="expired")
            elif (
                message.state in ("queued", "claimed")
                and message.kind is not Kind.ANSWER
                and message.number in self.stopped
            ):
                self._change(id_, state="cancelled", lease=None)
        self._apply_kept()

    def _swept(self, worker: Worker) -> None:
        self._sweep(self.stand[worker.number].since)
        self._comes_to(worker, "claim", [])

    def _claimed(self, worker: Worker) -> None:
        now = self.stand[worker.number].since
        quiet = not 8 <= now.astimezone(PHNOM_PENH).hour < 19
        ids = []
        for id_, message in self.known.items():
            allowed = message.kind is Kind.ANSWER or not (quiet or message.number in self.stopped)
            if message.state == "queued" and message.not_before <= now < message.expires and allowed:
                self._change(id_, state="claimed", lease=now + LEASE, worker=worker.number)
                ids.append(id_)
        self._comes_to(worker, "begin" if ids else None, ids)

    def _begun(self, worker: Worker) -> None:
        mine = []
        for id_ in self.stand[worker.number].ids:
            message = self.known[id_]
            if message.state == "claimed" and message.worker == worker.number:
                lease = self.stand[worker.number].since + LEASE
                self._change(id_, state="sending", lease=lease, attempts=message.attempts + 1)
                mine.append(id_)
        self._comes_to(worker, "handing over" if mine else "claim", mine)

    def _handed(self, worker: Worker) -> None:
        ids = self.stand[worker.number].ids
        assert sorted(message.id for message in worker.handed[-1]) == sorted(ids)
        assert {(m.id, m.number) for m in worker.handed[-1]} == {(id_, self.known[id_].number) for id_ in ids}
        self._comes_to(worker, "handed over", ids)

    def _answered(self, worker: Worker) -> None:
        self._comes_to(worker, "settle", self.stand[worker.number].ids)

    def _settled(self, worker: Worker) -> None:
        for id_ in self.stand[worker.number].ids:
            outcome, message = worker.outcomes[id_], self.known[id_]
            if isinstance(outcome, Accepted):
                self._change(id_, provider_id=outcome.provider_id)
                if message.state in ("sending", "unconfirmed"):
                    self._change(id_, state="accepted", lease=None)
            elif message.state == "sending":
                if isinstance(outcome, Unknown):
                    self._change(id_, state="unconfirmed", lease=None)
                elif outcome.for_now and message.attempts <= len(PAUSES):
                    later = self.clock.now + timedelta(seconds=PAUSES[message.attempts - 1])
                    self._change(id_, state="queued", lease=None, not_before=later)
                else:
                    self._change(id_, state="refused", lease=None)
            if isinstance(outcome, Refused) and outcome.reason is Reason.OPTED_OUT:
                self.stopped.add(message.number)
        self._apply_kept()
        self._comes_to(worker, "claim", [])

    def _hear(self, message: str, status: Delivery, reason: Reason | None) -> None:
        may_leave = {"sending", "unconfirmed"} | ({"accepted"} if status is not Delivery.ON_THE_WAY else set())
        if self.known[message].state in may_leave:
            to = {Delivery.ON_THE_WAY: "accepted", Delivery.DELIVERED: "delivered", Delivery.FAILED: "undelivered"}
            self._change(message, state=to[status], lease=None)
        if reason is Reason.OPTED_OUT:
            self.stopped.add(self.known[message].number)

    def _apply_kept(self) -> None:
        for (message, status), reason in list(self.kept.items()):
            if self.known[message].provider_id:
                self._hear(message, status, reason)
                del self.kept[message, status]

    def _comes_to(self, worker: Worker, step: str | None, ids: list[str]) -> None:
        if step is None:
            assert worker.at is None
            del self.stand[worker.number]
            return
        assert worker.at == (step if "hand" in step else "transaction"), (worker.at, step)
        self.stand[worker.number] = At(step, ids, self.clock.now)

    # what is always so

    @invariant()
    def model_and_database_agree(self) -> None:
        columns = (messages.c.id, messages.c.state, messages.c.attempts, messages.c.lease, messages.c.provider_id)
        with self.store.read() as db:
            found = {row.id: tuple(row)[1:] for row in db.execute(select(*columns))}
            heard = {(row.provider_id, row.move) for row in db.execute(select(receipts))}
            phones = set(db.scalars(select(opt_outs.c.phone)))
        assert found == {id_: (m.state, m.attempts, m.lease, m.provider_id) for id_, m in self.known.items()}
        assert heard == {(its_id(message), status) for message, status in self.kept}
        assert phones == {self.house.keys.lookup(number) for number in self.stopped}

    @invariant()
    def states_go_forward_but_for_the_two_ways_back(self) -> None:
        for _, old, new in self._changes():
            assert (old, new) in WAYS_BACK or STAGES[old] < STAGES[new], (old, new)
            assert old not in FINAL

    @invariant()
    def nothing_is_handed_over_twice_unless_it_was_refused_for_now(self) -> None:
        handed = Counter(message.id for worker in self.workers for batch in worker.handed for message in batch)
        refused = Counter(message for message, old, new in self._changes() if (old, new) == ("sending", "queued"))
        for message, times in handed.items():
            assert times <= 1 + refused[message]

    def teardown(self) -> None:
        for worker in self.workers:
            if worker.at is not None:
                worker.kill()
        for sender in (self.workers[0],):  # a day later nothing is stuck, and nothing was lost
            self.clock.forward(days=4)
            Outbox(self.store, self.house.keys, self.house.settings, sender, now=self.clock).sweep()
        with self.store.read() as db:
            assert len(db.execute(select(messages.c.id)).all()) == len(self.known)
            assert not {"claimed", "sending", "queued"} & set(db.scalars(select(messages.c.state)))
        self.states_go_forward_but_for_the_two_ways_back()

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


def test_the_outbox_does_what_its_model_does(installation: Installation, pausing: PausingStore) -> None:
    class Ours(Model):
        house, store = installation, pausing

    chosen = settings(
        max_examples=120 if pausing.is_sqlite else 25,
        stateful_step_count=50,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ours, settings=chosen)
