"""The journal of a worker that was killed: what it never handed over is sent by another, the rest is in doubt."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError

from gateway.models.messages import Draft, Kind, State, messages, write
from gateway.models.services import services
from gateway.models.store import Store
from gateway.providers.base import Accepted, Outcome, Outgoing, Refused, Sender
from gateway.workers import journal as journal_module
from gateway.workers import outbox as outbox_module
from gateway.workers.journal import FOLDER, HANDS_OVER_SECONDS, Journal, take_over
from gateway.workers.outbox import LEASE, Outbox
from tests.conftest import Installation
from tests.playing import playing

# A worker that is killed, or stands still, when it has handed over three messages of five.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from gateway import config
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.providers.base import Sender
from gateway.workers.outbox import Outbox

class Halfway(Sender):
    name = "simulator"
    tells = True
    def __init__(self):
        pass
    def send(self, batch, seconds):
        for message in batch[:3]:
            message.goes_out()
            print(message.id, flush=True)
        print("halfway", flush=True)
        time.sleep(300)

settings = config.load()
Outbox(Store(settings.database), Keys(settings), settings, Halfway(), journals=Path(sys.argv[1])).drain()
"""


class Takes(Sender):
    """Takes everything."""

    name = "simulator"

    def __init__(self, says: Callable[[], object] = lambda: None) -> None:
        self.taken: list[str] = []
        self._says = says

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        self.taken += [message.id for message in batch]
        self._says()
        return [Accepted(f"p-{message.id}") for message in batch]


class Halfway:
    """Five messages, of which a worker process has handed over three."""

    def __init__(self, installation: Installation) -> None:
        self.of = installation
        self.folder = installation.settings.data_dir / FOLDER
        now = datetime.now(UTC)
        with installation.store.write() as db:
            for each in range(5):
                number = f"+85510{each:06d}"
                draft = Draft(Kind.ANSWER, number, "hello", "simulator", now, now + timedelta(days=1))
                write(db, installation.keys, draft, now)
        env = {"DATABASE_URL": installation.settings.database, "DATA_DIR": str(installation.settings.data_dir)}
        command = [sys.executable, "-c", SCRIPT, str(self.folder)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=env, cwd=self.of.settings.data_dir
        )
        assert self.process.stdout is not None
        self.handed_over = [line.strip() for line in iter(self.process.stdout.readline, "halfway\n")]
        assert len(self.handed_over) == 3

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def another(self) -> list[str]:
        """What another worker sends now."""
        sender = Takes()
        of = self.of
        Outbox(of.store, of.keys, of.settings, sender, journals=self.folder).drain()
        return sender.taken

    def states(self) -> Counter[str]:
        with self.of.store.read() as db:
            return Counter(db.scalars(select(messages.c.state)))

    def end_leases(self) -> None:
        with self.of.store.write() as db:
            late = datetime.now(UTC) - LEASE
            db.execute(update(messages).where(messages.c.lease.is_not(None)).values(lease=late))


@pytest.fixture
def halfway(installation: Installation) -> Iterator[Halfway]:
    case = Halfway(installation)
    yield case
    case.kill()
    assert case.process.stdout is not None
    case.process.stdout.close()


def test_what_a_killed_worker_never_handed_over_is_sent_at_once_and_the_rest_is_in_doubt(halfway: Halfway) -> None:
    halfway.kill()
    sent = halfway.another()
    assert len(sent) == 2
    assert not set(sent) & set(halfway.handed_over)
    assert halfway.states() == {State.ACCEPTED: 2, State.SENDING: 3}
    halfway.end_leases()
    assert halfway.another() == []
    assert halfway.states() == {State.ACCEPTED: 2, State.UNCONFIRMED: 3}
    with halfway.of.store.read() as db:  # it was no attempt
        sent_by_the_other = select(messages.c.attempts).where(messages.c.id.in_(sent))
        assert list(db.scalars(sent_by_the_other)) == [1, 1]


def test_a_frozen_worker_is_not_taken_for_a_dead_one(halfway: Halfway) -> None:
    halfway.process.send_signal(signal.SIGSTOP)
    assert halfway.another() == []
    halfway.end_leases()
    assert halfway.another() == []
    assert halfway.states() == {State.UNCONFIRMED: 5}


def test_what_a_frozen_worker_will_not_hand_over_any_more_is_sent_by_another(
    halfway: Halfway, monkeypatch: pytest.MonkeyPatch
) -> None:
    halfway.process.send_signal(signal.SIGSTOP)
    halfway.end_leases()
    later = time.clock_gettime(time.CLOCK_BOOTTIME) + HANDS_OVER_SECONDS
    monkeypatch.setattr(journal_module, "_clock", lambda: later)
    sent = halfway.another()
    assert len(sent) == 2
    assert not set(sent) & set(halfway.handed_over)
    assert halfway.states() == {State.ACCEPTED: 2, State.UNCONFIRMED: 3}
    assert len(list(halfway.folder.iterdir())) == 2  # the frozen one keeps its own


