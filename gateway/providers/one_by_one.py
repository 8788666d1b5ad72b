"""Sending one message a request, side by side: what providers that take no batches have in common."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from gateway.config import Settings
from gateway.providers.base import Outcome, Outgoing, Reason, Refused, Sender, Unknown, with_wait
from gateway.providers.wire import Answer, Lost, NotSent, Wire, telling

log = structlog.get_logger()

THREADS = 4
BEGIN_SHARE = 2 / 3
"""A request begins in this share of the time only: one that the deadline cuts leaves its message in doubt."""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class OneByOne(Sender):
    """Sends over at most `THREADS` connections; a provider says how it asks and what an answer means."""

    tells = True

    def __init__(self, settings: Settings) -> None:
        self._wire = Wire(THREADS)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=self.name)

    @abstractmethod
    def request(self, message: Outgoing, seconds: float) -> Answer:
        """The provider's answer to a message, within so many seconds. Raises NotSent, Lost."""

    @abstractmethod
    def outcome(self, message: Outgoing, answer: Answer) -> Outcome:
        """What the answer means."""

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        """Sends messages, each in a request of its own."""
        now = time.monotonic()
        begin_by, end = now + seconds * BEGIN_SHARE, now + seconds
        return list(self._pool.map(lambda message: self._send(message, begin_by, end), batch))

    def close(self) -> None:
        """Lets go of threads and connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    def _send(self, message: Outgoing, begin_by: float, end: float) -> Outcome:
        if not _NUMBER.fullmatch(message.number):
            return Refused(Reason.BAD_NUMBER, for_now=False)
        try:
            now = time.monotonic()
            if now > begin_by:
                raise NotSent("not sent: the others took the time")
            with telling(message.goes_out):
                answer = self.request(message, end - now)
            return with_wait(self.outcome(message, answer), answer.wait)
        except NotSent as problem:
            return Refused(Reason.GATEWAY_DOWN, True, str(problem))
        except Lost as problem:
            return Unknown(Reason.NO_ANSWER if problem.late else Reason.CUT_OFF, str(problem))
        except Exception as problem:  # whatever it is, the request may have gone out
            log.error(f"{self.name}.failed", error=type(problem).__name__)
            return Unknown(Reason.UNCLEAR, type(problem).__name__)
