"""Requests that come at the same time are answered together, in one transaction: whoever comes first does it for all.

A commit takes a wait for the disk, and each statement a round trip, for one request as for fifty. So nobody waits for
others to come: who finds nobody at work begins at once, and who comes meanwhile is in the next lot. Under no load each
request is a lot of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Said = TypeVar("Said")

PATIENCE = 0.25
"""Seconds after which who waits begins beside a lot that is still at work: it may wait for a lock."""
MOST = 64
"""Requests in one lot."""


class _Waiting(Generic[Asked, Said]):
    """One request, and the thread that waits for its answer."""

    __slots__ = ("asked", "failed", "is_done", "said", "woken")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.said: Said | None = None
        self.failed: BaseException | None = None
        self.is_done = False
        self.woken: SimpleQueue[None] = SimpleQueue()  # whoever wakes it twice does no harm


class Together(Generic[Asked, Said]):
    """Answers requests by lots. Called from many threads."""

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], Sequence[Said]],
        apart: Callable[[Asked], Iterable[Hashable]],
        ends_all: Callable[[BaseException], bool],
        at_once: int = 1,
    ) -> None:
        """`answer` gives the answers of a lot, in its order, or raises and has done nothing of it.

        Of two requests that have one of `apart` in common the later waits for the next lot. Where a lot fails, it
        is tried once more with each by itself, so that one cannot spoil it for the others; but not for what
        `ends_all`, such as a database that is away. So many lots are `at_once` at work: while one waits for the
        database, another may think.
        """
        self._answer = answer
        self._apart = apart
        self._ends_all = ends_all
        self._at_once = at_once
        self._lock = threading.Lock()
        self._queue: list[_Waiting[Asked, Said]] = []
        self._at_work = 0

    def __call__(self, asked: Asked) -> Said:
        """The answer to a request. Raises what `answer` raises."""
        mine: _Waiting[Asked, Said] = _Waiting(asked)
        with self._lock:
            self._queue.append(mine)
            begins = self._at_work < self._at_once
            self._at_work += begins
        if not begins:
            with suppress(Empty):
                mine.woken.get(timeout=PATIENCE)
        if not mine.is_done:
            self._work(mine)
        if mine.failed is not None:
            raise mine.failed
        return mine.said  # type: ignore[return-value]  # of who did not fail

    def _work(self, mine: _Waiting[Asked, Said]) -> None:
        """Answers this request and those that wait, then hands on to one that came meanwhile."""
        with self._lock:
            lot = self._next_lot(mine)
        if not lot:  # another has it in hand just now
            mine.woken.get()
            return
        try:
            self._settle(lot)
        finally:
            for one in lot:
                one.is_done = True
            with self._lock:
                following = self._queue[0] if self._queue else None
                self._at_work -= following is None
            for one in lot:
                if one is not mine:
                    one.woken.put(None)
            if following is not None:
                following.woken.put(None)

    def _settle(self, lot: Sequence[_Waiting[Asked, Said]]) -> None:
        """Gives each of a lot its answer, or what went wrong."""
        try:
            for one, said in zip(lot, self._answer([one.asked for one in lot]), strict=True):
                one.said = said
            return
        except BaseException as error:
            if self._ends_all(error):
                for one in lot:
                    one.failed = error
                return
        for one in lot:
            try:
                (one.said,) = self._answer([one.asked])
            except BaseException as error:
                one.failed = error

    def _next_lot(self, mine: _Waiting[Asked, Said]) -> list[_Waiting[Asked, Said]]:
        """This request and as many others as may go with it, out of the queue; nothing when it is not there."""
        if mine not in self._queue:
            return []
        lot, met = [mine], set(self._apart(mine.asked))
        for one in self._queue:
            if len(lot) < MOST and one is not mine and met.isdisjoint(own := set(self._apart(one.asked))):
                lot.append(one)
                met |= own
        taken = set(map(id, lot))
        self._queue = [one for one in self._queue if id(one) not in taken]
        return lot
