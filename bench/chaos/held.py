"""Processes that are killed, frozen and started again, and of which nothing is left when this one ends.

Each is held by a leash (`gateway/leash.py`): whatever kills this process, a Ctrl-C or a SIGKILL, ends them too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from gateway import leash

GRACE = 45.0
"""Seconds between a SIGTERM and the leash's SIGKILL: a worker's batch may take 30."""
PATIENCE = GRACE + 10.0


class Held:
    """One process, with what it starts. `log` gets what it writes."""

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path, *, ends: bool = False
    ) -> None:
        """`ends`: it may end by itself."""
        self.name, self._ends = name, ends
        self._argv, self._env, self._log = tuple(argv), dict(env), log
        self._leash: subprocess.Popen[bytes] | None = None
        self.stays = False
        """Whether it should run now."""

    def start(self) -> None:
        """Starts it, in the folder of its log."""
        assert not self.runs
        self.stays = not self._ends
        with self._log.open("ab") as log:
            self._leash = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(GRACE), *self._argv],
                env=self._env,
                cwd=self._log.parent,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._leash is not None and self._leash.poll() is None

    def kill(self) -> None:
        """SIGKILL, to it and all that it started."""
        self._tell(signal.SIGUSR1)
        self._wait()

    def kill_all(self) -> None:
        """SIGKILL to all that descends from it, in whatever session, at the same moment."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._wait()

    def processes(self) -> list[psutil.Process]:
        """It, and all that descends from it."""
        assert self._leash is not None
        return list(psutil.Process(self._leash.pid).children(recursive=True))

    def signal(self, signum: int) -> None:
        """To it alone."""
        for pid in self._members():
            with suppress(ProcessLookupError):
                os.kill(pid, signum)

    def stop(self) -> None:
        """SIGTERM, and waits for the end."""
        self._tell(signal.SIGTERM)
        self._wait()

    def wait(self) -> None:
        """Waits until it has ended by itself."""
        self._wait()

    def _members(self) -> set[int]:
        if self._leash is None:
            return set()
        return leash.members(self._leash.pid) - {self._leash.pid}

    def _tell(self, signum: int) -> None:
        if self._leash is not None:
            self._leash.send_signal(signum)

    def _wait(self) -> None:
        self.stays = False
        if self._leash is None:
            return
        try:
            self._leash.wait(PATIENCE)
        finally:
            if self._leash.poll() is None:
                leash.end_session(self._leash.pid)
                self._leash.wait()
            if self._leash.stdin is not None:
                self._leash.stdin.close()
            self._leash = None


def until(what: str, check: object, seconds: float, look: float = 0.05) -> None:
    """Waits until `check` answers true, asked so often. Raises TimeoutError that says what did not come."""
    end = time.monotonic() + seconds
    assert callable(check)
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds:g} seconds")
        time.sleep(look)


def seconds(processes: Sequence[psutil.Process]) -> float:
    """Of processor time so far, with that of children that have ended."""
    used = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a job's own, which ended just now
            used += sum(process.cpu_times()[:4])
    return used
