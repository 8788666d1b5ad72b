"""The rows of the table: what harm is done, and what may come of it.

Each row writes its messages into an empty installation and starts the gateway's web and clock; its script starts the
workers, and does the harm while the messages go out. What the provider does wrong is asked of the stub by its options.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.chaos.ground import HERE
from bench.chaos.play import Play
from gateway.workers.outbox import LEASE, MICRO_BATCH

HOUR = 3600.0


@dataclass(frozen=True)
class Row:
    """One fault."""

    name: str
    what: str
    script: Callable[[Play], None]
    may_doubt: Callable[[int], int]
    """How many messages may come to be in doubt, by the number of faults."""
    provider: str = "kannel"
    stub: Sequence[str] = ()
    stub_counts: str = ""
    """The stub's count of the faults, where they are its own."""
    leaves_doubt: bool = False
    """Receipts do not carry our id: what came to be in doubt stays so, until staff decide."""
    on_sqlite: bool = False
    own_clocks: bool = False
    writes: bool = False
    """The script writes the messages itself."""


# how many may be in doubt -------------------------------------------------------------------------


def none(_: int) -> int:
    """No message: whoever had it knew what became of it."""
    return 0


def as_many(faults: int) -> int:
    """As many as there were faults."""
    return faults


def a_batch(faults: int) -> int:
    """A fault, a micro-batch."""
    return faults * MICRO_BATCH


# what is done -------------------------------------------------------------------------------------


def one_worker(play: Play) -> None:
    """The stub does the harm."""
    play.workers(1)


def four_workers(play: Play) -> None:
    """The stub does the harm."""
    play.workers(4)


def kill(times: int) -> Callable[[Play], None]:
    """The only worker is killed in the midst of sending, and started again at once."""
    return lambda play: _kill(play, times)


def _kill(play: Play, times: int) -> None:
    (worker,) = play.workers(1)
    for share in play.spread(times):
        play.until_taken(share)
        worker.kill()
        play.fault()
        worker.start()


def everything(play: Play) -> None:
    """All that runs on our side is killed at the same moment, and started again as after a power cut."""
    servers = play.ground.servers
    roles = [*play.workers(1), play.role("web"), play.role("clock")]
    for share in play.spread(5):
        play.until_taken(share)
        for role in roles:
            role.signal(signal.SIGKILL)
        servers.valkey.kill()
        servers.postgres.kill()
        for role in roles:
            role.wait()
        play.fault()
        servers.postgres.start()
        servers.valkey.start()
        for role in roles:
            role.start()


def rolling(play: Play) -> None:
    """Each process is told to stop and replaced, one after the other, as when a new version is rolled out."""
    roles = [*play.workers(2), play.role("web"), play.role("clock")]
    for n, share in enumerate(play.spread(20)):
        play.until_taken(share)
        roles[n % len(roles)].stop()
        play.fault()
        roles[n % len(roles)].start()


def freeze(play: Play) -> None:
    """Three workers of four stand still for longer than their leases, and go on as if nothing had been."""
    _, *frozen = play.workers(4)
    play.until_taken(0.2)
    for worker in frozen:
        worker.signal(signal.SIGSTOP)
        play.fault()
    play.wait(LEASE.total_seconds() + 10)
    for worker in frozen:
        worker.signal(signal.SIGCONT)


def valkey(play: Play) -> None:
    """Valkey, which keeps nothing, is killed, and comes back empty two seconds later."""
    play.workers(1)
    server = play.ground.servers.valkey
    for share in play.spread(10):
        play.until_taken(share)
        server.kill()
        play.fault()
        play.wait(2)
        server.start()


def flushall(play: Play) -> None:
    """All that Valkey holds is removed, again and again."""
    play.workers(1)
    for share in play.spread(50):
        play.until_taken(share)
        play.ground.servers.valkey.flush()
        play.fault()


