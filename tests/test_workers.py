"""`mati worker` and `mati clock` as real processes, with a real Valkey that comes and goes, on both databases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from gateway import create_app, valkey
from gateway.config import Settings
from gateway.models.conversations import conversations
from gateway.models.messages import Draft, Kind, State, inbound, messages, receipts, write
from gateway.providers.base import Accepted, Outcome, Outgoing, Sender
from gateway.workers import housekeeping, pumps
from gateway.workers.clock import Task, do_due
from gateway.workers.outbox import LEASE, MICRO_BATCH, Outbox
from gateway.workers.wakeups import JOB, QUEUE, WakeUps
from tests.conftest import Clock, Installation

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

class Looks:
    calls = 0
    def __call__(self):
        self.calls += 1
        if self.calls > 1:
            stand("claimed")
        return False

settings = config.load()
if stage == "slow":
    logs.set_up()
    pumps.all_senders = lambda settings: [Slow()]
    pumps.run(settings, burst="--burst" in sys.argv)
else:
    Outbox(Store(settings.database), Keys(settings), settings, Slow()).drain(Looks())
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

    def run(self, *argv: str) -> subprocess.Popen[str]:
        """A process of the gateway."""
        settings = self.settings
        env = dict(os.environ) | {
            "DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": settings.database,
            "REDIS_URL": self.redis.url,
        }
        log = (settings.data_dir / "log").open("a")
        process = subprocess.Popen(
            [sys.executable, *argv], env=env, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
        )
        self.processes.append(process)
        return process

    def mati(self, *command: str) -> subprocess.Popen[str]:
        return self.run("-m", "gateway.cli", *command)

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
def test_x(house: House) -> None:
    process = house.worker()
    house.redis.kill()
    time.sleep(2)
    begun = time.monotonic()
    print(told_to_stop(process, 20), time.monotonic() - begun)
    print(house.log)
    house.redis.kill()
    process = house.worker()
    time.sleep(2)
    begun = time.monotonic()
    print(told_to_stop(process, 20), time.monotonic() - begun)
    print(house.log)
