"""An operator's SMS centre that speaks SMPP 3.4, as much of it as Kannel needs."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType

SUBMIT, DELIVER, BIND, ENQUIRE, UNBIND = 0x04, 0x05, 0x09, 0x15, 0x06
ANSWER = 0x80000000
RECEIPT, PART = 0x04, 0x40
"""Of `esm_class`: a delivery receipt; a text that begins with the header of its part."""
GSM, UCS2 = 0, 8
"""Of `data_coding`."""
INTERNATIONAL, NAME = 1, 5
"""Types of a number."""


@dataclass(frozen=True)
class Submitted:
    """A message, or one of its parts, that was handed to the centre."""

    id: str
    sender: str
    receiver: str
    esm_class: int
    wants_receipt: bool
    coding: int
    text: bytes


class Centre:
    """Listens on loopback for one Kannel. `status` is what it answers to the next submissions: 0, or an SMPP error."""

    def __init__(self) -> None:
        self.status = 0
        self.submitted: queue.SimpleQueue[Submitted] = queue.SimpleQueue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._bound = threading.Event()
        self._kannel: socket.socket | None = None
        self._count = 0

    def __enter__(self) -> Centre:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Goes away, and cannot be reached any more."""
        for sock in filter(None, (self._listener, self._kannel)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def deliver(
        self, sender: str, text: bytes, coding: int = GSM, esm_class: int = 0, kind: int = INTERNATIONAL
    ) -> None:
        """An SMS, or a receipt, from the air."""
        assert self._bound.wait(10), "Kannel did not bind"
        self._count += 1
        addresses = bytes([kind, 1]) + sender.encode() + b"\0" + bytes([0, 1]) + b"8550\0"
        body = b"\0" + addresses + bytes([esm_class, 0, 0, 0, 0, 0, 0, coding, 0, len(text)]) + text
        self._send(DELIVER, 0, self._count, body)

    def receipt(self, of: Submitted, word: str) -> None:
        """The receipt of a message, with the beginning of its text in its own bytes (SMPP 3.4, appendix B)."""
        head = f"id:{of.id} sub:001 dlvrd:001 submit date:2611220110 done date:2611220110 stat:{word} err:045 text:"
        self.deliver(of.receiver, head.encode() + of.text[:20], esm_class=RECEIPT)

    def _serve(self) -> None:
        with contextlib.suppress(OSError, struct.error):
            self._kannel, _ = self._listener.accept()
            incoming = self._kannel.makefile("rb")
            while True:
                length, command, _, sequence = struct.unpack(">IIII", incoming.read(16))
                body = incoming.read(length - 16)
                if command == SUBMIT:
                    self._submit(sequence, body)
                elif command in (BIND, ENQUIRE, UNBIND):
                    self._send(command | ANSWER, 0, sequence, b"centre\0" if command == BIND else b"")
                    self._bound.set()

    def _submit(self, sequence: int, body: bytes) -> None:
        self._count += 1
        _, rest = body.split(b"\0", 1)
        sender, rest = rest[2:].split(b"\0", 1)
        receiver, rest = rest[2:].split(b"\0", 1)
        esm_class = rest[0]
        _, _, rest = rest[3:].split(b"\0", 2)
        wants, coding, length = rest[0], rest[2], rest[4]
        given = f"{self._count:x}"
        self._send(SUBMIT | ANSWER, self.status, sequence, b"\0" if self.status else given.encode() + b"\0")
        text = rest[5 : 5 + length]
        self.submitted.put(Submitted(given, sender.decode(), receiver.decode(), esm_class, bool(wants), coding, text))

    def _send(self, command: int, status: int, sequence: int, body: bytes) -> None:
        assert self._kannel is not None
        self._kannel.sendall(struct.pack(">IIII", 16 + len(body), command, status, sequence) + body)
