"""10,000 messages from rows to a provider on this machine and back to settled rows: `python -m bench bulk`.

The provider is the project's own stub, the same for the gateway and for the tutorial's jobs; all send one text. Kannel
has no rows: it is given its messages by HTTP, keeps them in its file store, and hands them to its fakesmsc. That store
is never synced to disk (its program knows no fsync), while each of the gateway's micro-batches is, before it goes out
and after.

Whoever is measured runs before the clock does: what counts begins when the first message is seen at the provider, and
ends when all are there and all rows say so.
"""

from __future__ import annotations

import itertools
import os
import selectors
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

import psycopg
from redis import Redis
from rq import Queue, Worker

from bench import table
from bench.chaos.ground import SECRET, TEXTS, Ground, answers, free_port, numbers
from bench.chaos.held import Held, seconds, until
from bench.chaos.servers import Servers, dsn
from gateway.models.messages import State
from gateway.workers.outbox import MICRO_BATCH

HERE = Path(__file__).parent / "peers"
TEXT = TEXTS["en"]
READY, PATIENCE = 60.0, 300.0
LOOK = 0.005
CONNECTIONS = 8
"""To Kannel: with more it is slower."""
PROGRAMS = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/lib/kannel/test"
"""Where Debian puts Kannel's (packages kannel and kannel-extras)."""
TABLE = "CREATE TABLE peer_messages (id int PRIMARY KEY, number text, text text, state text, provider_id text)"
RATE, CPU = "messages/s", "processor time of its own processes, µs a message"
ALL_CPU = "the same with PostgreSQL's and Valkey's, µs a message"


@dataclass(frozen=True)
class Turn:
    """What somebody did in one round."""

    rate: float
    """Messages a second."""
    cpu: float
    """Seconds of its own processes' time a message."""
    with_servers: float
    """The same, and its servers'."""


class Tail:
    """Counts what stands in a file that grows: of each line one."""

    def __init__(self, path: Path, word: bytes) -> None:
        path.touch()
        self._path, self._word, self._at, self._count = path, word, 0, 0

    def count(self) -> int:
        """How many whole lines have the word by now."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            whole, end, _ = file.read().rpartition(b"\n")
        self._at += len(whole + end)
        self._count += sum(self._word in line for line in whole.split(b"\n"))
        return self._count


class Clock:
    """Goes from when it is made: who used how much processor time meanwhile."""

    def __init__(self, own: Sequence[Held], servers: Servers | None) -> None:
        self._own, self._servers = own, servers
        self._began, self._before = time.perf_counter(), self._used()

    def stop(self, count: int) -> Turn:
        """What was done meanwhile, of so many messages."""
        took, now = time.perf_counter() - self._began, self._used()
        own, servers = (after - before for after, before in zip(now, self._before, strict=True))
        return Turn(count / took, own / count, (own + servers) / count)

    def _used(self) -> tuple[float, float]:
        own = [process for held in self._own for process in held.processes()]
        return seconds(own), seconds(self._servers.processes() if self._servers else ())


def measure(ground: table.Ground) -> table.Result:
    """Everybody in turns, so many rounds."""
    whole = int(10_000 * ground.share)
    counts = {name: max(20, int(count * ground.share)) for name, (_, count) in MAKERS.items()}
    found: dict[str, list[Turn]] = {name: [] for name in MAKERS}
    for turn in range(ground.rounds):
        for name, (play, _) in MAKERS.items():
            ground.say(f"round {turn + 1} of {ground.rounds}: {name}, {counts[name]:,} messages")
            folder = ground.folder / f"{turn} {name}"
            folder.mkdir()
            ground.servers.valkey.flush()
            found[name].append(play(ground, folder, counts[name]))
    figures = [
        table.Figure(what, name, tuple(scale * getattr(turn, part) for turn in turns))
        for what, part, scale in ((RATE, "rate", 1), (CPU, "cpu", 1e6), (ALL_CPU, "with_servers", 1e6))
        for name, turns in found.items()
    ]
    rates = {figure.who: figure.median for figure in figures if figure.what == RATE}
    title = (
        f"Bulk: {whole:,} messages from rows to a stub and back to settled rows, micro-batches of at most {MICRO_BATCH}"
        f" (the tutorial: {counts[TUTORIAL]:,}, an RQ job each, whose process imports the SDK; SimpleWorker:"
        f" {counts[SIMPLE]:,} such jobs; Kannel's file store: written, never synced)"
    )
    goals = (_goal(rates, TUTORIAL, 1000), _goal(rates, SIMPLE, 25), _goal(rates, KANNEL, 1))
    return table.Result(title, tuple(figures), goals)


def _goal(rates: Mapping[str, float], peer: str, times: float) -> table.Goal:
    ratio = rates[table.OURS] / rates[peer]
    return table.Goal(f"messages/s at least {times:,} × {peer}", f"{table.number(ratio)} ×", ratio >= times)


def timed(count: int, seen: Callable[[], int], settled: Callable[[], bool], clock: Callable[[], Clock]) -> Turn:
    """What is done from when the first message is seen at the provider until all are settled. Raises TimeoutError."""
    until("the first message", lambda: seen() > 0, PATIENCE, LOOK)
    going, first = clock(), seen()
    until(f"{count:,} messages", lambda: seen() >= count, PATIENCE, LOOK)
    until("the last row settled", settled, PATIENCE, LOOK)
    return going.stop(count - first)


@contextmanager
def _stub(folder: Path, url: str) -> Iterator[Callable[[], int]]:
    """Africa's Talking, played; gives how many messages it has taken."""
    log = folder / "stub.jsonl"
    words = ("stub", "africastalking", "--port", url.rpartition(":")[2], "--secret", SECRET, "--log", str(log))
    env = {"PATH": os.environ["PATH"]}
    held = Held("stub", (sys.executable, "-m", "gateway.cli", *words), env, folder / "stub.log")
    held.start()
    try:
        until("the stub", lambda: answers(f"{url}/_summary"), READY)
        yield Tail(log, b"{").count
    finally:
        held.kill_all()


