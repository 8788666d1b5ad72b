"""What all played providers share: how a request to send becomes messages taken, refused or lost.

A provider's own file has the rest, mostly data: how it reads a request, what it answers, how it calls back.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from gateway.stub.hooks import Callback
from gateway.stub.ledger import Ledger
from gateway.stub.setup import DRIPPED, DROPPED, ERRORED, Faults, Setup
from gateway.stub.wire import Answer, Request, as_text
from gateway.text import is_gsm7, size

SERVICE = "8550"
"""The short code that a played phone writes to."""
UNDELIVERED = "000"
"""The code of a message that is taken and never arrives."""


def code_of(number: str) -> str:
    """The code that a number asks for: its last six digits are a code of the provider's with nines before it.

    `+85510921610` gets Twilio's 21610, `+85510999406` gets Africa's Talking's 406.
    """
    tail = number[-6:]
    return tail.lstrip("9") if tail.startswith("9") else ""


@dataclass(frozen=True, slots=True)
class Sms:
    """A message that the gateway wants sent."""

    number: str
    text: str
    sender: str = ""
    ours: str = ""
    """The gateway's own id of it, where the wire carries one."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Whatever else its provider must remember."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken."""

    n: int
    id: str
    sms: Sms
    code: str
    """Of what becomes of it; empty: it arrives."""
    at: float = field(default_factory=time.time)


class Played(ABC):
    """A provider as the gateway sees it."""

    settings: ClassVar[str]
    """What to set so that the gateway sends here; `{url}` is put in."""
    failing: ClassVar[str]
    """The code of what `--fail` asks for: a refusal that passes."""
    fates: ClassVar[Mapping[str, str]]
    """Codes of messages that are taken and do not arrive, and what their receipts say."""
    repeats: ClassVar[int] = 0
    """So often it calls a webhook again that did not take a receipt (in earnest they do it for longer)."""

    def __init__(self, setup: Setup, ledger: Ledger) -> None:
        self.setup = setup
        self.ledger = ledger
        self.faults = Faults(setup)
        self.messages: dict[str, Taken] = {}
        self.took: Callable[[Taken], None] = lambda _: None
        """Told of each message taken."""

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request; None: the connection is closed without one."""
        wanted = self.read(request)
        counts = self.ledger.counts
        if isinstance(wanted, Answer):
            counts["refused"] += wanted.status >= 400
            return wanted
        if self.faults.throttles(len(wanted)):
            counts["throttled"] += len(wanted)
            return self.throttled(request)
        fault = self.faults.of_the_answer()
        results: list[Taken | str] = []
        for sms in wanted:
            code = self.refusal(sms)
            if not code and self.faults.fails():
                counts["failed"] += 1
                results.append(self.failing)
            elif code:
                counts["refused"] += 1
                results.append(code)
            else:
                results.append(self._take(sms, fault))
        answer = self.said(request, wanted, results)
        return _faulty(answer, fault) if any(isinstance(result, Taken) for result in results) else answer

    @abstractmethod
    def read(self, request: Request) -> Sequence[Sms] | Answer:
        """The messages that a request wants sent, or the answer to anything else."""

    @abstractmethod
    def refusal(self, sms: Sms) -> str:
        """The code with which a message is refused for good; empty when it is taken."""

    @abstractmethod
    def new_id(self, sms: Sms) -> str:
        """The provider's id of a message."""

    @abstractmethod
    def said(self, request: Request, wanted: Sequence[Sms], results: Sequence[Taken | str]) -> Answer:
        """The answer when each message was taken, or refused with a code."""

    @abstractmethod
    def throttled(self, request: Request) -> Answer:
        """The answer to a request that is too much just now."""

    @abstractmethod
    def receipts(self, taken: Taken) -> list[Callback]:
        """What the gateway is told of a message, in order."""

    @abstractmethod
    def sms(self, sender: str, text: str) -> Callback:
        """An SMS from a phone."""

    def ussd(self, sender: str, session: str, text: str) -> Callback | None:
        """A step of a USSD session; None where the provider has no USSD."""
        return None

    def ussd_end(self, session: str, answer: Answer) -> Callback | None:
        """What the gateway is told after a step's answer; None: nothing."""
        return None

    def sign(self, callback: Callback, url: str) -> Mapping[str, str]:
        """The headers that prove who calls; `url` is the address that is called."""
        return {}

    def _take(self, sms: Sms, fault: str) -> Taken:
        id_ = self.new_id(sms)
        n = self.ledger.take(id_, sms.ours, sms.number, sms.text, fault)
        code = code_of(sms.number)
        taken = Taken(n, id_, sms, code if code in self.fates else "")
        self.messages[id_] = taken
        self.took(taken)
        return taken

    def steps_done(self, taken: Taken) -> int:
        """How many of its receipts a message should have brought by now."""
        delay = self.setup.receipt_delay
        return int((time.time() - taken.at) / delay) if delay else 99


def parts(text: str) -> int:
    """The parts of an SMS, by division: all that a price needs."""
    most, joined = (160, 153) if is_gsm7(text) else (70, 67)
    length = size(text)
    return 1 if length <= most else -(-length // joined)


def _faulty(answer: Answer, fault: str) -> Answer | None:
    """The answer to messages that were taken, as `fault` would have it."""
    if fault == DROPPED:
        return None
    if fault == ERRORED:
        return as_text(500, "Internal Server Error\n")
    return replace(answer, drips=True) if fault == DRIPPED else answer
