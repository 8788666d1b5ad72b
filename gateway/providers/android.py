"""An Android phone as the gateway, by the app of sms-gate.app. Source: WIRE.md, Android; the app's documentation.

The phone posts every event to one address and signs it. We send through the phone itself or through the app's cloud
server; our id goes along and is the message's id there too, so that a second request with it sends nothing.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from gateway.config import Settings
from gateway.providers.base import (
    LONGEST_SMS,
    Accepted,
    Call,
    Delivery,
    Doubtful,
    Event,
    InboundSms,
    Malformed,
    Outcome,
    Outgoing,
    Provider,
    Reason,
    Receipt,
    Refused,
    Unknown,
    field,
    json_object,
    sender,
)
from gateway.providers.one_by_one import OneByOne
from gateway.providers.wire import Answer, Lost, NotSent

log = structlog.get_logger()

STALE_SECONDS = 300
"""A signature is good for so long, before and after its time: phones' clocks differ."""
TTL_SECONDS = 3600
"""A phone that was away for longer sends the message no more, and says so."""

EVENTS: dict[str, Delivery] = {
    "sms:sent": Delivery.ON_THE_WAY,
    "sms:delivered": Delivery.DELIVERED,
    "sms:failed": Delivery.FAILED,
}
"""What an event says of a message that we sent; of a long one they come once a part."""
STATES: dict[str, Delivery] = {
    "Pending": Delivery.ON_THE_WAY,
    "Processed": Delivery.ON_THE_WAY,
    "Sent": Delivery.ON_THE_WAY,
    "Delivered": Delivery.DELIVERED,
    "Failed": Delivery.FAILED,
}
"""The state of a message that we ask about."""
REASONS: dict[str, Reason] = {
    "TTL expired": Reason.EXPIRED,
    "phone number": Reason.BAD_NUMBER,
    "SEND_SMS": Reason.SETUP,  # the permission was not given
    "READ_PHONE_STATE": Reason.SETUP,
    "No SIM": Reason.SETUP,
    "SIM_ABSENT": Reason.SETUP,
    "NO_DEFAULT_SMS_APP": Reason.SETUP,
    "SMSC_ADDRESS": Reason.SETUP,
    "FDN_CHECK_FAILURE": Reason.SETUP,  # the SIM may write to its own list of numbers only
    "SHORT_CODE": Reason.NOT_PERMITTED,
    "LIMIT_EXCEEDED": Reason.THROTTLED,  # this and the next two: by Android, or by the operator
    "RATE_LIMITED": Reason.THROTTLED,
    "UNEXPECTED_EVENT_STOP_SENDING": Reason.THROTTLED,
    "NETWORK_REJECT": Reason.FILTERED,
    "ACCESS_BARRED": Reason.FILTERED,
    "RADIO": Reason.GATEWAY_DOWN,  # off, or not available
    "NO_SERVICE": Reason.GATEWAY_DOWN,
    "NETWORK_": Reason.GATEWAY_DOWN,
    "MODEM_": Reason.GATEWAY_DOWN,
    "GENERIC_FAILURE": Reason.UNCLEAR,  # no balance, no signal, the SIM
    "Delivery result": Reason.UNREACHABLE,  # the network gave up
}
"""Why a message failed: the first of these words that its `reason` has; without one it is unclear."""

ANSWERS: tuple[tuple[range, str, Refused | Unknown], ...] = (
    (range(301, 302), "", Refused(Reason.SETUP, for_now=True)),  # moved: ANDROID_BASE_URL is wrong
    (range(307, 309), "", Refused(Reason.SETUP, for_now=True)),
    (range(400, 401), "phone number", Refused(Reason.BAD_NUMBER, for_now=False)),
    (range(408, 409), "", Unknown(Reason.NO_ANSWER)),  # what stands before a service may say it of the service
    (range(429, 430), "", Refused(Reason.THROTTLED, for_now=True)),
    (range(400, 500), "", Refused(Reason.SETUP, for_now=True)),  # 401: wrong login; 400: the cloud knows no device
    (range(503, 504), "queue limit", Refused(Reason.THROTTLED, for_now=True)),  # the phone was away for a day
)
"""The status of an answer that does not take the message, and a word of its JSON's `message`; the first that fits
counts. The rest, the other 5xx among them, is in doubt: nothing says that the message was not taken.
"""

_TIME = re.compile("[0-9]{1,12}")
_OUR_ID = re.compile("[0-9a-f]{32}")
_ID = re.compile("[0-9A-Za-z_-]{1,64}")
_EVENT = re.compile("[a-z:-]{1,40}")


