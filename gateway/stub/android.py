"""An Android phone with sms-gate.app, played: its own server, and the same API in the app's cloud.

Source: WIRE.md, Android phone as a gateway; the published source of the app and of its cloud.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

from gateway.stub.hooks import Callback
from gateway.stub.provider import SERVICE, UNDELIVERED, Played, Sms, Taken, code_of, parts
from gateway.stub.wire import JSON, Answer, Request, as_json

CLOUD = "/3rdparty/v1"
DEVICE = "ffffffffceb0b1db0000018e937c815b"
HOME = timezone(timedelta(hours=7))
ANSWERS: dict[str, tuple[int, str]] = {
    "400": (400, "can't use phone in row 1: invalid phone number"),
    "409": (409, "duplicate id"),
    "429": (429, "Too Many Requests"),
    "503": (503, "queue limits exceeded: too many pending messages"),
}
"""Refusals: the HTTP status and the text of each code."""
ERRORS = {"503": "QueueLimitExceeded"}
"""A word of the cloud's own beside the text."""
FATES = {UNDELIVERED: "RESULT_ERROR_GENERIC_FAILURE"}

_PATH = re.compile(r"(/3rdparty/v1)?/messages?(?:/([^/]+))?")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_LETTERS = string.ascii_letters + string.digits + "_-"


class Android(Played):
    """JSON; an id of the gateway's own, which is taken once; signed events with a time."""

    settings = "ANDROID_BASE_URL={url}"
    failing = "503"
    fates = FATES
    repeats = 5

    def read(self, request: Request) -> Sequence[Sms] | Answer:
        """A message to send, or a look at one; each of its numbers is a message here."""
        found = _PATH.fullmatch(request.path)
        if not found:
            return Answer(404, type="")
        if not self._knows(request.headers.get("authorization", "")):
            if found[1]:
                return as_json(401, {"message": "Unauthorized"})
            return Answer(401, b"", "", {"WWW-Authenticate": 'Basic realm="Access to SMS Gateway", charset=UTF-8'})
        if request.method == "GET" and found[2]:
            taken = self.messages.get(found[2])
            return as_json(200, self._state(taken)) if taken else Answer(404, type="")
        if request.method != "POST" or found[2]:
            return Answer(405, type="")
        if not request.headers.get("content-type", "").startswith(JSON):
            return Answer(415, type="")
        return self._asked(request.json)

    def refusal(self, sms: Sms) -> str:
        """For no number, or by its code."""
        if not _NUMBER.fullmatch(sms.number):
            return "400"
        return code if (code := code_of(sms.number)) in ANSWERS else ""

    def new_id(self, sms: Sms) -> str:
        """The gateway's, where it gave one."""
        return sms.ours or _nano_id()

    def said(self, request: Request, wanted: Sequence[Sms], results: Sequence[Taken | str]) -> Answer:
        """Of one message: it is refused when its first number is."""
        result = results[0]
        if not isinstance(result, Taken):
            status, message = ANSWERS[result]
            return as_json(status, {"message": message} | ({"error": ERRORS[result]} if result in ERRORS else {}))
        where = {"Location": f"{CLOUD}/messages/{result.id}"} if request.path.startswith(CLOUD) else {}
        return as_json(202, self._state(result, 0), **where)

    def throttled(self, request: Request) -> Answer:
        """As its cloud says it; a phone queues."""
        return as_json(429, {"message": ANSWERS["429"][1]})

    def receipts(self, taken: Taken) -> list[Callback]:
        """Sent, and delivered where that was asked for; or failed."""
        now = _now()
        if taken.code:
            return [self._event("sms:failed", taken, {"failedAt": now, "reason": self.fates[taken.code]})]
        sent = self._event("sms:sent", taken, {"partsCount": parts(taken.sms.text), "sentAt": now})
        delivered = self._event("sms:delivered", taken, {"deliveredAt": now})
        return [sent, delivered] if taken.sms.more["report"] else [sent]

    def sms(self, sender: str, text: str) -> Callback:
        """An event with an id of its own."""
        more = {"message": text, "sender": sender, "recipient": SERVICE, "receivedAt": _now()}
        return _envelope("sms:received", secrets.token_hex(4), sender, more)

    def sign(self, callback: Callback, url: str) -> Mapping[str, str]:
        """HMAC-SHA256 over body and time, made when it is sent."""
        now = str(int(time.time()))
        mac = hmac.digest(self.setup.secret.encode(), callback.body + now.encode(), "sha256")
        return {"X-Timestamp": now, "X-Signature": mac.hex()}

    def _knows(self, authorization: str) -> bool:
        kind, _, code = authorization.partition(" ")
        try:
            _, colon, password = base64.b64decode(code).decode().partition(":")
        except ValueError:
            return False
        return kind == "Basic" and bool(colon) and (not self.setup.token or password == self.setup.token)

    def _asked(self, fields: Mapping[str, object]) -> Sequence[Sms] | Answer:
        message, numbers = fields.get("textMessage"), fields.get("phoneNumbers")
        text = message.get("text") if isinstance(message, dict) else fields.get("message")
        if text is None:
            said = "Must specify exactly one of: textMessage, dataMessage, mmsMessage, or message"
            return as_json(400, {"message": said})
        if not isinstance(text, str) or not text:
            return as_json(400, {"message": "Text message is empty"})
        if not isinstance(numbers, list) or not numbers:
            return as_json(400, {"message": "phoneNumbers is empty"})
        id_, report = fields.get("id"), fields.get("withDeliveryReport", True)
        if id_ in self.messages:
            return as_json(409, {"message": ANSWERS["409"][1]})
        more = {"report": "yes" if report else ""}
        return [Sms(str(number), text, "", id_ if isinstance(id_, str) else "", more) for number in numbers]

    def _state(self, taken: Taken, done: int | None = None) -> dict[str, object]:
        told = ["Failed"] if taken.code else ["Sent", "Delivered"] if taken.sms.more["report"] else ["Sent"]
        seen = self.steps_done(taken) if done is None else done
        state = told[min(seen, len(told)) - 1] if seen else "Pending"
        error = self.fates[taken.code] if state == "Failed" else None
        at = datetime.fromtimestamp(taken.at, UTC).isoformat(timespec="milliseconds")
        return {
            "id": taken.id,
            "deviceId": DEVICE,
            "state": state,
            "isHashed": False,
            "isEncrypted": False,
            "recipients": [{"phoneNumber": taken.sms.number, "state": state, "error": error}],
            "states": {state: at},
        }

    def _event(self, event: str, taken: Taken, more: Mapping[str, object]) -> Callback:
        return _envelope(event, taken.id, taken.sms.number, {**more, "sender": SERVICE, "recipient": taken.sms.number})


def _envelope(event: str, message: str, number: str, more: Mapping[str, object]) -> Callback:
    payload = {"messageId": message, "phoneNumber": number, "simNumber": 1, **more}
    value = {"deviceId": DEVICE, "event": event, "id": _nano_id(), "payload": payload, "webhookId": "mati-stub"}
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Callback("/hooks/android", body, "application/json; charset=UTF-8")


def _nano_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(21))


def _now() -> str:
    return datetime.now(HOME).isoformat(timespec="milliseconds")
