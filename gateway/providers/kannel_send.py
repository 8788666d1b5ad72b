"""Sending through Kannel. Source: WIRE.md, Kannel, Send; Kannel 1.4.5, as Debian has it.

One GET a message. Kannel gives no id back: ours is written into the address of the receipts, and stands for one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog

from gateway.config import Settings
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Sender, Unknown
from gateway.providers.wire import Answer, Lost, NotSent, Wire
from gateway.text import is_gsm7

log = structlog.get_logger()

THREADS = 4
BEGIN_SHARE = 2 / 3
"""A request begins in this share of the time only: one that the deadline cuts leaves its message in doubt."""
RECEIPTS = 1 | 2 | 4 | 8 | 16
"""Which receipts to send: delivered, failed, buffered, taken and not taken by the operator's centre."""

ACCEPTED = (
    b"0: Accepted for delivery",
    b"3: Queued for later delivery",  # the operator's centre is not connected just now
    b"Sent.",  # with `immediate-sendsms-reply`
)
"""How the body of a 2xx begins; anything else is in doubt."""
ANSWERS: tuple[tuple[range, str, Refused | Unknown], ...] = (
    (range(300, 400), "", Refused(Reason.SETUP, for_now=False)),  # no Kannel: KANNEL_SEND_URL is wrong
    (range(400, 401), "Number(s) has/have been denied", Refused(Reason.NOT_PERMITTED, for_now=False)),
    (range(403, 404), "Authorization failed", Refused(Reason.SETUP, for_now=False)),
    (range(403, 404), "Not routable", Refused(Reason.NO_ROUTE, for_now=False)),
    (range(408, 409), "", Unknown(Reason.NO_ANSWER)),  # what stands before a service may say it of the service
    (range(413, 415), "", Refused(Reason.TOO_LONG, for_now=False)),
    (range(429, 430), "", Refused(Reason.THROTTLED, for_now=True)),
    (range(400, 500), "", Refused(Reason.SETUP, for_now=False)),  # 404: another address; 400: no sender
    (range(503, 504), "", Refused(Reason.GATEWAY_DOWN, for_now=True)),  # "Temporal failure, try again later."
)
"""The HTTP status of a request that is no 2xx, and how its body begins; the first that fits counts.

The rest, the other 5xx among them, is in doubt: nothing says that the message was not taken.
"""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class KannelSender(Sender):
    """Sends over at most `THREADS` connections. Cutting a long text into parts is Kannel's."""

    name = "kannel"

    def __init__(self, settings: Settings) -> None:
        self._wire = Wire(THREADS)
        self._url = settings.kannel_send_url or ""
        self._login = {"username": settings.kannel_username, "password": settings.kannel_password}
        self._from = {"from": settings.kannel_sender} if settings.kannel_sender else {}
        self._receipts = [
            f"{settings.address.replace('%', '%%')}/hooks/kannel/{token}/receipt"
            for token in settings.kannel_webhook_tokens[:1]
        ]
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=self.name)

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
        if not _NUMBER.fullmatch(message.number):  # with a space in it, Kannel would take it for two
            return Refused(Reason.BAD_NUMBER, for_now=False)
        try:
            now = time.monotonic()
            if now > begin_by:
                raise NotSent("not sent: the others took the time")
            answer = self._wire.request("GET", self._url, end - now, params=self._params(message))
            return _outcome(answer, message)
        except NotSent as problem:
            return Refused(Reason.GATEWAY_DOWN, True, str(problem))
        except Lost as problem:
            return Unknown(Reason.NO_ANSWER if problem.late else Reason.CUT_OFF, str(problem))
        except Exception as problem:  # whatever it is, the request may have gone out
            log.error("kannel.failed", error=type(problem).__name__)
            return Unknown(Reason.UNCLEAR, type(problem).__name__)

    def _params(self, message: Outgoing) -> dict[str, str | bytes]:
        params: dict[str, str | bytes] = {**self._login, **self._from, "to": message.number}
        if is_gsm7(message.text):
            params |= {"text": message.text, "coding": "0", "charset": "UTF-8"}
        else:
            params |= {"text": message.text.encode("utf-16-be"), "coding": "2", "charset": "UTF-16BE"}
        for address in self._receipts:  # Kannel puts in what % stands before
            query = f"m={message.id}&status=%d&answer=%A&smsc=%i"
            params |= {"dlr-mask": str(RECEIPTS), "dlr-url": f"{address}?{query}"}
        return params


def _outcome(answer: Answer, message: Outgoing) -> Outcome:
    """What became of a message."""
    said = f"HTTP {answer.status}"
    if 200 <= answer.status < 300:
        return Accepted(message.id) if answer.body.startswith(ACCEPTED) else Unknown(Reason.UNCLEAR, said)
    for statuses, words, outcome in ANSWERS:
        if answer.status in statuses and answer.body.startswith(words.encode()):
            return replace(outcome, said=f"{said} {words}".strip())
    return Unknown(Reason.UNCLEAR, said)