class Android(Provider):
    """SMS, and what became of those that we sent."""

    name = "android"
    events = ("",)
    token_in_path = False

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._key = settings.android_signing_key.encode()
        self._now = now

    def verify(self, call: Call) -> bool:
        """By the signature of body and time, and by the time."""
        signed_at, signature = (call.headers.get(name, "") for name in ("x-timestamp", "x-signature"))
        if not self._key or not _TIME.fullmatch(signed_at):
            return False
        ours = hmac.digest(self._key, call.body + signed_at.encode(), "sha256").hex()
        fresh = abs(self._now() - int(signed_at)) <= STALE_SECONDS
        return hmac.compare_digest(ours.encode(), signature.lower().encode()) and fresh

    def parse(self, event: str, call: Call) -> Event | None:
        """An SMS or a receipt; None for the phone's sign of life and for events that are not for us."""
        fields = json_object(call)
        kind, payload = field(fields, "event"), fields.get("payload")
        if kind != "sms:received" and kind not in EVENTS:
            if kind != "system:ping":
                log.info("android.event_not_known", kind=kind if _EVENT.fullmatch(kind) else "?")
            return None
        if not isinstance(payload, dict):
            raise Malformed("payload is missing")
        return self._sms(payload) if kind == "sms:received" else self._receipt(kind, payload)

    def _sms(self, payload: Mapping[str, object]) -> InboundSms:
        # by the payload's id: an event that is posted again has another of its own
        who = sender(payload, "phoneNumber" if payload.get("sender") is None else "sender")  # apps before 2026
        text = field(payload, "message", LONGEST_SMS, empty=True)
        return InboundSms(self.name, field(payload, "messageId"), who, text)

    def _receipt(self, kind: str, payload: Mapping[str, object]) -> Receipt:
        message = field(payload, "messageId")
        ours = message if _OUR_ID.fullmatch(message) else None  # the phone's owner may send by the app, too
        said, reason = _failure(EVENTS[kind], kind, payload.get("reason"))
        return Receipt(self.name, message, EVENTS[kind], said, reason, ours)


class AndroidSender(OneByOne):
    """Sends by the phone, or by the cloud server that knows it."""

    name = "android"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._url = f"{settings.android_base_url}/message"
        self._login = (settings.android_username.encode(), settings.android_password.encode())

    def request(self, message: Outgoing, seconds: float) -> Answer:
        """Asks for one number: with several, one that is bad spoils it for all."""
        body = {
            "id": message.id,
            "textMessage": {"text": message.text},
            "phoneNumbers": [message.number],
            "withDeliveryReport": True,
            "ttl": TTL_SECONDS,
        }
        return self._wire.request("POST", self._url, seconds, json=body, auth=self._login)

    def outcome(self, message: Outgoing, answer: Answer) -> Outcome:
        """Taken with 202; a 409 says that it was taken before."""
        said, body = f"HTTP {answer.status}", answer.json()
        fields = body if isinstance(body, dict) else {}
        given, told = fields.get("id"), str(fields.get("message")).lower()
        if answer.status == 409:
            return Accepted(message.id)
        if answer.status == 202 or (200 <= answer.status < 300 and given == message.id):
            return Accepted(given if isinstance(given, str) and _ID.fullmatch(given) else message.id)
        for statuses, words, meaning in ANSWERS:
            if answer.status in statuses and words in told:
                return replace(meaning, said=f"{said} {words}".strip())
        return Unknown(Reason.UNCLEAR, said)

    def look_up(self, doubtful: Sequence[Doubtful], seconds: float) -> list[Receipt]:
        """Asks for each by our id."""
        end = time.monotonic() + seconds
        found = (self._state(message, end) for message in doubtful)
        return [receipt for receipt in found if receipt is not None]

    def _state(self, message: Doubtful, end: float) -> Receipt | None:
        try:
            url = f"{self._url}/{message.id}"
            answer = self._wire.request("GET", url, end - time.monotonic(), auth=self._login)
        except (NotSent, Lost) as problem:  # it is asked for again
            log.warning("android.not_looked_up", message=message.id, why=str(problem))
            return None
        body = answer.json()
        if answer.status != 200 or not isinstance(body, dict) or body.get("id") != message.id:
            return None
        state, recipients = body.get("state"), body.get("recipients")
        delivery = STATES.get(state) if isinstance(state, str) else None
        if delivery is None:
            return None
        first = recipients[0] if isinstance(recipients, list) and recipients else None
        said, reason = _failure(delivery, str(state), first.get("error") if isinstance(first, dict) else None)
        return Receipt(self.name, message.provider_id or message.id, delivery, said, reason, message.id)


def _failure(delivery: Delivery, status: str, why: object) -> tuple[str, Reason | None]:
    """What is said of a message, and why it failed. The phone's own words are not repeated: they quote numbers."""
    if delivery is not Delivery.FAILED:
        return status, None
    found = next(((word, reason) for word, reason in REASONS.items() if word in str(why)), ("", Reason.UNCLEAR))
    return f"{status}, {found[0]}" if found[0] else status, found[1]
