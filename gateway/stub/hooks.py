"""Calls to the gateway's webhooks: kept connections, one address, nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from gateway.stub.wire import FORM, Answer, BadMessage, read_answer

CONNECTIONS = 8
SECONDS = 30.0
"""For a whole call."""
FAILURES = (OSError, TimeoutError, BadMessage)
"""What a call may raise."""


@dataclass(frozen=True)
class Callback:
    """A call to the gateway."""

    path: str
    """On the gateway's address, with its query."""
    body: bytes = b""
    type: str = FORM
    method: str = "POST"
    url: str = ""
    """The address as the gateway wrote it, for a signature; empty: the one that is called."""


def form(path: str, fields: Mapping[str, str], url: str = "", type_: str = FORM) -> Callback:
    """A form posted to a path."""
    return Callback(path, urlencode(fields).encode(), type_, url=url)


class Hooks:
    """The gateway's address, and at most `CONNECTIONS` connections to it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.address = address.rstrip("/")
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._netloc, self._prefix = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(self, callback: Callback, headers: Mapping[str, str]) -> Answer:
        """The gateway's answer. Raises one of `FAILURES`."""
        lines = [
            f"{callback.method} {self._prefix}{callback.path} HTTP/1.1",
            f"Host: {self._netloc}",
            f"Content-Length: {len(callback.body)}",
            *([f"Content-Type: {callback.type}"] if callback.body else []),
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + callback.body
        async with self._free, asyncio.timeout(SECONDS):
            while self._idle:
                try:
                    return await self._ask(*self._idle.pop(), data)
                except ConnectionError:  # it was closed while nobody used it
                    continue
            return await self._ask(*await self._open(), data)

    def close(self) -> None:
        """Closes the connections that are not in use."""
        for _, writer in self._idle:
            writer.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, ssl=True if self._tls else None)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> Answer:
        stays = False
        try:
            writer.write(data)
            buffer = bytearray()
            while True:
                more = await reader.read(64 * 1024)
                buffer += more
                found = read_answer(buffer, ended=not more)
                if found:
                    answer, stays = found
                    return answer
                if not more:
                    raise ConnectionResetError("the gateway closed the connection")
        finally:
            if stays:
                self._idle.append((reader, writer))
            else:
                writer.close()
