"""Somleng, played: Twilio with other ids, errors and statuses. Source: WIRE.md, Somleng; its published source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from uuid import uuid4

from gateway.stub import twilio
from gateway.stub.hooks import Callback, form
from gateway.stub.provider import SERVICE, UNDELIVERED, Sms, Taken
from gateway.stub.wire import Answer, as_json

ERRORS: dict[str, tuple[int, str]] = {
    "20003": (401, "Authenticate"),
    "20404": (404, "The requested resource {path} was not found"),
    "20422": (422, "{wrong}"),
    "20429": (429, "Too Many Requests"),
    "21211": (422, "To is invalid"),
    "21606": (
        422,
        "The 'From' phone number provided is not a valid message-capable phone number for this destination.",
    ),
    "21701": (422, "The Messaging Service does not exist"),
    "21703": (422, "The Messaging Service does not have a phone number available to send a message"),
    "21704": (422, "The Messaging Service contains no phone numbers"),
    "30002": (422, "Account suspended"),
    "30006": (422, "Landline or unreachable carrier"),
    "S1005": (422, "Insufficient balance"),
}
"""Refusals: the HTTP status and the text of each code. Of limits on requests its source says nothing: 429 as Twilio's.

What is wrong with a field is always 20422, and only the text says which."""
FATES = {UNDELIVERED: "30008", "1001": "S1001", "1002": "S1002", "1005": "S1005", "30008": "30008"}


class Somleng(twilio.Twilio):
    """UUIDs; 422 for what is refused; a callback that never says why a message failed."""

    name = "somleng"
    settings = "SOMLENG_BASE_URL={url}"
    failing = "S1005"
    fates = FATES
    refusals = ERRORS
    statuses = ("sent", "delivered", "failed")
    _account = "00000000-0000-4000-8000-000000000855"

    def wrong(self, fields: Mapping[str, str]) -> Answer | None:
        """All that is wrong with the fields of a message, in one sentence."""
        found = [f"{name} is missing" for name in ("To", "Body") if not fields.get(name)]
        if fields.get("To") and not re.fullmatch(r"\+?[0-9]+", fields["To"]):
            found.append("To is invalid")
        if len(fields.get("Body", "")) > twilio.LONGEST:
            found.append(f"Body size cannot be greater than {twilio.LONGEST}")
        if not (fields.get("From") or fields.get("MessagingServiceSid")):
            found.append("From is required")
        if fields.get("StatusCallback") and not re.match(r"https?://[^/\s]", fields["StatusCallback"]):
            found.append("StatusCallback is invalid")
        if fields.get("ValidityPeriod") and not _is_validity(fields["ValidityPeriod"]):
            found.append("ValidityPeriod must be less than or equal to 14400")
        return self.error("20422", wrong=" and ".join(found)) if found else None

    def error(self, code: str, **words: str) -> Answer:
        """An error as they write it."""
        status, text = self.refusals[code]
        shown = "20422" if code == "21211" else code
        value = {
            "message": text.format(**{**twilio.NOTHING, **words}),
            "status": status,
            "code": int(shown) if shown.isdigit() else shown,
            "more_info": f"https://www.twilio.com/docs/errors/{shown}",
        }
        return as_json(status, {**value, "detail": ""} if status == 401 else value)

    def new_id(self, sms: Sms) -> str:
        """A UUID."""
        return str(uuid4())

    def told(self, taken: Taken) -> list[str]:
        """It tells that it queued a message, too."""
        return ["queued", *super().told(taken)]

    def receipt(self, taken: Taken, status: str) -> dict[str, str]:
        """The message itself, and its status."""
        fields = {
            "MessageSid": taken.id,
            "AccountSid": self._account,
            "From": taken.sms.sender,
            "To": taken.sms.number,
            "Body": taken.sms.text,
            "NumMedia": "0",
            "ReferralNumMedia": "0",
            "ApiVersion": "2010-04-01",
            "MessageStatus": status,
        }
        service = taken.sms.more["service"]
        return {**fields, "MessagingServiceSid": service} if service else fields

    def sms(self, sender: str, text: str) -> Callback:
        """It leaves stop words to us."""
        fields = {
            "MessageSid": str(uuid4()),
            "AccountSid": self._account,
            "From": sender,
            "To": SERVICE,
            "Body": text,
            "NumMedia": "0",
            "ReferralNumMedia": "0",
            "ApiVersion": "2010-04-01",
        }
        return form("/hooks/somleng/sms", fields)

    def listed(self, fields: Mapping[str, str]) -> Iterator[Taken]:
        """All of them: its list cannot be cut down."""
        return iter(reversed(self.messages.values()))


def _is_validity(text: str) -> bool:
    return text.isdigit() and 1 <= int(text) <= 14_400
