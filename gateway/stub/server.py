"""The stub's server: a provider's address, and beside it the stub's own (`/_log`, `/_summary`, `/_phone/…`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from gateway.stub.africastalking import AfricasTalking
from gateway.stub.android import Android
from gateway.stub.hooks import FAILURES, Callback, Hooks
from gateway.stub.http import Http
from gateway.stub.kannel import Kannel
from gateway.stub.ledger import Ledger
from gateway.stub.provider import Played
from gateway.stub.receipts import Receipts
from gateway.stub.setup import Setup
from gateway.stub.somleng import Somleng
from gateway.stub.twilio import Twilio
from gateway.stub.wire import (
    Answer,
    BadMessage,
    Request,
    as_json,
    as_text,
    read_request,
    waits_for_continue,
)

PROVIDERS: dict[str, type[Played]] = {
    "africastalking": AfricasTalking,
    "twilio": Twilio,
    "somleng": Somleng,
    "kannel": Kannel,
    "android": Android,
    "http": Http,
}
"""Who can be played."""
DRIP_SECONDS = 0.5
"""Between two bytes of an answer that drips."""
Answering = Answer | None | Coroutine[Any, Any, Answer | None]


class Stub:
    """A played provider on a port of its own."""

    def __init__(self, setup: Setup) -> None:
        """Raises OSError when the log cannot be written."""
        self.setup = setup
        self.ledger = Ledger(setup.log, setup.show_numbers)
        self.provider = PROVIDERS[setup.provider](setup, self.ledger)
        self.url = ""
        self._connections: set[_Connection] = set()
        self._hooks: Hooks | None = None

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, self._connections), self.setup.host, self.setup.port, backlog=1024
        )
        host = f"[{self.setup.host}]" if ":" in self.setup.host else self.setup.host
        self.url = f"http://{host}:{self._server.sockets[0].getsockname()[1]}"
        if self.setup.hooks:
            self._hooks = Hooks(self.setup.hooks)
            self._receipts = Receipts(self.provider, self._hooks)
            self.provider.took = self._receipts.expect

    def stop(self) -> None:
        """Closes everything; receipts that are not sent yet stay unsent."""
        self._server.close()
        for connection in list(self._connections):
            connection.close()
        if self._hooks:
            self._receipts.stop()
            self._hooks.close()
        self.ledger.close()

    def answer(self, request: Request) -> Answering:
        """The answer to a request; None: the connection is closed without one."""
        if request.path.startswith("/_"):
            return self._own(request)
        answer = self.provider.answer(request)
        return _later(self.setup.latency, answer) if self.setup.latency else answer

    def _own(self, request: Request) -> Answering:
        match request.method, request.path:
            case "GET", "/_summary":
                return as_json(200, self.ledger.summary())
            case "GET", "/_log":
                return Answer(200, "".join(f"{line}\n" for line in self.ledger.lines).encode(), "application/x-ndjson")
            case "POST", "/_phone/sms" | "/_phone/ussd":
                return self._phone(request)
            case "GET", "/_phone/inbox":
                return as_json(200, self._inbox(request.fields.get("number", "")))
            case _:
                return as_text(404, "There are GET /_summary /_log /_phone/inbox, and POST /_phone/sms /_phone/ussd.\n")

    async def _phone(self, request: Request) -> Answer:
        """Plays a phone: the gateway's answer, as it is. JSON only, so that no web page can do it unasked."""
        ussd = request.path.endswith("ussd")
        wanted = ("from", "session", "text") if ussd else ("from", "text")
        fields = {name: value for name in wanted if isinstance(value := request.json.get(name), str)}
        if len(fields) < len(wanted):
            return as_text(400, f"It takes JSON (application/json) with the texts {', '.join(wanted)}.\n")
        if not self._hooks:
            return as_text(409, "The stub does not know the gateway: start it with --hooks.\n")
        if ussd:
            callback = self.provider.ussd(fields["from"], fields["session"], fields["text"])
        else:
            callback = self.provider.sms(fields["from"], fields["text"])
        if callback is None:
            return as_text(404, f"{self.setup.provider} has no USSD.\n")
        self.ledger.counts["inbound"] += 1
        try:
            answer = await self._call(self._hooks, callback)
            end = self.provider.ussd_end(fields["session"], answer) if ussd else None
            if end:
                await self._call(self._hooks, end)
        except FAILURES as problem:
            return as_text(502, f"The gateway at {self._hooks.address} did not answer ({type(problem).__name__}).\n")
        return Answer(answer.status, answer.body, answer.type)

    def _inbox(self, number: str) -> list[dict[str, object]]:
        """What a played phone got: the messages to this number that arrive."""
        arrived = (taken for taken in self.provider.messages.values() if not taken.code)
        return [
            {"n": taken.n, "id": taken.id, "text": taken.sms.text}
            for taken in arrived
            if taken.sms.number.lstrip("+") == number.lstrip("+")
        ]

    async def _call(self, hooks: Hooks, callback: Callback) -> Answer:
        return await hooks.call(callback, self.provider.sign(callback, hooks.address + callback.path))


async def _later(seconds: float, answer: Answer | None) -> Answer | None:
    await asyncio.sleep(seconds)
    return answer


class _Connection(asyncio.Protocol):
    """One connection: its requests are answered one after the other.

    (A protocol, not streams: those take twice the time, and a benchmark of the gateway stands behind this.)
    """

    def __init__(self, stub: Stub, open_ones: set[_Connection]) -> None:
        self._stub, self._open_ones = stub, open_ones
        self._buffer = bytearray()
        self._busy: asyncio.Task[Answer | None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_ones.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_ones.discard(self)
        if self._busy:
            self._busy.cancel()

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def _go_on(self) -> None:
        while not self._busy and not self._transport.is_closing():
            try:
                request = read_request(self._buffer)
                if request is None:
                    if waits_for_continue(self._buffer):
                        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    return
            except BadMessage as problem:
                self._write(as_text(problem.status, f"{problem}\n"), stays=False)
                return
            self._serve(request)

    def _serve(self, request: Request) -> None:
        try:
            answer = self._stub.answer(request)
        except Exception:  # a stub that hangs would look like a provider that does
            logging.getLogger(__name__).exception("the stub failed")
            self._write(as_text(500, "The stub failed.\n"), stays=False)
            return
        if answer is None or isinstance(answer, Answer):
            self._write(answer, request.stays)
            return
        self._busy = asyncio.get_running_loop().create_task(answer)
        self._busy.add_done_callback(lambda task: self._done(task, request.stays))

    def _done(self, task: asyncio.Task[Answer | None], stays: bool) -> None:
        self._busy = None
        if task.cancelled():
            return
        if task.exception():
            logging.getLogger(__name__).error("the stub failed", exc_info=task.exception())
        self._write(as_text(500, "The stub failed.\n") if task.exception() else task.result(), stays)
        self._go_on()

    async def _drip(self, data: bytes) -> None:
        """Byte by byte, for longer than anybody should wait; then the connection is closed."""
        for byte in data:
            self._transport.write(bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS)
        self._transport.close()

    def _write(self, answer: Answer | None, stays: bool) -> None:
        if answer is not None and answer.drips:
            self._busy = asyncio.get_running_loop().create_task(self._drip(answer.encoded(False)))
            return
        if answer is not None:
            self._transport.write(answer.encoded(stays))
        if answer is None or not stays:
            self._transport.close()