@contextmanager
def _settled(database: str, name: str, state: str, count: int) -> Iterator[Callable[[], bool]]:
    """Gives whether so many rows of a table are in a state."""
    statement = f"SELECT count(*) = %s FROM {name} WHERE state = %s".encode()  # noqa: S608  # our own words
    with psycopg.connect(dsn(database), autocommit=True) as connection:
        yield lambda: connection.execute(statement, (count, state)).fetchone() == (True,)


# the gateway ----------------------------------------------------------------------------------------


def _mati(workers: int) -> Callable[[table.Ground, Path, int], Turn]:
    def play(ground: table.Ground, folder: Path, count: int) -> Turn:
        """A letter of one language to so many people, by Africa's Talking."""
        installation = Ground(ground.servers, folder / "mati", "africastalking")
        try:
            with _stub(installation.folder, installation.stub_url) as seen:
                (group,) = installation.write_contacts(count, languages=("en",))
                roles = [installation.role("worker") for _ in range(workers)]
                for role in roles:
                    role.start()
                until("the workers", lambda: _listen(ground, workers), READY)
                installation.write_letter(group)
                with _settled(installation.database, "messages", State.ACCEPTED, count) as settled:
                    return timed(count, seen, settled, lambda: Clock(roles, ground.servers))
        finally:
            installation.stop()

    return play


def _listen(ground: table.Ground, workers: int) -> bool:
    """Whether so many workers wait to be woken."""
    with Redis.from_url(ground.servers.valkey.url) as client:
        return len(Worker.all(connection=client)) >= workers


# the tutorial ---------------------------------------------------------------------------------------


