"""A load of USSD sessions over HTTP/1.1, closed or open, from one thread: cheap enough to stand beside a server.

Each step is a prebuilt request; an answer counts only where it begins as it must.
"""

from __future__ import annotations

import heapq
import itertools
import math
import selectors
import socket
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

Step = tuple[bytes, bytes]
"""A whole request, and how the body of its answer must begin."""
Session = Sequence[Step]
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_CHUNK = 65536


def form(port: int, path: str, fields: Mapping[str, str]) -> bytes:
    """A whole request that posts a form, on a connection that stays."""
    body = urlencode(fields).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: keep-alive\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class WrongAnswer(Exception):
    """A server answered something else than it must: its figure would mean nothing."""


@dataclass
class Measured:
    """What came of a load: seconds, and how long each step took."""

    seconds: float = 0.0
    sessions: int = 0
    steps: array[float] = field(default_factory=lambda: array("d"))

    def quantile(self, share: float) -> float:
        """Seconds in which this share of the steps was answered."""
        ordered = sorted(self.steps)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection:
    __slots__ = ("began", "due", "handle", "place", "received", "session")

    def __init__(self, address: tuple[str, int]) -> None:
        self.handle = socket.create_connection(address)
        self.handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.handle.setblocking(False)
        self.received = b""
        self.session: Session = ()
        self.place = 0
        self.began = 0.0
        self.due = 0.0

    def send(self, now: float) -> None:
        self.began = now
        self.handle.sendall(self.session[self.place][0])  # a few hundred bytes: they always fit

    def take(self) -> bool:
        """Reads; whether the answer is whole. Raises WrongAnswer."""
        data = self.handle.recv(_CHUNK)
        if not data:
            raise WrongAnswer("the server closed the connection")
        self.received += data
        head, end, body = self.received.partition(_END)
        if not end:
            return False
        at = head.lower().find(_LENGTH)
        if at < 0 or b" 200 " not in head[:16]:
            raise WrongAnswer(head.decode(errors="replace").splitlines()[0] + " without a length, or no 200")
        length = int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
        if len(body) < length:
            return False
        wanted = self.session[self.place][1]
        if not body.startswith(wanted):
            raise WrongAnswer(f"{body[:120].decode(errors='replace')!r} does not begin with {wanted.decode()!r}")
        self.received = b""
        return True


def closed(
    address: tuple[str, int], sessions: Iterator[Session], connections: int, seconds: float = math.inf
) -> Measured:
    """So many connections, each playing one session after the other, for so long or until there are no more.

    A session under way when its time is over is left. Raises WrongAnswer.
    """
    found = Measured()
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for session in itertools.islice(sessions, connections):
            one = _Connection(address)
            selector.register(one.handle, selectors.EVENT_READ, one)
            one.session = session
            one.send(time.perf_counter())
        end = began + seconds
        now = began
        while now < end and selector.get_map():
            for key, _events in selector.select(0.1):
                one = key.data
                if not one.take():
                    continue
                now = time.perf_counter()
                found.steps.append(now - one.began)
                one.place += 1
                if one.place == len(one.session):
                    found.sessions += 1
                    one.session, one.place = next(sessions, ()), 0
                if one.session:
                    one.send(now)
                else:
                    selector.unregister(one.handle)
                    one.handle.close()
            now = time.perf_counter()
        found.seconds = now - began
        for key in list(selector.get_map().values()):
            key.data.handle.close()
    return found


def offered(
    address: tuple[str, int], sessions: Iterator[Session], steps_a_second: float, pause: float, seconds: float
) -> Measured:
    """Steps that come at their time, whether or not earlier ones were answered: what callers do.

    A session's next step is due `pause` seconds after the one before was due. Each step's time counts from when it was
    due, so a server that stands still for a second shows in all that were due meanwhile. Raises WrongAnswer.
    """
    found = Measured()
    idle: list[_Connection] = []
    waiting: list[tuple[float, int, Session, int]] = []  # due, a tie-breaker, the session, its next step
    began = time.perf_counter()
    each = next(sessions)
    apart, count, first = len(each) / steps_a_second, 0, began
    with selectors.DefaultSelector() as selector:
        busy = 0
        while True:
            now = time.perf_counter()
            while first <= now and first < began + seconds:
                heapq.heappush(waiting, (first, count, each, 0))
                each, count, first = next(sessions), count + 1, first + apart
            while waiting and waiting[0][0] <= now:
                due, _tie, session, place = heapq.heappop(waiting)
                if not idle:
                    one = _Connection(address)
                    selector.register(one.handle, selectors.EVENT_READ, one)
                    idle.append(one)
                one = idle.pop()
                one.session, one.place, one.due = session, place, due
                one.send(now)
                busy += 1
            if not busy and not waiting and now >= began + seconds:
                break
            following = min([first] if first < began + seconds else [now + 0.1], default=now + 0.1)
            if waiting:
                following = min(following, waiting[0][0])
            for key, _events in selector.select(max(0.0, min(0.1, following - time.perf_counter()))):
                one = key.data
                if not one.take():
                    continue
                now = time.perf_counter()
                found.steps.append(now - one.due)
                busy -= 1
                idle.append(one)
                if one.place + 1 == len(one.session):
                    found.sessions += 1
                else:
                    count += 1
                    heapq.heappush(waiting, (one.due + pause, count, one.session, one.place + 1))
        found.seconds = time.perf_counter() - began
        for key in list(selector.get_map().values()):
            key.data.handle.close()
    return found
