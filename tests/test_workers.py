"""`mati worker` and `mati clock` as real processes, with a real Valkey that comes and goes, on both databases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from gateway import create_app, valkey
from gateway.config import Settings
from gateway.models.conversations import conversations
from gateway.models.messages import Draft, Kind, State, inbound, messages, receipts, write
from gateway.providers.base import Accepted, Outcome, Outgoing, Sender
from gateway.workers import housekeeping, pumps
from gateway.workers.outbox import LEASE, MICRO_BATCH, Outbox
from gateway.workers.wakeups import JOB, QUEUE, WakeUps
from tests.conftest import Installation

ME = "+85510000001"
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# A worker whose provider is slow, or never comes back: it says where it is, and notes what it was handed.
SCRIPTED = """
import sys, time
from pathlib import Path
from gateway import config, logs
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.providers.base import Accepted, Sender
from gateway.workers import pumps
from gateway.workers.outbox import Outbox

stage, noted = sys.argv[1], Path(sys.argv[2])

def stand(here):
    if stage == here:
        print(here, flush=True)
        time.sleep(300)

class Slow(Sender):
    name = "simulator"
    def __init__(self):
        pass
    def send(self, batch, seconds):
        stand("sending")
        with noted.open("a") as file:
            file.writelines(f"{message.id}\\n" for message in batch)
        stand("sent")
        if stage == "slow":
            print("slow", flush=True)
            time.sleep(1.5)
        return [Accepted(f"p-{message.id}") for message in batch]

settings = config.load()
if stage == "slow":
    logs.set_up()
    pumps.all_senders = lambda settings: [Slow()]
    pumps.run(settings, burst="--burst" in sys.argv)
else:
    Outbox(Store(settings.database), Keys(settings), settings, Slow()).drain()
"""


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> float:
    """Seconds until something is so."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - begun


@dataclass
class RedisServer:
    """A Valkey of the test's own, on a socket, that can be taken away and brought back."""

    socket: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return valkey.redis_url(self.socket)

    def start(self) -> None:
        self.process = subprocess.Popen(valkey.valkey_child(self.socket, {}).argv, env=dict(os.environ))
        valkey.wait_until_ready(self.socket, 10)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def client(self) -> Any:
        return Redis.from_url(self.url)


@dataclass
class House:
    """An installation, and the processes that run it."""

    installation: Installation
    redis: RedisServer
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.installation.settings

    def run(self, *argv: str, **more: str) -> subprocess.Popen[str]:
        """A process of the gateway, with these settings."""
        settings = self.settings
        env = dict(os.environ) | {
            "DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": settings.database,
            "REDIS_URL": self.redis.url,
            **more,
        }
        log = (settings.data_dir / "log").open("a")
        process = subprocess.Popen(
            [sys.executable, *argv], env=env, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
        )
        self.processes.append(process)
        return process

    def mati(self, *command: str, **more: str) -> subprocess.Popen[str]:
        return self.run("-m", "gateway.cli", *command, **more)

    def scripted(self, stage: str, *options: str) -> subprocess.Popen[str]:
        """A scripted worker that has come to a stage."""
        process = self.run("-c", SCRIPTED, stage, str(self.noted), *options)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == stage
        return process

    @property
    def noted(self) -> Path:
        return self.settings.data_dir / "handed-over"

    @property
    def log(self) -> str:
        return (self.settings.data_dir / "log").read_text()

    def post(self, said: str = "hello") -> str:
        """Puts an answer into the outbox; its id."""
        now = self.installation.clock.now
        draft = Draft(Kind.ANSWER, ME, said, "simulator", now, now + timedelta(days=1))
        with self.installation.store.write() as db:
            return write(db, self.installation.keys, draft, now)

    def states(self, *ids: str) -> set[str]:
        with self.installation.store.read() as db:
            chosen = messages.c.id.in_(ids) if ids else messages.c.id.is_not(None)
            return set(db.scalars(select(messages.c.state).where(chosen)))

    def is_sent(self, message: str) -> bool:
        return self.states(message) == {State.ACCEPTED}

    def worker(self, *options: str) -> subprocess.Popen[str]:
        """`mati worker`, which has sent its first message."""
        process = self.mati("worker", *options)
        first = self.post("the first")
        wait_for(lambda: self.is_sent(first))
        return process


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with valkey.socket_path() as socket:
        server = RedisServer(socket)
        server.start()
        yield server
        server.kill()


