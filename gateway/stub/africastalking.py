"""Africa's Talking, played. Source: WIRE.md, Africa's Talking; what it answers to a wrong form is Akka HTTP's."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from gateway.stub.hooks import Callback, form
from gateway.stub.provider import SERVICE, UNDELIVERED, Played, Sms, Taken, code_of
from gateway.stub.wire import FORM, Answer, Request, as_json, as_text

PATH = "/version1/messaging"
NETWORK = "45606"
REFUSALS: dict[str, str] = {
    "401": "RiskHold",
    "402": "InvalidSenderId",
    "403": "InvalidPhoneNumber",
    "404": "UnsupportedNumberType",
    "405": "InsufficientBalance",
    "406": "UserInBlacklist",
    "407": "CouldNotRoute",
    "409": "DoNotDisturbRejection",
    "500": "InternalServerError",
    "501": "GatewayError",
    "502": "RejectedByGateway",
}
"""A recipient's status codes that are refusals, and their words."""
FATES = {UNDELIVERED: "DeliveryFailure"}
PRICE = 0.8

_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")


class AfricasTalking(Played):
    """Several recipients in a request, each settled on its own; a token in the webhooks' paths; USSD."""

    settings = "AFRICASTALKING_BASE_URL={url}"
    failing = "502"
    fates = FATES
    repeats = 5

    def read(self, request: Request) -> Sequence[Sms] | Answer:
        """The recipients of a request; an empty key is as good as none."""
        if request.path != PATH:
            return as_text(404, "The requested resource could not be found.")
        if request.method != "POST":
            return as_text(405, "HTTP method not allowed, supported methods: POST")
        key = request.headers.get("apikey", "")
        if not key:
            return as_text(400, "Request is missing required HTTP header 'apiKey'")
        if not request.headers.get("content-type", "").startswith(FORM):
            return as_text(415, f"The request's Content-Type is not supported. Expected:\n{FORM}")
        fields = request.form
        for name in ("username", "to", "message"):
            if name not in fields:
                return as_text(400, f"Request is missing required form field '{name}'")
        if self.setup.secret and key != self.setup.secret:
            return as_text(401, "The supplied authentication is invalid")
        numbers = [number.strip() for number in fields["to"].split(",")]
        return [Sms(number, fields["message"], fields.get("from", "")) for number in numbers]

    def refusal(self, sms: Sms) -> str:
        """For no number, or by its code."""
        if not _NUMBER.fullmatch(sms.number):
            return "403"
        return code if (code := code_of(sms.number)) in REFUSALS else ""

    def new_id(self, sms: Sms) -> str:
        """As theirs look."""
        return f"ATXid_{uuid4().hex}"

    def said(self, request: Request, wanted: Sequence[Sms], results: Sequence[Taken | str]) -> Answer:
        """201, whatever became of the recipients."""
        recipients = [
            {
                "statusCode": 101,
                "number": sms.number,
                "status": "Success",
                "cost": f"KES {PRICE:.4f}",
                "messageId": r.id,
            }
            if isinstance(r, Taken)
            else {"statusCode": int(r), "number": sms.number, "status": REFUSALS[r], "cost": "0", "messageId": "None"}
            for sms, r in zip(wanted, results, strict=True)
        ]
        sent = sum(isinstance(result, Taken) for result in results)
        message = f"Sent to {sent}/{len(wanted)} Total Cost: KES {PRICE * sent:.4f}"
        return as_json(201, {"SMSMessageData": {"Message": message, "Recipients": recipients}})

    def throttled(self, request: Request) -> Answer:
        """For the whole request."""
        return as_text(429, "Too Many Requests")

    def receipts(self, taken: Taken) -> list[Callback]:
        """On the way, then where it ended."""
        fields = {"id": taken.id, "phoneNumber": taken.sms.number, "networkCode": NETWORK, "retryCount": "0"}
        last = {"status": "Failed", "failureReason": self.fates[taken.code]} if taken.code else {"status": "Success"}
        return [self._form("receipt", {**fields, **more}) for more in ({"status": "Submitted"}, last)]

    def sms(self, sender: str, text: str) -> Callback:
        """With an id and a time."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {"id": uuid4().hex, "from": sender, "to": SERVICE, "text": text, "date": now, "networkCode": NETWORK}
        return self._form("sms", fields)

    def ussd(self, sender: str, session: str, text: str) -> Callback:
        """With all inputs so far, joined by `*`."""
        fields = {
            "sessionId": session if session.startswith("ATUid_") else f"ATUid_{session}",
            "phoneNumber": sender,
            "networkCode": NETWORK,
            "serviceCode": "*384*8550#",
            "text": text,
        }
        return self._form("ussd", fields)

    def ussd_end(self, session: str, answer: Answer) -> Callback | None:
        """The notice of a session that is over: by `END`, or by an answer that is none."""
        said = answer.body.decode("utf-8", "replace")
        if answer.status == 200 and said.startswith("CON"):
            return None
        well = answer.status == 200 and said.startswith("END")
        fields = {
            "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
            "sessionId": session if session.startswith("ATUid_") else f"ATUid_{session}",
            "serviceCode": "*384*8550#",
            "networkCode": NETWORK,
            "status": "Success" if well else "Failed",
            "cost": "0",
            "durationInMillis": "0",
            "hopsCount": "1",
            "input": "",
            "lastAppResponse": said[:160],
        }
        return self._form("ussd-end", fields)

    def _form(self, event: str, fields: dict[str, str]) -> Callback:
        return form(f"/hooks/africastalking/{self.setup.token}/{event}", fields)