def _jobs(workers: int, *options: str) -> Callable[[table.Ground, Path, int], Turn]:
    def play(ground: table.Ground, folder: Path, count: int) -> Turn:
        """A job a message; all are in the queue when the workers start."""
        database, port = ground.servers.postgres.new_database(), free_port()
        provider, redis = f"http://127.0.0.1:{port}", ground.servers.valkey.url
        with psycopg.connect(dsn(database)) as connection:
            connection.execute(TABLE)
            rows = [(n, number, TEXT, "queued") for n, number in enumerate(numbers(count))]
            connection.cursor().executemany("INSERT INTO peer_messages VALUES (%s, %s, %s, %s)", rows)
        with Redis.from_url(redis) as client:
            jobs = [Queue.prepare_data("tutorial_bulk.send", (n,)) for n in range(count)]
            Queue("bulk", connection=client).enqueue_many(jobs)
        env = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(HERE), "DATABASE_URL": database, "PROVIDER": provider,
            "API_KEY": SECRET,
        }  # fmt: skip
        argv = (sys.executable, "-m", "rq.cli", "worker", "-u", redis, *options, "bulk")
        held = [Held(f"worker {n}", argv, env, folder / f"worker-{n}.log") for n in range(workers)]
        with _stub(folder, provider) as seen, ExitStack() as stack:
            for worker in held:
                stack.callback(worker.kill_all)
                worker.start()
            settled = stack.enter_context(_settled(database, "peer_messages", "Success", count))
            return timed(count, seen, settled, lambda: Clock(held, ground.servers))

    return play


# Kannel ---------------------------------------------------------------------------------------------


def _kannel(_: table.Ground, folder: Path, count: int) -> Turn:
    """Messages put to smsbox by HTTP, counted where fakesmsc gets them."""
    names = ("admin", "boxes", "send", "centre")
    ports = dict(zip(names, (free_port() for _ in names), strict=True))
    conf = folder / "kannel.conf"
    conf.write_text((HERE / "kannel.conf").read_text().format(**ports, folder=folder, secret=SECRET))
    env = {"PATH": os.environ["PATH"]}
    with ExitStack() as stack:

        def start(name: str, *words: str) -> Held:
            program = shutil.which(name, path=PROGRAMS)
            assert program, "Kannel is not installed: Debian's packages kannel and kannel-extras"
            held = Held(name, (program, *words), env, folder / f"{name}.out")
            stack.callback(held.kill_all)
            held.start()
            return held

        boxes = []
        for name, port in (("bearerbox", "boxes"), ("smsbox", "send")):
            boxes.append(start(name, "-v", "4", str(conf)))
            until(name, lambda port=port: _listens(ports[port]), READY)
        start("fakesmsc", "-H", "127.0.0.1", "-r", str(ports["centre"]), "-m", "2", "-i", "86400", "1 8550 text -")
        seen = Tail(folder / "fakesmsc.out", b"Got message").count
        address, always = ("127.0.0.1", ports["send"]), {"username": "mati", "password": SECRET, "from": "8550"}
        asked = [urlencode(always | {"to": number, "text": TEXT}) for number in numbers(count)]
        requests = [f"GET /cgi-bin/sendsms?{one} HTTP/1.1\r\nHost: kannel\r\n\r\n".encode() for one in asked]
        put(address, requests[:1])
        until("Kannel", lambda: seen() > 0, READY, LOOK)
        clock = Clock(boxes, None)
        put(address, requests[1:])
        until("Kannel's messages", lambda: seen() >= count, PATIENCE, LOOK)
        return clock.stop(count - 1)


def put(address: tuple[str, int], requests: Sequence[bytes]) -> None:
    """Asks Kannel to send, over a few connections. Raises RuntimeError when it does not want to."""
    waiting = iter(requests)
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for request in itertools.islice(waiting, CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(address))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)
        while selector.get_map():
            for key, _ in selector.select():
                connection = cast(socket.socket, key.fileobj)
                said = connection.recv(65536)  # a few hundred bytes: they come whole
                if b" 202 " not in said[:16]:
                    raise RuntimeError(f"Kannel said {said!r}")
                following = next(waiting, None)
                if following is None:
                    selector.unregister(connection)
                else:
                    connection.sendall(following)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


ONE, TUTORIAL, SIMPLE, KANNEL = "mati, one worker", "the tutorial", "SimpleWorker x 2", "Kannel"
MAKERS: Mapping[str, tuple[Callable[[table.Ground, Path, int], Turn], int]] = {
    table.OURS: (_mati(2), 10_000),  # two workers, as of RQ's
    ONE: (_mati(1), 10_000),
    TUTORIAL: (_jobs(1), 100),
    SIMPLE: (_jobs(2, "-w", "rq.SimpleWorker"), 2_000),
    KANNEL: (_kannel, 10_000),
}
"""Who is measured, and with how many messages: the slow ones with fewer."""
