"""HTTP/1.1 in bytes, both ways: what a request and an answer look like, with a length or in chunks."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl

MOST_HEAD = 64 * 1024
MOST_BODY = 1024 * 1024
"""Bytes; what is longer is refused."""
JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


class BadMessage(ValueError):
    """Bytes that are no HTTP/1.1. `status` is what to answer."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


class Request(NamedTuple):  # a frozen dataclass takes five times as long to make
    """A request as it came in. Header names are in lower case."""

    method: str
    path: str
    """Without the query."""
    query: str
    headers: Mapping[str, str]
    body: bytes
    stays: bool
    """Whether the connection stays open after the answer."""

    @property
    def form(self) -> dict[str, str]:
        """The form's fields; none when it is no form."""
        is_form = self.headers.get("content-type", "").startswith(FORM)
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)) if is_form else {}

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the address."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def json(self) -> dict[str, object]:
        """The body's JSON object; an empty one when it is none."""
        if not self.headers.get("content-type", "").startswith(JSON):
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    body: bytes = b""
    type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False
    """Whether it goes out byte by byte."""

    def encoded(self, stays: bool) -> bytes:
        """As it goes out."""
        head = f"HTTP/1.1 {self.status} {_phrase(self.status)}\r\nContent-Length: {len(self.body)}\r\n"
        if self.type:
            head += f"Content-Type: {self.type}\r\n"
        for name, value in self.headers.items():
            head += f"{name}: {value}\r\n"
        return (head + ("\r\n" if stays else "Connection: close\r\n\r\n")).encode("latin-1") + self.body


def as_json(status: int, value: object, **headers: str) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), JSON, headers)


def as_text(status: int, text: str) -> Answer:
    """An answer in plain text."""
    return Answer(status, text.encode(), PLAIN)


def read_request(buffer: bytearray) -> Request | None:
    """Takes the first request out of the buffer; None while it is not all there. Raises BadMessage."""
    head = _head(buffer)
    if head is None:
        return None
    first, headers, start = head
    body = _body(buffer, start, headers)
    if body is None:
        return None
    try:
        method, target, version = first.split(" ")
    except ValueError:
        raise BadMessage(400) from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadMessage(505)
    del buffer[: body[1]]
    path, _, query = target.partition("?")
    connection = headers.get("connection", "keep-alive" if version == "HTTP/1.1" else "close").lower()
    return Request(method, path, query, headers, body[0], connection != "close")


def waits_for_continue(buffer: bytearray) -> bool:
    """Whether the client holds its body back until it is told to go on, as curl does with long ones."""
    head = _head(buffer)
    return head is not None and head[1].get("expect", "").lower() == "100-continue" and len(buffer) == head[2]


def read_answer(buffer: bytearray, ended: bool) -> tuple[Answer, bool] | None:
    """The answer in the buffer and whether its connection stays; None while it is not all there. Raises BadMessage.

    `ended`: nothing more will come.
    """
    head = _head(buffer)
    if head is None:
        return None
    first, headers, start = head
    status = first.split(" ")[1] if first.startswith("HTTP/1.") and " " in first else ""
    if not status.isdigit():
        raise BadMessage(502)
    if status.startswith("1"):
        del buffer[:start]
        return read_answer(buffer, ended)
    has_body = status not in ("204", "304")
    measured = "content-length" in headers or "transfer-encoding" in headers
    if has_body and not measured:
        body = (bytes(buffer[start:]), len(buffer)) if ended else None
    else:
        body = _body(buffer, start, headers) if has_body else (b"", start)
    if body is None:
        return None
    stays = headers.get("connection", "").lower() != "close" and (measured or not has_body)
    return Answer(int(status), body[0], headers.get("content-type", "")), stays


def _head(buffer: bytearray) -> tuple[str, dict[str, str], int] | None:
    """First line, headers, and where the body begins."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MOST_HEAD:
            raise BadMessage(431)
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name[-1] in " \t" or name[0] in " \t":
            raise BadMessage(400)
        headers[name.lower()] = value.strip(" \t")
    return first, headers, end + 4


def _body(buffer: bytearray, start: int, headers: Mapping[str, str]) -> tuple[bytes, int] | None:
    """The body, and where the next message begins."""
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise BadMessage(400)
        return _chunks(buffer, start)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadMessage(400)
    end = start + int(length)
    if end - start > MOST_BODY:
        raise BadMessage(413)
    return (bytes(buffer[start:end]), end) if len(buffer) >= end else None


def _chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while (line := buffer.find(b"\r\n", start)) >= 0:
        try:
            size = int(bytes(buffer[start:line]).partition(b";")[0], 16)
        except ValueError:
            raise BadMessage(400) from None
        if size < 0 or len(body) + size > MOST_BODY:
            raise BadMessage(413)
        if size == 0:  # then trailers, or none
            end = buffer.find(b"\r\n\r\n", line)
            return (bytes(body), end + 4) if end >= 0 else None
        start = line + 2 + size + 2
        if len(buffer) < start:
            return None
        body += buffer[line + 2 : start - 2]
    return None


@functools.cache
def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
