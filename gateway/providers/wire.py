"""HTTP out, for all providers: pooled connections, one deadline for a whole request, no retries.

`requests` counts its timeout anew for each read, so a server that drips bytes would hold a worker for ever. Here
every wait (for a name, a connection, a handshake, each read and write) gets what is left of the request's own time.
What goes wrong is told apart by whether the request had gone out: `NotSent` may be sent again, `Lost` may not.
"""

from __future__ import annotations

import io
import json
import logging
import math
import queue
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.connection import create_connection

from gateway.providers import noted
from gateway.providers.base import GoesOut

MOST_BYTES = 1024 * 1024
"""Of an answer's body; what is longer is cut here."""
CONNECT_SECONDS = 5.0
"""For each of a host's addresses, and for the handshake."""
ANSWER_SECONDS = 5.0
LEAST_SPEED = 1024.0
"""Once an answer has begun, it has this long, and so many bytes a second more: one that drips must not hold up others.

(One that begins late is waited for.)
"""
IDLE_SECONDS = 4.0
"""A connection unused for longer is not used again: the server may close it just then, and a message would be in doubt.

Node.js closes after five seconds, most others later.
"""
_TLS_RECORD = 16 * 1024
_SECONDS = re.compile(r"[0-9]{1,6}")
_FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError, RuntimeError)

for _name in ("urllib3.connection", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # below, they quote addresses, which may hold numbers and keys


class NotSent(Exception):
    """Nothing of the request went out: it may be sent again. The message says at which step it failed, no more."""


class Lost(Exception):
    """The request went out and no whole answer came: nobody knows what became of it. `late`: its time was over."""

    def __init__(self, late: bool) -> None:
        super().__init__("no answer in time" if late else "connection cut")
        self.late = late


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status: a redirect too, for none is followed."""

    status: int
    body: bytes
    wait: float | None = None
    """Seconds after which to ask again, where it says so: `Retry-After`."""

    def json(self) -> object:
        """The body's JSON, whatever type the header claims; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Wire:
    """Connections to providers. Safe for so many threads, and keeps no more connections to a host than those."""

    def __init__(self, threads: int) -> None:
        self._session = _Session()
        self._session.auth = _as_it_is
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_maxsize=threads, max_retries=0))

    def request(self, method: str, url: str, seconds: float, **parts: Any) -> Answer:
        """The answer to a request that may take so many seconds in all.

        `parts` are those of `requests`: headers, params, data, json, auth. Raises NotSent, Lost.
        """
        attempt = _Attempt(seconds)
        token = _attempt.set(attempt)
        try:
            return self._ask(method, url, attempt, parts)
        except _FAILURES:  # their texts quote addresses and headers: they end here
            problem = Lost(attempt.over) if attempt.out else NotSent(f"not sent: failed at {attempt.step}")
        finally:
            _attempt.reset(token)
        raise problem

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._session.close()

    def _ask(self, method: str, url: str, attempt: _Attempt, parts: dict[str, Any]) -> Answer:
        body = b""
        with self._session.request(method, url, timeout=attempt.left(), stream=True, **parts) as response:
            for chunk in response.iter_content(64 * 1024):
                body += chunk
                if len(body) >= MOST_BYTES:
                    break
            asked = response.headers.get("Retry-After", "").strip()
            wait = float(asked) if _SECONDS.fullmatch(asked) else None
            return Answer(response.status_code, body[:MOST_BYTES], wait)


class _Attempt:
    """One request under way: how far it came, and how long it still has."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.allowed = math.inf
        """Until when, by the answer's speed so far."""
        self.step = "the start"
        self.out = False

    @property
    def over(self) -> bool:
        return time.monotonic() >= min(self._end, self.allowed)

    def left(self, most: float = 3600.0) -> float:
        """Seconds. Raises TimeoutError when there are none."""
        if self.over:
            raise TimeoutError("the request's time is over")
        return min(max(min(self._end, self.allowed) - time.monotonic(), 0.001), most)

    def came(self, count: int) -> None:
        """So many bytes of the answer came."""
        if self.allowed == math.inf:
            self.allowed = time.monotonic() + ANSWER_SECONDS
        self.allowed += count / LEAST_SPEED


_attempt: ContextVar[_Attempt] = ContextVar("_attempt")
_told: ContextVar[tuple[GoesOut, ...]] = ContextVar("_told", default=())


@contextmanager
def telling(*whom: GoesOut) -> Iterator[None]:
    """In this block a request calls these just before its first byte goes out; an OSError of theirs keeps it back."""
    token = _told.set(whom)
    try:
        yield
    finally:
        _told.reset(token)