def test_who_was_frozen_hands_nothing_over_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, "worker")
    journal.begin(["a" * 32, "b" * 32])
    journal.goes_out("a" * 32)
    later = time.clock_gettime(time.CLOCK_BOOTTIME) + HANDS_OVER_SECONDS
    monkeypatch.setattr(journal_module, "_clock", lambda: later)
    with playing("kannel") as stub, stub.sender() as sender:
        late = Outgoing("b" * 32, "+85510000001", "hello", partial(journal.goes_out, "b" * 32))
        (outcome,) = sender.send([late], 5)
        assert isinstance(outcome, Refused)
        assert outcome.for_now
        assert stub.summary() == {}
    journal.close()


def test_after_a_power_cut_nothing_is_concluded(halfway: Halfway, monkeypatch: pytest.MonkeyPatch) -> None:
    halfway.kill()
    monkeypatch.setattr(journal_module, "_started", lambda: b"another start of the system")
    assert halfway.another() == []
    halfway.end_leases()
    halfway.another()
    assert halfway.states() == {State.UNCONFIRMED: 5}


def test_what_was_claimed_goes_back_without_waiting_for_the_lease(halfway: Halfway) -> None:
    with halfway.of.store.write() as db:
        worker = db.scalars(select(messages.c.worker).distinct()).one()
        claimed = messages.c.id.not_in(halfway.handed_over)
        db.execute(update(messages).where(claimed).values(state=State.CLAIMED, worker=worker))
    halfway.kill()
    assert len(halfway.another()) == 2


def test_two_take_over_at_the_same_moment(halfway: Halfway) -> None:
    halfway.kill()
    taken: list[int] = []

    def take() -> None:
        taken.append(take_over(halfway.of.store, halfway.folder, datetime.now(UTC)))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 2
    assert list(halfway.folder.iterdir()) == []


def test_an_outcome_that_cannot_be_written_down_leaves_the_message_in_doubt(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker lives on, under a new name: what it marked under the old one is not sent again."""
    now = datetime.now(UTC)
    with installation.store.write() as db:
        draft = Draft(Kind.ANSWER, "+85510000001", "hello", "simulator", now, now + timedelta(days=1))
        write(db, installation.keys, draft, now)
    sender, folder = Takes(), installation.settings.data_dir / FOLDER
    outbox = Outbox(installation.store, installation.keys, installation.settings, sender, journals=folder)

    def fails(*_: Any) -> None:
        raise OperationalError("UPDATE", {}, Exception("the database is away"))

    with monkeypatch.context() as patch:
        patch.setattr("gateway.workers.outbox.SETTLE_SECONDS", 0.0)
        patch.setattr(outbox, "_settle_all", fails)
        with pytest.raises(OperationalError):
            outbox.drain()
    outbox.sweep()
    assert outbox.drain() == 0
    assert len(sender.taken) == 1
    with installation.store.read() as db:
        assert list(db.scalars(select(messages.c.state))) == [State.SENDING]


def test_what_was_begun_in_a_transaction_of_unknown_end_is_handed_over_later_and_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that settles the first message and begins the second is done, and the worker does not hear of it."""
    now = datetime.now(UTC)
    with installation.store.write() as db:
        for _ in range(3):
            draft = Draft(Kind.ANSWER, "+85510000001", "hello", "simulator", now, now + timedelta(days=1))
            write(db, installation.keys, draft, now)
    sender, folder = Takes(), installation.settings.data_dir / FOLDER
    outbox = Outbox(installation.store, installation.keys, installation.settings, sender, journals=folder)
    commit, cut_off = Store.write, [True]

    @contextmanager
    def loses_the_answer(store: Store) -> Iterator[Connection]:
        with commit(store) as db:
            yield db
        if sender.taken and cut_off:
            cut_off.clear()
            raise OperationalError("COMMIT", {}, Exception("the database is away"))

    monkeypatch.setattr(outbox_module, "MICRO_BATCH", 1)
    monkeypatch.setattr(outbox_module, "SETTLE_SECONDS", 0.8)
    monkeypatch.setattr(Store, "write", loses_the_answer)
    assert outbox.drain() == 2  # the first and, under another name, the third
    with installation.store.read() as db:
        assert Counter(db.scalars(select(messages.c.state))) == {State.ACCEPTED: 2, State.SENDING: 1}
    outbox.sweep()
    assert outbox.drain() == 1
    with installation.store.read() as db:
        assert Counter(db.scalars(select(messages.c.state))) == {State.ACCEPTED: 3}
    assert len(set(sender.taken)) == len(sender.taken) == 3


def test_without_a_folder_to_write_to_messages_go_out_all_the_same(installation: Installation) -> None:
    now = datetime.now(UTC)
    with installation.store.write() as db:
        draft = Draft(Kind.ANSWER, "+85510000001", "hello", "simulator", now, now + timedelta(days=1))
        write(db, installation.keys, draft, now)
    sender, file = Takes(), installation.settings.data_dir / "a file"
    file.touch()
    Outbox(installation.store, installation.keys, installation.settings, sender, journals=file).drain()
    assert len(sender.taken) == 1


def test_a_journal_holds_ids_alone_and_nobody_else_reads_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / FOLDER, "worker")
    journal.begin(["a" * 32, "b" * 32])
    journal.goes_out("b" * 32)
    path = tmp_path / FOLDER / "worker"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(journal_module._left(path.parent)) == []
    journal.close()
    (left,) = journal_module._left(path.parent)
    assert (left.worker, left.is_dead, left.marked, left.unmarked) == ("worker", True, ["b" * 32], ["a" * 32])