@pytest.fixture
def house(installation: Installation, redis: RedisServer) -> Iterator[House]:
    """With an open round, and the clock of the processes."""
    installation.clock.now = datetime.now(UTC)
    installation.open_round()
    house = House(installation, redis)
    yield house
    for process in house.processes:
        process.kill()
        process.communicate()


def told_to_stop(process: subprocess.Popen[str], seconds: float = 6.0) -> int:
    """The exit code of a process that is told to stop, within so many seconds."""
    process.send_signal(signal.SIGTERM)
    return process.wait(seconds)


# sending ------------------------------------------------------------------------------------------


def test_a_woken_worker_sends_within_a_second_and_stops_when_told(house: House) -> None:
    process = house.worker()
    wakes = WakeUps(house.redis.url)
    wait_for(lambda: house.redis.client.smembers("rq:workers"))
    took = []
    for _ in range(3):
        message = house.post()
        wakes.wake(message)
        took.append(wait_for(lambda message=message: house.is_sent(message)))  # type: ignore[misc]
    assert min(took) < 1.0
    assert told_to_stop(process) == 0
    assert "exception" not in house.log


@sqlite_only
def test_a_worker_stops_when_told_while_redis_is_gone(house: House) -> None:
    process = house.worker()
    house.redis.kill()
    time.sleep(1.5)
    assert told_to_stop(process) == 0


@sqlite_only
def test_a_worker_that_never_saw_redis_sends_and_stops_when_told(house: House) -> None:
    house.redis.kill()
    process = house.worker()
    assert told_to_stop(process) == 0


@sqlite_only
@pytest.mark.parametrize("options", [[], ["--burst"]])
def test_a_worker_that_is_told_to_stop_finishes_what_it_is_sending(house: House, options: list[str]) -> None:
    """While Redis is gone, too."""
    house.redis.kill()
    sent = [house.post() for _ in range(MICRO_BATCH)]
    later = house.post()
    process = house.scripted("slow", *options)
    assert told_to_stop(process) == 0
    assert house.states(*sent) == {State.ACCEPTED}
    assert house.states(later) == {State.QUEUED}  # not of this micro-batch: left to another worker


def test_a_burst_sends_what_is_due_and_ends(house: House) -> None:
    due = [house.post() for _ in range(3)]
    wakes = WakeUps(house.redis.url)
    for message in due:
        wakes.wake(message)
    process = house.mati("worker", "--burst")
    assert process.wait(15) == 0
    assert house.states() == {State.ACCEPTED}
    assert house.redis.client.llen(f"rq:queue:{QUEUE}") == 0


@sqlite_only
def test_a_burst_does_not_need_redis(house: House) -> None:
    house.redis.kill()
    house.post()
    process = house.mati("worker", "--burst")
    assert process.wait(15) == 0
    assert house.states() == {State.ACCEPTED}


def test_redis_gone_for_seconds_loses_no_answer(house: House) -> None:
    process = house.worker()
    web = create_app(house.settings.model_copy(update={"redis_url": house.redis.url})).test_client()
    house.redis.kill()
    begun = time.monotonic()
    for each in range(5):
        assert sends(web, each) < 1.0  # the provider is not kept waiting for a Redis that is gone
        time.sleep(0.3)
    wait_for(lambda: house.states() == {State.ACCEPTED})
    assert time.monotonic() - begun < 5 * 1.0 + 6.5  # without a wake-up the worker looks every five seconds
    house.redis.start()
    took, sent = 9.0, 5
    while took > 1.0 and sent < 30:  # until a wake-up wakes again
        sends(web, sent)
        sent += 1
        took = wait_for(lambda: house.states() == {State.ACCEPTED})
    assert took < 1.0
    for each in range(sent):
        answer = web.post("/hooks/simulator/inbox", json={"number": number(each), "shown": []}).get_json()
        assert len(answer["messages"]) == 1
    assert process.poll() is None
    assert number(0)[4:] not in house.log
    assert told_to_stop(process) == 0


def number(each: int) -> str:
    return f"+85512000{each:03}"


def sends(web: FlaskClient, each: int) -> float:
    """Seconds until the webhook has taken an SMS."""
    begun = time.monotonic()
    sms = {"id": f"sms-{each}", "from": number(each), "to": "8550", "text": "HELP"}
    assert web.post("/hooks/simulator/sms", json=sms).status_code == 200
    return time.monotonic() - begun


