"""Twilio, played. Source: WIRE.md, Twilio; the texts of its errors are from its own documents and test credentials."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

from gateway.stub.hooks import Callback, form
from gateway.stub.ledger import Ledger
from gateway.stub.provider import SERVICE, UNDELIVERED, Played, Sms, Taken, code_of, parts
from gateway.stub.setup import Setup
from gateway.stub.twilio_records import page, record
from gateway.stub.wire import Answer, Request, as_json

LONGEST = 1600
"""Characters."""
ERRORS: dict[str, tuple[int, str]] = {
    "20003": (401, "Authenticate"),
    "20404": (404, "The requested resource {path} was not found"),
    "20429": (429, "Too Many Requests"),
    "21211": (400, "The 'To' number {to} is not a valid phone number."),
    "21408": (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}."),
    "21602": (400, "Message body is required."),
    "21603": (400, "A 'From' phone number is required."),
    "21604": (400, "A 'To' phone number is required."),
    "21606": (400, "The From phone number {sender} is not a valid, SMS-capable number for your account."),
    "21609": (400, "The 'StatusCallback' URL {url} is not a valid URL."),
    "21610": (400, "Attempt to send to unsubscribed recipient"),
    "21611": (429, "SMS queue is full."),
    "21612": (400, "The 'To' phone number: {to}, is not currently reachable via SMS."),
    "21614": (400, "'To' number is not a valid mobile number"),
    "21617": (400, "The concatenated message body exceeds the 1600 character limit"),
}
"""Refusals: the HTTP status and the text of each code."""
FATES = {UNDELIVERED: "30008", **{code: code for code in map(str, range(30001, 30009))}}
"""Failures after a message was taken: the code in the receipt."""
NOTHING = {"path": "", "to": "", "sender": "", "url": "", "wrong": ""}
"""What the texts of errors have room for."""
STOP = {"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"}
START = {"START", "YES", "UNSTOP"}

_PATH = re.compile(r"/2010-04-01/Accounts/([^/]+)/Messages(?:/([^/.]+))?(?:\.json)?")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class Twilio(Played):
    """One message a request; signed callbacks to the address that came with it; its messages can be looked up."""

    name: ClassVar[str] = "twilio"
    settings = "TWILIO_BASE_URL={url}"
    failing = "21611"
    fates = FATES
    refusals: ClassVar[Mapping[str, tuple[int, str]]] = ERRORS
    statuses: ClassVar[tuple[str, str, str]] = ("sent", "delivered", "undelivered")
    """Of the first receipt, of the last, and of the last when it does not arrive."""
    _account = "AC00000000000000000000000000000855"

    def __init__(self, setup: Setup, ledger: Ledger) -> None:
        super().__init__(setup, ledger)
        self._stopped: set[str] = set()

    def read(self, request: Request) -> Sequence[Sms] | Answer:
        """A message to send, or a look at those that were sent."""
        found = _PATH.fullmatch(request.path)
        if not found:
            return self.error("20404", path=request.path)
        account, wanted = found.groups()
        if not self._knows(request.headers.get("authorization", ""), account):
            return self.error("20003")
        self._account = account
        if request.method == "GET":
            return self._fetch(request, wanted) if wanted else self._list(request)
        if request.method != "POST" or wanted:
            return self.error("20404", path=request.path)
        fields = request.form
        return self.wrong(fields) or [self._asked(fields)]

    def wrong(self, fields: Mapping[str, str]) -> Answer | None:
        """What is wrong with the fields of a message."""
        if not fields.get("To"):
            return self.error("21604")
        if not (fields.get("From") or fields.get("MessagingServiceSid")):
            return self.error("21603")
        if not fields.get("Body"):
            return self.error("21602")
        if len(fields["Body"]) > LONGEST:
            return self.error("21617")
        callback = fields.get("StatusCallback", "")
        if callback and not re.match(r"https?://[^/\s]", callback):
            return self.error("21609", url=callback)
        return None

    def refusal(self, sms: Sms) -> str:
        """For no number, for one that said STOP, or by its code."""
        if not _NUMBER.fullmatch(sms.number):
            return "21211"
        if sms.number in self._stopped:
            return "21610"
        return code if (code := code_of(sms.number)) in self.refusals else ""

    def new_id(self, sms: Sms) -> str:
        """`SM` and 32 hexadecimal digits."""
        return f"SM{uuid4().hex}"

    def said(self, request: Request, wanted: Sequence[Sms], results: Sequence[Taken | str]) -> Answer:
        """Of one message."""
        (sms,), (result,) = wanted, results
        if isinstance(result, Taken):
            return as_json(201, self._record(result, 0))
        return self.error(result, to=sms.number, sender=sms.sender)

    def throttled(self, request: Request) -> Answer:
        """Nothing was taken."""
        return self.error("20429")

    def error(self, code: str, **words: str) -> Answer:
        """An error as they write it."""
        status, text = self.refusals[code]
        url = f"https://www.twilio.com/docs/errors/{code}"
        value = {"code": int(code), "message": text.format(**{**NOTHING, **words}), "more_info": url, "status": status}
        return as_json(status, value)

    def receipts(self, taken: Taken) -> list[Callback]:
        """To the address that came with the message, at the gateway."""
        if not taken.sms.more["callback"]:
            return []
        return [self._receipt(taken, status) for status in self.told(taken)]

    def told(self, taken: Taken) -> list[str]:
        """The statuses that the gateway is told."""
        first, well, badly = self.statuses
        return [first, badly if taken.code else well]

    def receipt(self, taken: Taken, status: str) -> dict[str, str]:
        """The fields of a receipt."""
        fields = {
            "SmsSid": taken.id,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": taken.sms.number,
            "MessageSid": taken.id,
            "AccountSid": self._account,
            "From": taken.sms.sender,
            "ApiVersion": "2010-04-01",
        }
        code = self.fates.get(taken.code, "") if status == self.statuses[2] else ""
        return {**fields, "ErrorCode": code} if code else fields

    def sms(self, sender: str, text: str) -> Callback:
        """With all its ids; after a stop word nothing is sent to that number until it says START."""
        sid, word = self.new_id(Sms(sender, text)), text.strip().upper()
        if word in STOP:
            self._stopped.add(sender)
        elif word in START:
            self._stopped.discard(sender)
        fields = {
            "ToCountry": "KH", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "",
            "SmsSid": sid, "FromState": "", "SmsStatus": "received", "FromCity": "", "Body": text, "FromCountry": "KH",
            "To": SERVICE, "ToZip": "", "NumSegments": str(parts(text)), "MessageSid": sid, "AccountSid": self._account,
            "From": sender, "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if word in STOP | START:
            fields["OptOutType"] = "STOP" if word in STOP else "START"
        return form(f"/hooks/{self.name}/sms", fields)

    def sign(self, callback: Callback, url: str) -> Mapping[str, str]:
        """HMAC-SHA1 over the address and the sorted fields."""
        fields = sorted(parse_qsl(callback.body.decode(), keep_blank_values=True))
        said = (callback.url or url) + "".join(name + value for name, value in fields)
        mac = hmac.digest(self.setup.secret.encode(), said.encode(), "sha1")
        return {"X-Twilio-Signature": base64.b64encode(mac).decode()}

    def _knows(self, authorization: str, account: str) -> bool:
        kind, _, code = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(code).decode().partition(":")
        except ValueError:
            return False
        return kind == "Basic" and name == account and (not self.setup.secret or password == self.setup.secret)

    def _asked(self, fields: Mapping[str, str]) -> Sms:
        callback, service = fields.get("StatusCallback", ""), fields.get("MessagingServiceSid", "")
        ours = parse_qs(urlsplit(callback).query).get("m", [""])[0]
        more = {"callback": callback, "service": service}
        return Sms(fields["To"], fields["Body"], fields.get("From", ""), ours, more)

    def _receipt(self, taken: Taken, status: str) -> Callback:
        url = taken.sms.more["callback"]
        parsed = urlsplit(url)
        return form(f"{parsed.path}?{parsed.query}".rstrip("?"), self.receipt(taken, status), url)

    def listed(self, fields: Mapping[str, str]) -> Iterator[Taken]:
        """The messages that a list shows, newest first."""
        for taken in reversed(self.messages.values()):
            if taken.sms.number == fields.get("To", taken.sms.number):
                yield taken

    def _fetch(self, request: Request, id_: str) -> Answer:
        taken = self.messages.get(id_)
        if taken is None:
            return self.error("20404", path=request.path)
        return as_json(200, self._record(taken, self.steps_done(taken)))

    def _list(self, request: Request) -> Answer:
        listed = self.listed(request.fields)
        return as_json(200, page(request, listed, lambda taken: self._record(taken, self.steps_done(taken))))

    def _record(self, taken: Taken, done: int) -> dict[str, object]:
        """A message as it is shown after so many receipts."""
        told = self.told(taken)
        first = "accepted" if taken.sms.more["service"] else "queued"
        status = told[min(done, len(told)) - 1] if done else first
        code = self.fates[taken.code] if taken.code and done >= len(told) else ""
        return record(self._account, taken, status, code)
