"""Sending through Africa's Talking. Source: WIRE.md, Africa's Talking, Send; the SDK's `SMSService`.

Messages with the same text go out in one request, and each of its recipients is settled on its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog
from africastalking.SMS import SMSService

from gateway.config import Settings
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Sender, Unknown, with_wait
from gateway.providers.wire import Answer, Lost, NotSent, Wire, telling

log = structlog.get_logger()

THREADS = 8
BEGIN_SHARE = 2 / 3
"""A request begins in this share of the time only: one that the deadline cuts leaves its messages in doubt."""

ACCEPTED = {100, 101, 102}
"""A recipient's status codes: processed, sent, queued."""
RECIPIENTS: dict[int, Refused] = {
    401: Refused(Reason.NOT_PERMITTED, for_now=False),  # held as a risk
    402: Refused(Reason.SETUP, for_now=False),  # invalid sender id
    403: Refused(Reason.BAD_NUMBER, for_now=False),
    404: Refused(Reason.NOT_MOBILE, for_now=False),  # a type of number that gets no SMS
    405: Refused(Reason.NO_BALANCE, for_now=True),
    406: Refused(Reason.OPTED_OUT, for_now=False),  # in the blacklist
    407: Refused(Reason.NO_ROUTE, for_now=False),
    409: Refused(Reason.NOT_PERMITTED, for_now=False),  # do not disturb: a country's list, not a word to us
    500: Refused(Reason.GATEWAY_DOWN, for_now=True),  # internal error
    501: Refused(Reason.GATEWAY_DOWN, for_now=True),  # gateway error
    502: Refused(Reason.GATEWAY_DOWN, for_now=True),  # rejected by the gateway
}
"""A recipient's other status codes; one that stands in neither table is in doubt."""
MESSAGES: dict[str, Refused] = {
    "InvalidSenderId": Refused(Reason.SETUP, for_now=False),
}
"""What a 2xx without recipients says of the whole request; anything else is in doubt."""
STATUSES: dict[range, Refused | Unknown] = {
    range(301, 302): Refused(Reason.SETUP, for_now=True),  # moved: AFRICASTALKING_BASE_URL is wrong
    range(307, 309): Refused(Reason.SETUP, for_now=True),
    range(408, 409): Unknown(Reason.NO_ANSWER),  # what stands before a service may say it of the service
    range(429, 430): Refused(Reason.THROTTLED, for_now=True),
    range(400, 500): Refused(Reason.SETUP, for_now=True),  # 401: wrong user name or key; an operator can mend it
}
"""The HTTP status of a request that is no 2xx; the first range counts.

The rest, 5xx among them, is in doubt: nothing says that the messages were not taken.
"""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_NO_DIGITS = re.compile(r"[^0-9]+")
_CODE = re.compile(r"[0-9]{3}")
_WORDS = re.compile(r"[A-Za-z ]{1,60}")
_T = TypeVar("_T")