# workers that are killed --------------------------------------------------------------------------


class Noting(Sender):
    """A provider that takes everything, and notes it beside what the killed worker handed over."""

    name = "simulator"

    def __init__(self, noted: Path) -> None:
        self._noted = noted

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        with self._noted.open("a") as file:
            file.writelines(f"{message.id}\n" for message in batch)
        return [Accepted(f"p-{message.id}") for message in batch]


@pytest.mark.parametrize(
    ("stage", "handed_over"),
    [("sending", 0), ("sent", MICRO_BATCH)],
)
def test_a_worker_killed_at_any_stage_never_makes_a_message_go_twice(
    house: House, stage: str, handed_over: int
) -> None:
    ids = [house.post(f"number {each}") for each in range(MICRO_BATCH + 8)]
    killed = house.scripted(stage)
    killed.kill()
    killed.wait()
    assert len(handed(house)) == handed_over
    inst = house.installation

    def drain() -> int:
        """Another worker comes."""
        return Outbox(inst.store, inst.keys, inst.settings, Noting(house.noted)).drain()

    assert drain() == 8  # what it had not begun with
    with inst.store.write() as db:
        db.execute(update(messages).where(messages.c.lease.is_not(None)).values(lease=datetime.now(UTC) - LEASE))
    assert drain() == 0
    assert set(handed(house).values()) == {1}
    assert len(handed(house)) == len(ids) - MICRO_BATCH + handed_over
    with inst.store.read() as db:
        count = Counter(db.scalars(select(messages.c.state)))
    assert count[State.UNCONFIRMED] == MICRO_BATCH
    assert count[State.ACCEPTED] == len(ids) - MICRO_BATCH


def test_three_worker_processes_beside_each_other_send_each_message_once(house: House) -> None:
    ids = [house.post(f"number {each}") for each in range(150)]
    processes = [house.run("-c", SCRIPTED, "none", str(house.noted)) for _ in range(3)]
    assert [process.wait(20) for process in processes] == [0, 0, 0]
    assert handed(house) == Counter(ids)
    assert house.states() == {State.ACCEPTED}


def handed(house: House) -> Counter[str]:
    """How often each message was handed over, by whichever worker."""
    return Counter(house.noted.read_text().splitlines() if house.noted.exists() else [])


# wake-ups -----------------------------------------------------------------------------------------


@sqlite_only
def test_a_wake_up_carries_an_id_and_nothing_else(house: House) -> None:
    web = create_app(house.settings.model_copy(update={"redis_url": house.redis.url})).test_client()
    sms = {"id": "1", "from": ME, "to": "8550", "text": "RATE 2 5 said Sopheap"}
    assert web.post("/hooks/simulator/sms", json=sms).status_code == 200
    with house.installation.store.read() as db:
        answer = db.execute(select(messages.c.id, messages.c.text)).one()
    redis = house.redis.client
    (job,) = redis.lrange(f"rq:queue:{QUEUE}", 0, -1)
    fields = redis.hgetall(f"rq:job:{job.decode()}")
    assert json.loads(zlib.decompress(fields[b"data"])) == [JOB, None, [answer.id], {}]
    assert fields[b"description"] == b"wake up"
    assert 0 < redis.ttl(f"rq:job:{job.decode()}") <= 60 or int(fields[b"ttl"]) <= 60
    everything = b"\n".join(dumped(redis)).lower()
    assert answer.id.encode() in everything
    for secret in (ME, ME[1:], ME[4:], "Sopheap", "RATE 2 5", *answer.text.splitlines()):
        assert secret.lower().encode() not in everything


def dumped(redis: Any) -> Iterator[bytes]:
    """Everything a Redis holds."""
    for key in redis.keys("*"):
        yield key
        match redis.type(key):
            case b"string":
                yield redis.get(key)
            case b"hash":
                for name, value in redis.hgetall(key).items():
                    yield name + b" " + (zlib.decompress(value) if name == b"data" else value)
            case b"list":
                yield from redis.lrange(key, 0, -1)
            case b"set":
                yield from redis.smembers(key)
            case b"zset":
                yield from redis.zrange(key, 0, -1)
            case kind:
                pytest.fail(f"{kind!r} is not looked into")