def postgres(play: Play) -> None:
    """PostgreSQL is stopped in immediate mode, and comes back a second later."""
    play.workers(1)
    server = play.ground.servers.postgres
    for share in play.spread(10):
        play.until_taken(share)
        server.stop_at_once()
        play.fault()
        play.wait(1)
        server.start()


def clocks(play: Play) -> None:
    """Two processes write fifty letters at the same instants; one of them is killed now and then in the middle."""
    play.ground.role("clock").start()
    groups = play.ground.write_contacts(play.messages, parts=50)
    play.workers(1)
    begin, every = time.time() + 3, 0.5
    words = (str(HERE / "author.py"), str(begin), str(every), *map(str, groups))
    steady, unsteady = (play.ground.program("author", *words, ends=True) for _ in range(2))
    steady.start()
    unsteady.start()
    for n in range(len(groups)):
        play.wait(begin + n * every - time.time())
        play.fault()
        if n % 10 == 5:
            play.wait(play.chance.uniform(0, 0.05))
            unsteady.kill()
            unsteady.start()
    steady.wait()
    unsteady.wait()


def hour(play: Play) -> None:
    """One worker's clock jumps an hour ahead and back, then the clocks of all; meanwhile a worker is killed.

    The killed one leaves leases that end in an hour.
    """
    _, other = play.workers(2)
    everybody = ("worker", "worker 2", "web", "clock")
    for share, roles, lead in (
        (0.2, ("worker",), HOUR), (0.4, ("worker",), 0.0), (0.55, everybody, HOUR), (0.75, everybody, 0.0)
    ):  # fmt: skip
        play.until_taken(share)
        for role in roles:
            play.ground.move_clock(role, lead)
        play.fault()
        if lead and "worker 2" in roles:
            other.kill()
            play.fault()
            other.start()


def up(play: Play) -> None:
    """`mati up` and all that it started is killed at the same moment, and started again."""
    whole = play.ground.role("up")
    whole.start()
    for share in play.spread(5):
        play.until_taken(share)
        whole.kill_all()
        play.fault()
        whole.start()


ROWS: tuple[Row, ...] = (
    Row("kill", "a worker killed 50 times", kill(50), a_batch),
    Row("kill-at", "a worker killed 10 times; the provider is not told our id", kill(10), a_batch,
        provider="africastalking", leaves_doubt=True),
    Row("everything", "worker, web, clock, Valkey, PostgreSQL killed at once, 5 times", everything, a_batch),
    Row("sqlite", "on SQLite: `mati up` killed as a whole, 5 times", up, a_batch, on_sqlite=True),
    Row("sigterm", "worker, worker, web, clock replaced in turn, 20 SIGTERMs", rolling, none),
    Row("freeze", "3 of 4 workers frozen past their leases", freeze, a_batch),
    Row("valkey", "Valkey killed without persistence, 10 times", valkey, none),
    Row("flushall", "FLUSHALL, 50 times", flushall, none),
    Row("postgres", "PostgreSQL stopped in immediate mode, 10 times", postgres, a_batch),
    Row("drop", "the provider accepts and drops the answer", one_worker, as_many,
        stub=("--drop-reply", "0.02", "--seed", "1"), stub_counts="dropped"),
    Row("500", "the provider accepts and answers 500", one_worker, as_many,
        stub=("--error-after", "0.02", "--seed", "1"), stub_counts="errored"),
    Row("429", "the provider answers 429", one_worker, none, provider="http",
        stub=("--fail", "0.03", "--seed", "1"), stub_counts="failed"),
    Row("drip", "the provider answers byte by byte", four_workers, as_many,
        stub=("--drip", "0.0005", "--seed", "2"), stub_counts="dripped"),
    Row("receipts", "receipts three times and shuffled", one_worker, none,
        stub=("--receipt-copies", "3", "--reorder", "--seed", "1"), stub_counts="receipts_sent"),
    Row("clocks", "two clocks, and 50 letters written by two at once", clocks, none, writes=True),
    Row("hour", "the clock moved by an hour, 4 times; a worker killed then", hour, a_batch, own_clocks=True),
)  # fmt: skip
"""In the order of the table."""