# Killed in the moment of sending: just before the system has the bytes, or just after.
KILLED = """
import os, signal, sys
from functools import partial
from pathlib import Path
from gateway.providers import noted
from gateway.providers.base import Outgoing
from gateway.workers.journal import Journal
from tests.playing import SENDERS, settings

url, folder, when = sys.argv[1:]
send = noted.send

def killed(*given):
    if when == "after":
        send(*given)
    os.kill(os.getpid(), signal.SIGKILL)

noted.send = killed
journal = Journal(Path(folder), "worker")
journal.begin(["a" * 32])
sender = SENDERS["kannel"](settings(url, "http://127.0.0.1:1"))
sender.send([Outgoing("a" * 32, "+85510000001", "hello", partial(journal.goes_out, "a" * 32))], 5)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux notes what it sends")
@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_killed_in_the_moment_of_sending_leaves_in_doubt_only_what_went_out(when: str, tmp_path: Path) -> None:
    with playing("kannel") as stub:
        done = subprocess.run(  # noqa: PLW1510  # it is killed
            [sys.executable, "-c", KILLED, stub.url, str(tmp_path), when], cwd=Path(__file__).parents[1]
        )
        assert done.returncode == -signal.SIGKILL
        (left,) = journal_module._left(tmp_path)
        until = time.monotonic() + 5
        while when == "after" and not stub.summary() and time.monotonic() < until:
            time.sleep(0.05)
        assert stub.summary().get("accepted", 0) == (when == "after")
    assert (left.marked, left.unmarked) == ((["a" * 32], []) if when == "after" else ([], ["a" * 32]))


PROVIDERS = ["africastalking", "twilio", "somleng", "kannel", "android", "http"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_sender_tells_of_each_message_before_it_reaches_the_provider(provider: str) -> None:
    told: list[str] = []
    with playing(provider) as stub, stub.sender() as sender:
        assert sender.tells
        taken_when_told: list[int] = []

        def goes_out(message: str, noted: bool = False) -> None:
            told.append(message)
            if len(told) == 1:
                taken_when_told.append(stub.summary().get("accepted", 0))

        batch = [Outgoing(f"{each:032x}", f"+85510{each:06d}", "hello") for each in range(5)]
        said = sender.send([replace(one, goes_out=partial(goes_out, one.id)) for one in batch], 5)
        assert [type(outcome) for outcome in said] == [Accepted] * 5
        assert sorted(told) == [one.id for one in batch]
        assert len(taken_when_told) == 1
        assert taken_when_told[0] < 5


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_sender_that_finds_nobody_tells_nothing(provider: str) -> None:
    told: list[str] = []
    with playing(provider) as stub:
        made = stub.sender()
    with made as sender:  # the stub has gone
        sender.send([Outgoing("a" * 32, "+85510000001", "hello", lambda noted=False: told.append("it"))], 5)
    assert told == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_frozen_in_a_transaction_holds_up_nobody_for_long(installation: Installation) -> None:
    worker = Store(installation.settings.database, idle_seconds=1)
    row = update(services).where(services.c.number == 1).values(name_en="Commune office")

    def stand_still() -> None:
        with worker.write() as frozen:
            frozen.execute(row)
            began = time.monotonic()
            with installation.store.write() as db:
                db.execute(row)
            waited.append(time.monotonic() - began)
            frozen.execute(row)

    waited: list[float] = []
    with pytest.raises(outbox_module.AWAY):
        stand_still()
    assert 0.5 < waited[0] < 5
    with worker.write() as db:  # and goes on
        db.execute(row)
    worker.close()
