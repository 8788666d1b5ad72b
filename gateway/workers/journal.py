"""What a worker has handed over, in a file that outlives it: it says of messages under way which never went out.

A worker marks a micro-batch `sending` and commits; then its requests go out, one after the other. Killed in between, it
leaves messages of which some went out and some did not, and the database cannot tell which. So each request, just
before its first byte goes out, sets a mark here. What has no mark never left this machine: it goes back to the queue.
What has one is in doubt, and waits for its receipt; but where the system was to note the bytes beside the mark
(gateway/providers/noted.py) and noted none, the worker was killed before them.

What makes that safe:

- The system holds a lock on the file for as long as the worker lives, frozen or not: whoever gets the lock knows that
  the worker is dead, and sends nothing more.
- A worker that is frozen promises as much: after `until` it hands nothing over. It sets its mark before it looks at the
  time, so whoever finds no mark after `until` will never be wrong. (That time is of a clock that nobody puts.)
- The file names the system's start: after a power cut marks may be missing, and nothing is concluded from it. The same
  where another machine's worker wrote it, or there is none: then messages are in doubt when their lease ends.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from gateway.models.messages import Move, messages, move_idle, move_where
from gateway.models.store import Store
from gateway.providers.noted import ROOM, was_sent

log = structlog.get_logger()

FOLDER = "workers"
"""In DATA_DIR."""
HANDS_OVER_SECONDS = 45.0
"""So long after the beginning of a micro-batch its messages may go out: longer than a request may take, and less than
a lease."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_UNTIL = struct.Struct("<d")
_UNTIL_AT, _HEAD, _SLOT = 56, 64, 64
"""Bytes: the system's start and `until`; then for each message of a micro-batch its mark and its id."""
SLOTS = 32
"""The messages of a micro-batch, at most."""
_NOTES = _HEAD + _SLOT * SLOTS
"""Where the system's notes begin, one a message."""
_SIZE = _NOTES + ROOM * SLOTS
_NONE, _OUT, _NOTED = 0, 1, 2
"""Marks."""
_FORGOTTEN = 7 * 24 * 3600.0
"""Seconds after which a journal that nobody can conclude anything from is removed."""


class TooLate(OSError):
    """A message is not handed over any more: its worker was frozen, and others may have it."""


class Journal:
    """One worker's own. Marks are set by any thread, the rest is done by one."""

    def __init__(self, folder: Path, worker: str) -> None:
        """Raises OSError when it cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / worker
        new = path.with_suffix(".new")  # it gets its name when it is locked: without a lock, it is a dead worker's
        self._file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.truncate(self._file, _SIZE)
        self._memory = mmap.mmap(self._file, _SIZE)
        self._memory[: len(_started())] = _started()
        self._places: dict[str, int] = {}
        self._until = 0.0
        new.rename(path)

    def begin(self, batch: Sequence[str]) -> None:
        """From here on these messages may go out. All earlier ones are settled."""
        assert len(batch) <= SLOTS
        self._until = _clock() + HANDS_OVER_SECONDS
        _UNTIL.pack_into(self._memory, _UNTIL_AT, self._until)
        self._memory[_HEAD:] = bytes(_SIZE - _HEAD)
        self._places = {message: _HEAD + place * _SLOT for place, message in enumerate(batch)}
        for message, at in self._places.items():
            name = message.encode()
            self._memory[at + 1 : at + 1 + len(name)] = name

    def goes_out(self, message: str, noted: bool = False) -> memoryview | None:
        """This one goes out now; `noted`: the system notes it in the memory given back. Raises TooLate: it must not."""
        at = self._places[message]
        self._memory[at] = _NOTED if noted else _OUT
        if _clock() > self._until:
            raise TooLate("its worker was frozen")
        start = _NOTES + (at - _HEAD) // _SLOT * ROOM
        return memoryview(self._memory)[start : start + ROOM] if noted else None

    def close(self) -> None:
        """The worker has nothing under way any more: others take over what it left."""
        self._memory.close()
        os.close(self._file)


@dataclass(frozen=True)
class _Left:
    """What a worker left."""

    worker: str
    is_dead: bool
    marked: list[str]
    unmarked: list[str]


def take_over(store: Store, folder: Path, now: datetime) -> int:
    """Takes back what dead workers had claimed, and what no worker will hand over; returns how many messages."""
    taken = 0
    for left in _left(folder):
        its = (messages.c.lease.is_not(None), messages.c.worker == left.worker)  # the first is in the index
        frozen_ones = messages.c.id.in_(left.unmarked) & (messages.c.lease < now)
        never = messages.c.id.not_in(left.marked) if left.is_dead else frozen_ones
        with store.write() as db:
            if left.is_dead:
                # first: a last commit of its own may make these `sending` just now, and is waited for
                taken += move_where(db, Move.LAPSE, now, *its, lease=None, worker=None)
            spare = move_where if left.is_dead else move_idle  # a frozen one may hold them in a transaction
            spared = spare(db, Move.SPARE, now, *its, never, lease=None, worker=None, attempts=messages.c.attempts - 1)
        if spared:
            log.info("outbox.never_handed_over", count=spared)
        taken += spared
    return taken


def _left(folder: Path) -> Iterator[_Left]:
    """What dead and frozen workers left; the journal of a dead one goes when the next one is asked for."""
    for path in sorted(folder.glob("*")):
        with suppress(OSError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_dead = True
            except BlockingIOError:  # it lives, or somebody else does this just now
                is_dead = False
            content = file.read().ljust(_SIZE, b"\0")
            started = _started()
            if path.suffix or not started or not content.startswith(started):
                if is_dead and time.time() - path.stat().st_mtime > _FORGOTTEN:
                    path.unlink()
                continue
            if is_dead or _clock() > _UNTIL.unpack_from(content, _UNTIL_AT)[0] > 0:
                marked, unmarked = _read(content, is_dead)
                yield _Left(path.name, is_dead, marked, unmarked)
            if is_dead:
                path.unlink(missing_ok=True)


def _read(content: bytes, is_dead: bool) -> tuple[list[str], list[str]]:
    """The messages that may have gone out, and those that did not. One noted is certain only of who is dead."""
    marked: list[str] = []
    unmarked: list[str] = []
    for place in range(SLOTS):
        slot = content[_HEAD + place * _SLOT :][:_SLOT]
        mark, message = slot[0], slot[1:].rstrip(b"\0").decode()
        never = mark == _NOTED and is_dead and not was_sent(content[_NOTES + place * ROOM :][:ROOM])
        if message:
            (unmarked if mark == _NONE or never else marked).append(message)
    return marked, unmarked


def _started() -> bytes:
    """What names this start of the system; empty where it has no name (macOS)."""
    try:
        return _BOOT.read_bytes().strip()
    except OSError:
        return b""


def _clock() -> float:
    """Seconds since the system's start, also those in which it slept; the same for all processes."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
