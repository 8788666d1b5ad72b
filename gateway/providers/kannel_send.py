"""Sending through Kannel. Source: WIRE.md, Kannel, Send; Kannel 1.4.5, as Debian has it.

One GET a message. Kannel gives no id back: ours is written into the address of the receipts, and stands for one.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.config import Settings
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Unknown
from gateway.providers.one_by_one import OneByOne
from gateway.providers.wire import Answer
from gateway.text import is_gsm7

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


class KannelSender(OneByOne):
    """Cutting a long text into parts is Kannel's."""

    name = "kannel"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._url = settings.kannel_send_url or ""
        self._login = {"username": settings.kannel_username, "password": settings.kannel_password}
        self._from = {"from": settings.kannel_sender} if settings.kannel_sender else {}
        self._receipts = [
            f"{settings.address.replace('%', '%%')}/hooks/kannel/{token}/receipt"
            for token in settings.kannel_webhook_tokens[:1]
        ]

    def request(self, message: Outgoing, seconds: float) -> Answer:
        """Kannel's answer."""
        return self._wire.request("GET", self._url, seconds, params=self._params(message))

    def outcome(self, message: Outgoing, answer: Answer) -> Outcome:
        """By the tables above."""
        said = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            return Accepted(message.id) if answer.body.startswith(ACCEPTED) else Unknown(Reason.UNCLEAR, said)
        for statuses, words, meaning in ANSWERS:
            if answer.status in statuses and answer.body.startswith(words.encode()):
                return replace(meaning, said=f"{said} {words}".strip())
        return Unknown(Reason.UNCLEAR, said)

    def _params(self, message: Outgoing) -> dict[str, str | bytes]:
        params: dict[str, str | bytes] = {**self._login, **self._from, "to": message.number}
        if is_gsm7(message.text):
            params |= {"text": message.text, "coding": "0", "charset": "UTF-8"}
        else:
            params |= {"text": message.text.encode("utf-16-be"), "coding": "2", "charset": "UTF-16BE"}
        for address in self._receipts:  # Kannel puts its values in at each %
            query = f"m={message.id}&status=%d&answer=%A&smsc=%i"
            params |= {"dlr-mask": str(RECEIPTS), "dlr-url": f"{address}?{query}"}
        return params