class AfricasTalkingSender(Sender):
    """Sends over at most `THREADS` connections; the sandbox's host goes with its user name, `sandbox`."""

    name = "africastalking"
    tells = True

    def __init__(self, settings: Settings) -> None:
        self._wire = Wire(THREADS)
        self._service = _Service(
            settings.africastalking_username,
            settings.africastalking_api_key,
            settings.africastalking_base_url,
            self._wire,
        )
        self._sender = settings.africastalking_sender or None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=self.name)

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        """Sends messages; one request for each text, more when a number comes twice."""
        now = time.monotonic()
        outcomes: list[Outcome] = [Refused(Reason.BAD_NUMBER, False)] * len(batch)
        parts = list(_requests(batch))
        send = partial(self._send, begin_by=now + seconds * BEGIN_SHARE, end=now + seconds)
        requests = [[batch[i] for i in part] for part in parts]
        answers = map(send, requests) if len(requests) == 1 else self._pool.map(send, requests)
        for part, said in zip(parts, answers, strict=True):
            for i, outcome in zip(part, said, strict=True):
                outcomes[i] = outcome
        return outcomes

    def close(self) -> None:
        """Lets go of threads and connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    def _send(self, messages: Sequence[Outgoing], begin_by: float, end: float) -> list[Outcome]:
        """One request: messages of one text to different numbers."""
        numbers = [message.number for message in messages]
        outcome: Outcome
        try:
            now = time.monotonic()
            if now > begin_by:
                raise NotSent("not sent: the others took the time")
            with telling(*(message.goes_out for message in messages)):
                answer = self._service.send(messages[0].text, numbers, sender_id=self._sender, timeout=end - now)
            return [with_wait(settled, answer.wait) for settled in _settled(answer, numbers)]
        except NotSent as problem:
            outcome = Refused(Reason.GATEWAY_DOWN, True, str(problem))
        except Lost as problem:
            outcome = Unknown(Reason.NO_ANSWER if problem.late else Reason.CUT_OFF, str(problem))
        except Exception as problem:  # whatever it is, the request may have gone out
            log.error("africastalking.failed", error=type(problem).__name__)
            outcome = Unknown(Reason.UNCLEAR, type(problem).__name__)
        return [outcome] * len(messages)


class _Service(SMSService):  # type: ignore[misc]
    """The SDK's, over pooled connections, with the whole answer instead of its body, and to another host if given."""

    def __init__(self, username: str, api_key: str, base_url: str | None, wire: Wire) -> None:
        self._given_url = base_url
        self._wire = wire
        super().__init__(username, api_key)

    def _init_service(self) -> None:
        super()._init_service()
        if self._given_url:
            self._baseUrl = f"{self._given_url}/version1"

    def _make_request(
        self, url: str, method: str, headers: Any, data: Any, params: Any, callback: None = None, timeout: float = 0
    ) -> Answer:
        return self._wire.request(method, url, timeout, headers=headers, data=data, params=params)


def _requests(batch: Sequence[Outgoing]) -> Iterator[list[int]]:
    """Places in the batch, request by request: one text and no number twice; numbers that are none are left out.

    (The SDK raises ValueError for the whole list on one bad number.)
    """
    requests: dict[tuple[str, int], list[int]] = {}
    seen: dict[tuple[str, str], int] = {}
    for i, message in enumerate(batch):
        if _NUMBER.fullmatch(message.number):
            times = seen[message.text, message.number] = seen.get((message.text, message.number), 0) + 1
            requests.setdefault((message.text, times), []).append(i)
    yield from requests.values()


def _settled(answer: Answer, numbers: Sequence[str]) -> list[Outcome]:
    """What became of each number."""
    said = f"HTTP {answer.status}"
    if not 200 <= answer.status < 300:
        meanings = (outcome for statuses, outcome in STATUSES.items() if answer.status in statuses)
        return [replace(next(meanings, Unknown(Reason.UNCLEAR)), said=said)] * len(numbers)
    data = _part(answer.json(), "SMSMessageData", dict)
    recipients, message = _part(data, "Recipients", list), _part(data, "Message", str)
    if not recipients and message in MESSAGES:
        return [replace(MESSAGES[message], said=message)] * len(numbers)
    doubt = Unknown(Reason.UNCLEAR, f"{said} without a word on this number")
    found: dict[str, Outcome] = {}
    for recipient in recipients:
        number, outcome = _digits(_part(recipient, "number", str)), _outcome(recipient)
        found[number] = outcome if found.get(number, outcome) == outcome else doubt  # two words on one number
    return [found.get(_digits(number), doubt) for number in numbers]


def _outcome(recipient: object) -> Outcome:
    """What became of one recipient."""
    code, status = str(_part(recipient, "statusCode", object)), _part(recipient, "status", str)
    said = " ".join(  # never anything else: it goes to the log
        word for word, form in ((code, _CODE), (status, _WORDS)) if form.fullmatch(word)
    )
    number = int(code) if _CODE.fullmatch(code) else 0
    if number in ACCEPTED:
        message_id = _part(recipient, "messageId", str)
        return Accepted(message_id) if message_id not in ("", "None") else Unknown(Reason.UNCLEAR, f"{said} without id")
    return replace(RECIPIENTS.get(number, Unknown(Reason.UNCLEAR)), said=said)


def _digits(number: str) -> str:
    """A number without what a provider may write otherwise: `+`, `00`, spaces."""
    return _NO_DIGITS.sub("", number).lstrip("0")


def _part(whole: object, name: str, kind: type[_T]) -> _T:
    """A part of a JSON object; an empty one when it is missing or of another kind."""
    value = whole.get(name) if isinstance(whole, dict) else None
    return value if isinstance(value, kind) else kind()