def test_a_wake_up_without_redis_is_silent_and_quick(tmp_path: Path) -> None:
    wakes = WakeUps(valkey.redis_url(tmp_path / "no such socket"))
    begun = time.monotonic()
    for _ in range(50):
        wakes.wake("an id")
    WakeUps("").wake("an id")
    assert time.monotonic() - begun < 1.0


# a pump that meets trouble ------------------------------------------------------------------------


@sqlite_only
@pytest.mark.parametrize("problem", [OperationalError("", {}, Exception("locked")), RuntimeError("a fault")])
def test_a_pump_goes_on_after_trouble(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    monkeypatch.setattr(pumps, "POLL_SECONDS", 0.01)
    done = threading.Event()

    class Troubled(Outbox):
        troubles = 3

        def drain(self, stopped: Callable[[], bool] = lambda: False) -> int:
            self.troubles -= 1
            if self.troubles >= 0:
                raise problem
            done.set()
            return 0

    outbox = Troubled(installation.store, installation.keys, installation.settings, Noting(Path("unused")))
    pump = pumps.Pump(outbox, "simulator", pumps.Signals())
    pump.start()
    assert done.wait(5)
    pump.stop()


# a pump that must wait for its provider's rate -----------------------------------------------------


@pytest.mark.parametrize("with_redis", [True, False])
def test_a_burst_keeps_to_the_rate(house: House, with_redis: bool) -> None:
    if not with_redis:
        house.redis.kill()
    for _ in range(40):
        house.post()
    begun = time.monotonic()
    process = house.mati("worker", "--burst", SIMULATOR_RATE="20")
    assert process.wait(20) == 0
    assert time.monotonic() - begun > 1.0  # 20 at once, 20 in the second after
    assert house.states() == {State.ACCEPTED}


class Busy:
    """A thousand reminders wait at a slow rate, at noon by a clock that goes on from there."""

    def __init__(self, at: Installation, rate: float, redis_url: str = "") -> None:
        self._begun, self._noon = time.monotonic(), at.clock.now
        self.handed: list[tuple[float, str]] = []
        self.looks = 0
        self.at = at
        at.settings = at.settings.model_copy(update={"simulator_rate": rate, "redis_url": redis_url})
        rows = [
            {
                "id": f"{each:032}", "kind": "reminder", "priority": 4, "state": "queued",
                "phone": each.to_bytes(16, "big"), "number": sealed.data, "number_key": sealed.key, "text": "come",
                "parts": 1 + each % 2, "provider": "simulator", "attempts": 0, "not_before": self._noon,
                "expires": self._noon + timedelta(days=1), "created": self._noon, "changed": self._noon,
            }
            for sealed in [at.keys.seal_number(ME)]
            for each in range(1000)
        ]  # fmt: skip
        with at.store.write() as db:
            db.execute(messages.insert(), rows)

    def now(self) -> datetime:
        self.looks += 1
        return self._noon + timedelta(seconds=time.monotonic() - self._begun)

    def pump(self) -> pumps.Pump:
        busy = self

        class Fast(Sender):
            name = "simulator"

            def __init__(self) -> None:
                pass

            def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
                busy.handed += [(time.monotonic(), message.id) for message in batch]
                return [Accepted(f"p-{message.id}") for message in batch]

        outbox = Outbox(self.at.store, self.at.keys, self.at.settings, Fast(), now=self.now)
        return pumps.Pump(outbox, "simulator", pumps.Signals())

    def answer(self) -> str:
        """Somebody writes, and is answered."""
        now = self.now()
        draft = Draft(Kind.ANSWER, ME, "Thank you!", "simulator", now, now + timedelta(minutes=15))
        with self.at.store.write() as db:
            return write(db, self.at.keys, draft, now)

    def wait_for(self, message: str) -> float:
        return wait_for(lambda: any(message == one for _, one in self.handed))


@pytest.mark.parametrize("is_woken", [True, False])
@pytest.mark.parametrize("with_redis", [True, False])
def test_an_answer_goes_out_at_once_while_a_thousand_reminders_wait(
    installation: Installation, redis: RedisServer, is_woken: bool, with_redis: bool
) -> None:
    busy = Busy(installation, 10, redis.url if with_redis else "")
    running = [busy.pump(), busy.pump()]
    for pump in running:
        pump.start()
    wait_for(lambda: len(busy.handed) > 8)
    took = []
    for _ in range(3):
        time.sleep(0.4)
        answer = busy.answer()
        if is_woken:
            for pump in running:
                pump.wake()
        took.append(busy.wait_for(answer))
    for pump in running:
        pump.stop()
    assert min(took) < (0.4 if is_woken else 0.8)
    assert max(took) < 2
    by_time = [sum(1 for at, _ in busy.handed if begun <= at < begun + 1) for begun, _ in busy.handed]
    assert max(by_time) <= 21  # a burst, and a second's worth


@sqlite_only
def test_a_pump_whose_rate_is_used_up_waits_and_stops_when_told(installation: Installation) -> None:
    busy = Busy(installation, 0.5)
    pump = busy.pump()
    pump.start()
    wait_for(lambda: busy.handed)
    time.sleep(0.3)
    looks = busy.looks
    time.sleep(1.0)
    assert busy.looks - looks <= 4  # no more than one round of them
    begun = time.monotonic()
    pump.stop()
    assert time.monotonic() - begun < 0.5
    assert len(busy.handed) == 1


# the clock ----------------------------------------------------------------------------------------

OLD = {"inbound": timedelta(days=7), "receipts": timedelta(days=7), "talks": timedelta(days=1)}
"""How long each is kept."""


def keep(house: Installation, name: str, **ages: timedelta) -> None:
    """Rows of these ages, each named after its table."""
    with house.store.write() as db:
        for table, age in ages.items():
            then = house.clock.now - age
            if table == "inbound":
                values = {"provider": "x", "provider_id": name, "phone": bytes(16), "text": b"", "text_key": 0,
                          "received": then, "was_menu": 0}  # fmt: skip
                db.execute(inbound.insert().values(values))
            elif table == "receipts":
                values = {"provider": "x", "provider_id": name, "move": "delivered", "received": then}
                db.execute(receipts.insert().values(values))
            else:
                values = {"id": name, "provider": "x", "session": name, "caller": bytes(16), "channel": "ussd",
                          "facts": "", "offset": 0, "inputs": 0, "transcript": "", "page": 0, "answer": "",
                          "touched": then}  # fmt: skip
                db.execute(conversations.insert().values(values))


def kept(house: Installation) -> set[tuple[str, str]]:
    with house.store.read() as db:
        found = {("inbound", name) for name in db.scalars(select(inbound.c.provider_id))}
        found |= {("receipts", name) for name in db.scalars(select(receipts.c.provider_id))}
        return found | {("talks", name) for name in db.scalars(select(conversations.c.id))}


def test_what_was_said_is_kept_seven_days_and_talks_one(installation: Installation) -> None:
    a_second = timedelta(seconds=1)
    keep(installation, "too old", **{table: age + a_second for table, age in OLD.items()})
    keep(installation, "not too old", **{table: age - a_second for table, age in OLD.items()})
    keep(installation, "new", **dict.fromkeys(OLD, timedelta(0)))
    first = housekeeping.purge(installation.store, installation.settings, installation.clock.now)
    assert sorted(first.values()) == [1, 1, 1]
    assert kept(installation) == {(table, name) for table in OLD for name in ("not too old", "new")}
    again = housekeeping.purge(installation.store, installation.settings, installation.clock.now)
    assert not any(again.values())
    housekeeping.purge(installation.store, installation.settings, installation.clock.now + timedelta(days=8))
    assert kept(installation) == set()


def test_purging_what_was_said_leaves_the_answer_in_the_outbox(installation: Installation) -> None:
    house = House(installation, RedisServer(Path("unused")))
    answer = house.post()
    keep(installation, "asked", inbound=timedelta(days=8))
    with installation.store.write() as db:
        db.execute(update(inbound).values(answer=answer))
    housekeeping.purge(installation.store, installation.settings, installation.clock.now)
    assert kept(installation) == set()
    assert house.states(answer) == {State.QUEUED}


def test_the_clock_purges_and_stops_when_told(house: House) -> None:
    keep(house.installation, "too old", inbound=timedelta(days=8), receipts=timedelta(days=8), talks=timedelta(days=2))
    keep(house.installation, "new", inbound=timedelta(0), receipts=timedelta(0), talks=timedelta(0))
    process = house.mati("clock")
    wait_for(lambda: kept(house.installation) == {(table, "new") for table in OLD})
    assert told_to_stop(process, 4.0) == 0