class _TimedReads(io.RawIOBase):
    """A socket's bytes; each read waits for no more than what is left of the request's time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock, self._attempt = raw, sock, _attempt.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._attempt.left())
        count = self._raw.readinto(buffer)
        self._attempt.came(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock))


class _Http(HTTPConnection):
    """A connection whose every wait is timed, and that notes when a request goes out."""

    response_class = _Response
    _used = 0.0
    _held: bytearray | None = None
    """What was written of a request that has not gone out."""

    @property
    def is_connected(self) -> bool:
        """Whether it may be used again."""
        return super().is_connected and time.monotonic() - self._used < IDLE_SECONDS

    def _new_conn(self) -> socket.socket:
        attempt = _attempt.get()
        attempt.step = "the look-up of the name"
        addresses = _addresses(self._dns_host, self.port, attempt.left())
        problem = OSError("the name has no address")
        attempt.step = "connecting"
        for address in addresses:
            try:
                seconds = attempt.left(CONNECT_SECONDS)
                sock = create_connection((address, self.port), seconds, socket_options=self.socket_options)
            except OSError as error:
                problem = error
                continue
            attempt.step = "the handshake"
            sock.settimeout(attempt.left(CONNECT_SECONDS))
            return sock
        raise problem

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Sends a request, head and body together."""
        if self.sock is None:
            self.connect()
        self._held = bytearray()
        try:
            super().request(*args, **kwargs)
            data = bytes(self._held)
        finally:
            self._held = None
        self._let_go(data)

    def _let_go(self, data: bytes) -> None:
        """Sends a whole request, having told of it.

        A process killed between telling and sending leaves a message in doubt that never went out. So the system
        notes what it sends, where it can; else the two follow one upon the other: what the system takes at once goes
        first, and only then there is waiting.
        """
        attempt, told = _attempt.get(), _told.get()
        attempt.allowed = math.inf  # a proxy may have answered before
        attempt.left()
        assert self.sock is not None
        self.sock.settimeout(0)
        first, exactly = data[:_TLS_RECORD], len(told) == 1 and noted.can_note(self.sock)
        rooms = [tell(noted=exactly) for tell in told]
        attempt.out = True
        try:
            sent = noted.send(self.sock, first, rooms[0]) if exactly and rooms[0] else self.sock.send(first)
        except (BlockingIOError, SSLWantReadError, SSLWantWriteError):
            sent = 0
            for tell in told:  # what goes now, nobody notes
                tell()
        self.send(data[sent:])

    def send(self, data: Any) -> None:
        """Sends bytes, a TLS record at a time: `ssl` counts its timeout anew for each."""
        if self._held is not None:
            self._held += data
            return
        for start in range(0, len(data), _TLS_RECORD):
            if self.sock is not None:
                self.sock.settimeout(_attempt.get().left())
            super().send(data[start : start + _TLS_RECORD])

    def getresponse(self) -> Any:
        """The head of the answer."""
        response = super().getresponse()
        self._used = time.monotonic()
        return response


class _Https(_Http, HTTPSConnection):
    pass


_OURS: dict[Any, Any] = {HTTPConnection: _Http, HTTPSConnection: _Https, _Http: _Http, _Https: _Https}


class _Adapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls not in _OURS:  # it would not note when a request goes out
            raise requests.exceptions.InvalidProxyURL("this kind of proxy is not supported")
        pool.ConnectionCls = _OURS[pool.ConnectionCls]
        return pool


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self._environment: dict[tuple[str, str], Any] = {}

    def merge_environment_settings(self, url: Any, *given: Any) -> Any:
        """What the environment says of a host, proxies and certificates: read once, for it takes 90 µs.

        (What is `given` beside it is the same for all requests.)
        """
        parts = urlsplit(url)
        host = (parts.scheme, parts.netloc)
        if host not in self._environment:
            self._environment[host] = super().merge_environment_settings(url, *given)
        return self._environment[host]

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: no redirect is followed. Told so by `allow_redirects`, `requests` would still read one's whole body."""


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The authentication where none is given: without one, `requests` looks into ~/.netrc."""
    return request


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """A host's addresses, asked for in a thread: the system's look-up knows no deadline. Raises OSError."""
    answer: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put([str(address[0]) for *_, address in found])
        except (OSError, UnicodeError) as error:
            answer.put(OSError(str(error)))

    threading.Thread(target=look_up, name="name-look-up", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("no answer to the look-up of the name") from None
    if isinstance(found, OSError):
        raise found
    return found
