"""Run the parts of the gateway as one: start them in order, keep them alive, stop them all.

Each child is held by a leash (`leash.py`), in a session of its own: a Ctrl-C in the terminal
reaches the supervisor alone, and nothing outlives the supervisor, however it dies.
"""

import errno
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import leash
from gateway.errors import Told

__all__ = ["Child", "FolderInUse", "Supervisor", "folder_lock", "port_free"]

QUICK, QUICK_DEATHS = 2.0, 5  # a life of under 2 seconds, 5 times in a row: a crash loop
STEADY = 30.0  # seconds after which earlier deaths are forgotten
READY_WITHIN = 60.0  # seconds for a child's `ready` to become true
MARGIN = 3.0  # seconds that a leash may need beyond its grace
BOUNCE = 0.15  # seconds in which a second SIGINT is the first, passed on by `make` or `uv`
POLL = 0.02  # seconds between two looks at `ready`


@dataclass(frozen=True)
class Child:
    """One part of the gateway. `env` is its complete environment.

    The next child is started when `ready` has answered true; it must not block for long.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool] = lambda: True
    stops_first: bool = False
    """Whether it stops before the others: then nothing new comes in (DESIGN.md)."""


class FolderInUse(Told):
    """Another process runs the gateway on this folder."""


class GaveUp(Exception):
    """A child cannot be kept alive."""


class Supervisor:
    """Keeps `children` alive until SIGINT, SIGTERM or SIGHUP.

    They start in the order given and stop in the reverse order, one after the other, but for who `stops_first`: Valkey
    first means Valkey last. `grace` is the seconds between a child's SIGTERM and its SIGKILL.
    `say` gets a line for each thing that happens, `when_up` is called once all are ready.
    """

    def __init__(
        self,
        children: Sequence[Child],
        say: Callable[[str], None],
        *,
        grace: float = 10.0,
        when_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._lives = [_Life(child, grace) for child in children]
        self._say = say
        self._grace = grace
        self._when_up = when_up

    def run(self) -> int:
        """Return 0 when told to stop, 1 when a child was given up on. Main thread only."""
        heard = [signal.SIGCHLD, signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup mati up` stays up
            heard.append(signal.SIGHUP)
        signals = leash.signal_pipe(heard)  # for good: the caller's tidying up is not cut short
        try:
            self._watch(signals)
        except GaveUp as reason:
            self._say(str(reason))
            return 1
        finally:
            self._stop(signals)
        return 0

    def _watch(self, signals: int) -> None:
        announced = False
        while True:
            # `all` ends at the first that is not ready: those after it wait for it.
            if all(life.tend(self._say) for life in self._lives) and not announced:
                announced = True
                self._when_up()
            due = [life.due for life in self._lives if life.due is not None]
            timeout = max(0.0, min(due) - time.monotonic()) if due else None
            if any(signum != signal.SIGCHLD for signum in _arrived(signals, timeout)):
                return

    def _stop(self, signals: int) -> None:
        begun = time.monotonic()
        order = [*reversed(self._lives)]
        order.sort(key=lambda life: not life.child.stops_first)
        for life in order:
            life.tell(signal.SIGTERM)
            limit = time.monotonic() + self._grace + MARGIN
            while life.running() and time.monotonic() < limit:
                arrived = _arrived(signals, limit - time.monotonic())
                if signal.SIGINT in arrived and time.monotonic() - begun > BOUNCE:
                    self._say("killing what still runs")
                    limit = time.monotonic() + MARGIN
                    for any_life in self._lives:
                        any_life.tell(signal.SIGUSR1)
            life.close()


class _Life:
    """One child, on a leash or waiting for its next start."""

    def __init__(self, child: Child, grace: float) -> None:
        self.child = child
        self.due: float | None = None  # when to look again, unless it dies before
        self._command = [sys.executable, "-I", "-S", leash.__file__, str(grace), *child.argv]
        self._leash: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._started = 0.0
        self._restarts = 0
        self._quick_deaths = 0

    def tend(self, say: Callable[[str], None]) -> bool:
        """Start it if it is due; whether it has ever been ready. Raises GaveUp."""
        code = self._ended()
        if code is not None:
            say(self._plan_restart(code))
        now = time.monotonic()
        if self._leash is None and now >= (self.due or 0.0):
            self._start()
        if self._leash is not None and not self._ready:
            self._ready = self.child.ready()
            if not self._ready and now - self._started > READY_WITHIN:
                raise GaveUp(f"{self.child.name} was not ready after {READY_WITHIN:.0f} seconds")
            self.due = None if self._ready else now + POLL
        return self._ready

    def _start(self) -> None:
        # The pipe: its write end is ours alone, closed by the system when we die.
        self._leash = subprocess.Popen(
            self._command, env=dict(self.child.env), stdin=subprocess.PIPE, start_new_session=True
        )
        self.due = None
        self._started = time.monotonic()

    def running(self) -> bool:
        return self._leash is not None and self._leash.poll() is None

    def _ended(self) -> int | None:
        """The exit code of a child that has ended since the last look."""
        if self._leash is None or (code := self._leash.poll()) is None:
            return None
        if code < 0:  # the leash itself was killed, so its child may still run
            leash.end_session(self._leash.pid)
        if self._leash.stdin is not None:
            self._leash.stdin.close()
        self._leash = None
        return code

    def _plan_restart(self, code: int) -> str:
        """Set when it starts again; the line that says so. Raises GaveUp for a crash loop."""
        lived = time.monotonic() - self._started
        self._restarts = 0 if lived >= STEADY else self._restarts
        self._quick_deaths = self._quick_deaths + 1 if lived < QUICK else 0
        what = f"{self.child.name} ended ({_cause(code)}) after {lived:.1f} s"
        if self._quick_deaths == QUICK_DEATHS:
            raise GaveUp(
                f"{what}, {QUICK_DEATHS} times in a row: stopping everything. "
                f"The message of {self.child.name} itself stands above."
            )
        wait = pause(self._restarts)
        self._restarts += 1
        self.due = time.monotonic() + wait
        return f"{what}, starting it again" + (f" in {wait:g} s" if wait else "")

    def tell(self, signum: int) -> None:
        if self._leash is not None:
            self._leash.send_signal(signum)  # does nothing when it has ended

    def close(self) -> None:
        """After the stop: whatever has not ended by now is killed."""
        if self._leash is not None and self._leash.poll() is None:
            self._leash.kill()
            self._leash.wait()
        self._ended()


def pause(restarts: int) -> float:
    """Seconds to wait before the next restart, after that many: 0, 0.5, 1, 2, 4, 8, 10, 10."""
    return 0.0 if restarts == 0 else min(10.0, 0.5 * 2.0 ** min(restarts - 1, 10))


def _cause(code: int) -> str:
    if code < 0:
        return f"its leash was killed by signal {-code}"
    return f"killed by signal {code - 128}" if code > 128 else f"exit code {code}"


def _arrived(signals: int, timeout: float | None) -> bytes:
    """Wait for signals, at most `timeout` seconds, and return their numbers."""
    ready = select.select([signals], [], [], timeout)[0]
    return os.read(signals, 512) if ready else b""


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for this process: `<folder>/up.lock`, let go by any death of the process.

    Raises FolderInUse when another process holds it.
    """
    lock = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)  # children do not get it
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            raise FolderInUse(
                f"{folder} is in use by another `mati up`, process {holder}. Stop that one first "
                f"(Ctrl-C in its terminal, or: kill {holder}), or use another folder."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def port_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises OSError when it never could: not our address, a port that needs root.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return True
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            return False
        raise
