"""Twilio, as it reaches us; the way out is in `twilio_send`. Source: WIRE.md, Twilio.

A signature over the address and the form, made with the account's auth token, says who calls. It carries no time:
a request that comes again is genuine, and the desks behind this take each message and each status once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from twilio.request_validator import RequestValidator

from gateway.config import Settings
from gateway.providers.base import (
    LONGEST_SMS,
    Call,
    Delivery,
    Event,
    InboundSms,
    Malformed,
    Provider,
    Reason,
    Receipt,
    field,
    form,
    query,
    sender,
)

STATUSES: dict[str, Delivery] = {
    "accepted": Delivery.ON_THE_WAY,
    "scheduled": Delivery.ON_THE_WAY,
    "queued": Delivery.ON_THE_WAY,
    "sending": Delivery.ON_THE_WAY,
    "sent": Delivery.ON_THE_WAY,
    "partially_delivered": Delivery.ON_THE_WAY,  # the last word is still to come
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.FAILED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}
"""The status of a message that we sent; `receiving` and `received` are said of those that come in."""

ERRORS: dict[str, Reason] = {
    "20003": Reason.SETUP,  # wrong account or token
    "20404": Reason.SETUP,  # no such account, or a wrong address
    "20429": Reason.THROTTLED,
    "21211": Reason.BAD_NUMBER,
    "21212": Reason.SETUP,  # invalid From
    "21408": Reason.NOT_PERMITTED,  # the region is off in the account
    "21602": Reason.UNCLEAR,  # no body; we never send one that is empty
    "21603": Reason.SETUP,  # no From
    "21606": Reason.SETUP,  # From cannot send to this number
    "21609": Reason.SETUP,  # StatusCallback, so PUBLIC_URL, is no address they can reach
    "21610": Reason.OPTED_OUT,
    "21611": Reason.THROTTLED,  # the sender's queue is full
    "21612": Reason.NO_ROUTE,
    "21614": Reason.NOT_MOBILE,
    "21617": Reason.TOO_LONG,
    "21701": Reason.SETUP,  # no such messaging service
    "21703": Reason.SETUP,  # it has no number to send from
    "21704": Reason.SETUP,
    "21705": Reason.SETUP,
    "21712": Reason.SETUP,  # From is not one of its numbers
    "30001": Reason.THROTTLED,  # the queue overflowed
    "30002": Reason.SETUP,  # account suspended
    "30003": Reason.UNREACHABLE,
    "30004": Reason.NOT_PERMITTED,  # blocked for this number: a list of the network's, not a word to us
    "30005": Reason.BAD_NUMBER,  # unknown handset
    "30006": Reason.NOT_MOBILE,  # landline
    "30007": Reason.FILTERED,
    "30008": Reason.UNCLEAR,
    "30036": Reason.EXPIRED,
}
"""Error codes, as they come in an answer and in a callback alike."""

OPT_OUT_TYPES = {"STOP": "STOP", "START": "START"}
"""`OptOutType`, and the word that our own desk knows: a messaging service may have stop words of its own.

Such an SMS goes the way of any other, so that one that comes twice counts once. Twilio has answered a stop word
itself and refuses our answer with 21610, which is an opt-out here as well.
"""

CODE = re.compile(r"S?[0-9]{4,5}")
"""What an error code looks like: nothing else is repeated."""
_OUR_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Vocabulary:
    """What a service that speaks as Twilio does says of messages, and what it means."""

    statuses: Mapping[str, Delivery]
    errors: Mapping[str, Reason]

    def receipt(self, provider: str, sid: str, status: str, code: str, message: str | None) -> Receipt:
        """Its word on a message. Of a failure without a code the reason stays open: `look_up` asks for it."""
        delivery, reason = self.statuses.get(status), None
        if delivery is Delivery.FAILED and code:
            reason = self.errors.get(code, Reason.UNCLEAR)
        said = f"{status}, {code}" if CODE.fullmatch(code) else status
        return Receipt(provider, sid, delivery, said, reason, message)


class Twilio(Provider):
    """SMS, and what became of those that we sent."""

    name = "twilio"
    events = ("sms", "receipt")
    token_in_path = False
    words: ClassVar[Vocabulary] = Vocabulary(STATUSES, ERRORS)

    def __init__(self, settings: Settings) -> None:
        token = getattr(settings, f"{self.name}_auth_token")
        self._validator = RequestValidator(token) if token else None

    def verify(self, call: Call) -> bool:
        """By the signature.

        A body that is no form, or has a field twice, is refused: the first has another kind of signature, and of the
        second it covers no order and no count.
        """
        if self._validator is None:
            return False
        try:
            fields = form(call)
        except Malformed:
            return False
        return bool(self._validator.validate(call.url, fields, call.headers.get("x-twilio-signature", "")))

    def parse(self, event: str, call: Call) -> Event:
        """What one of the `events` says."""
        fields = form(call)
        return self._sms(fields) if event == "sms" else self._receipt(fields, query(call).get("m", ""))

    def thanks(self) -> tuple[str, str]:
        """TwiML that does nothing: the answer goes out on its own."""
        return '<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml"

    def _sms(self, fields: Mapping[str, str]) -> InboundSms:
        text = field({"Body": "", **fields}, "Body", LONGEST_SMS, empty=True)
        text = OPT_OUT_TYPES.get(fields.get("OptOutType", "").upper(), text)
        return InboundSms(self.name, field(fields, "MessageSid"), sender(fields, "From"), text)

    def _receipt(self, fields: Mapping[str, str], ours: str) -> Receipt:
        sid, status = field(fields, "MessageSid"), field(fields, "MessageStatus")
        code = fields.get("ErrorCode", "").strip()
        return self.words.receipt(self.name, sid, status, code, ours if _OUR_ID.fullmatch(ours) else None)
