"""A local HTTP server for tests of what goes out: keeps what it got, counts connections, answers by script."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """What to answer, and how badly."""

    status: int = 201
    body: str | bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    delay: float = 0.0
    """Seconds before the answer."""
    drip: float = 0.0
    """Seconds before each byte of the body."""
    drip_head: float = 0.0
    """Seconds before each byte of the head."""
    cut: int | None = None
    """Closes after so many bytes of the body; its announced length stays."""
    hang_up: bool = False
    """Closes without an answer."""
    close: bool = False
    """Closes after the answer, and does not say so before."""


@dataclass(frozen=True)
class Got:
    """A request as it came in. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def form(self) -> dict[str, str]:
        """The form's fields; fails when one comes twice or is no UTF-8."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
        assert len(dict(pairs)) == len(pairs), "a field comes twice"
        return dict(pairs)

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)

    @property
    def query(self) -> dict[str, str]:
        """The address's fields, as bytes that were percent-encoded, read as Latin-1."""
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True, encoding="latin-1"))


Script = Callable[[Got], Reply]


class WireServer:
    """Listens on loopback, a thread a connection. `script` gives each request's answer, and may be changed."""

    def __init__(self, script: Script | Reply, tls: ssl.SSLContext | None = None) -> None:
        self.script: Script = (lambda _: script) if isinstance(script, Reply) else script
        self.got: list[Got] = []
        self.connections = 0
        self._tls = tls
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []

    def __enter__(self) -> WireServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopped.set()
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as incoming:
                while request_line := incoming.readline():
                    method, path, _ = request_line.decode().split(" ")
                    headers: dict[str, str] = {}
                    while line := incoming.readline().strip():
                        name, _, value = line.decode("latin-1").partition(":")
                        headers[name.lower()] = value.strip()
                    body = incoming.read(int(headers.get("content-length", "0")))
                    got = Got(method, path, headers, body, number)
                    self.got.append(got)
                    if not self._answer(connection, self.script(got)):
                        return
        except (OSError, ValueError):
            return  # the other side went away

    def _answer(self, connection: socket.socket, reply: Reply) -> bool:
        """Answers; whether the connection stays open."""
        self._stopped.wait(reply.delay)
        if reply.hang_up:
            return False
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        headers = {"Content-Length": str(len(body)), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        sent = body if reply.cut is None else body[: reply.cut]
        if reply.drip or reply.drip_head:
            self._drip(connection, head, reply.drip_head)
            self._drip(connection, sent, reply.drip)
        else:
            connection.sendall(head + sent)
        return reply.cut is None and not reply.close

    def _drip(self, connection: socket.socket, data: bytes, pause: float) -> None:
        for i in range(len(data)):
            if pause:
                self._stopped.wait(pause)
            connection.sendall(data[i : i + 1])
