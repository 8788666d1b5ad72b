"""Africa's Talking's table over HTTP: how it calls us, and how we ask it to send.

What its statuses mean is in `tests/test_africastalking_hooks.py`, how its connections behave in
`tests/test_africastalking_send.py`; here every case goes the whole way, and is looked for in the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.config import Settings, load
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.africastalking_send import AfricasTalkingSender
from gateway.providers.base import (
    Accepted,
    Delivery,
    InboundSms,
    OptOut,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Unknown,
    UssdEnd,
    UssdStep,
)
from tests.wire.harness import In, Out, send_out, take_in
from tests.wire.server import Reply

OURS = "africastalking"
TOKEN, OLD, KEY = "n" * 40, "o" * 40, "atsk_0123456789abcdef"
ONE, TWO = "+85510000001", "+85512000002"
KHMER = "វាយតម្លៃ ២ ៥"
SORRY = "END Something went wrong. Please dial again."

USSD = {
    "sessionId": "ATUid_1", "phoneNumber": ONE, "networkCode": "45601", "serviceCode": "*855#", "text": "",
}  # fmt: skip
END = {
    "date": "2026-11-22 08:00:00", "sessionId": "ATUid_1", "serviceCode": "*855#", "networkCode": "45601",
    "phoneNumber": ONE, "status": "Success", "cost": "0", "durationInMillis": "3000", "hopsCount": "2", "input": "1",
    "lastAppResponse": "END x",
}  # fmt: skip
SMS = {"id": "s-1", "from": ONE, "to": "8550", "text": "1 2 5 1", "date": "2017-05-03T06:04:45Z", "linkId": "l"}
REPORT = {"id": "ATXid_1", "status": "Success", "phoneNumber": ONE, "networkCode": "45601"}
OPTOUT = {"senderId": "MATI", "phoneNumber": ONE}


def post(label: str, event: str, fields: Mapping[str, str | None], *events: Any, **more: Any) -> In:
    """A form posted to one of our addresses; fields that are None are left out."""
    body = urlencode({name: value for name, value in fields.items() if value is not None})
    return In(label, f"/hooks/africastalking/{{token}}/{event}", body, events=tuple(events), **more)


def step(*path: str, number: str = ONE) -> UssdStep:
    return UssdStep(OURS, "ATUid_1", number, path=path)


def report(status: Delivery | None, said: str, reason: Reason | None = None) -> Receipt:
    return Receipt(OURS, "ATXid_1", status, said, reason)


CASES_IN = [
    post("dialled", "ussd", USSD, step(), answer="CON សេវា៖\n1 A\n2 B"),
    post("a path", "ussd", USSD | {"text": "1*3*2"}, step("1", "3", "2")),
    post("Khmer digits", "ussd", USSD | {"text": "១*២"}, step("១", "២")),
    post("empty inputs", "ussd", USSD | {"text": "1**2"}, step("1", "", "2")),
    post("a plus that was not encoded", "ussd", USSD | {"phoneNumber": " 85510000001"}, step()),
    post("no plus", "ussd", USSD | {"phoneNumber": "85510000001"}, step()),
    post("two noughts", "ussd", USSD | {"phoneNumber": "0085510000001"}, step()),
    post("a new field", "ussd", USSD | {"weather": "rain"}, step()),
    post("no session", "ussd", USSD | {"sessionId": None}, answer=SORRY),
    post("no number", "ussd", USSD | {"phoneNumber": None}, answer=SORRY),
    post("a number that is none", "ussd", USSD | {"phoneNumber": "+855abc"}, answer=SORRY),
    post("a path of 3,000 characters", "ussd", USSD | {"text": "1" * 3000}, answer=SORRY),
    In("a field twice", "/hooks/africastalking/{token}/ussd", urlencode(USSD) + "&text=5", answer=SORRY),
    In("no UTF-8", "/hooks/africastalking/{token}/ussd", urlencode(USSD) + "&x=%ff", answer=SORRY),
    In("JSON", "/hooks/africastalking/{token}/ussd", json.dumps(USSD), content_type="application/json", answer=SORRY),
    In("a wrong token", f"/hooks/africastalking/{'x' * 40}/ussd", urlencode(USSD), 403),
    In("the old token", f"/hooks/africastalking/{OLD}/ussd", urlencode(USSD), events=(step(),)),
    In("a GET", "/hooks/africastalking/{token}/ussd", method="GET", status=405),
    post("a session's end", "ussd-end", END, UssdEnd(OURS, "ATUid_1", True, "Success")),
    post("a cut session", "ussd-end", END | {"status": "Incomplete"}, UssdEnd(OURS, "ATUid_1", False, "Incomplete")),
    post("an SMS", "sms", SMS, InboundSms(OURS, "s-1", ONE, "1 2 5 1"), answer=""),
    post("an SMS in Khmer", "sms", SMS | {"text": KHMER}, InboundSms(OURS, "s-1", ONE, KHMER)),
    post("an empty SMS", "sms", SMS | {"text": ""}, InboundSms(OURS, "s-1", ONE, "")),
    post("an advert", "sms", SMS | {"from": "Smart Deal"}, InboundSms(OURS, "s-1", None, "1 2 5 1")),
    post("an SMS without id", "sms", SMS | {"id": None}, status=400, answer="id is missing"),
    post("delivered", "receipt", REPORT, report(Delivery.DELIVERED, "Success")),
    post("on its way", "receipt", REPORT | {"status": "Buffered"}, report(Delivery.ON_THE_WAY, "Buffered")),
    post(
        "failed with a reason",
        "receipt",
        REPORT | {"status": "Failed", "failureReason": "UserInBlackList"},
        report(Delivery.FAILED, "Failed, UserInBlackList", Reason.OPTED_OUT),
    ),
    post("a status nobody listed", "receipt", REPORT | {"status": "Teleported"}, report(None, "Teleported")),
    post("a report without status", "receipt", REPORT | {"status": None}, status=400, answer="status is missing"),
    post("an opt-out", "optout", OPTOUT, OptOut(OURS, ONE)),
    post("an opt-out of nobody", "optout", OPTOUT | {"phoneNumber": ""}, status=400),
]


def told(*recipients: dict[str, Any], message: str = "Sent", kind: str = "application/json") -> Reply:
    """A usual answer."""
    body = {"SMSMessageData": {"Message": message, "Recipients": list(recipients)}}
    return Reply(201, json.dumps(body), {"Content-Type": kind})


def recipient(code: int, number: str = ONE, message_id: str = "ATXid_1") -> dict[str, Any]:
    return {"statusCode": code, "number": number, "status": "Word", "cost": "KES 0.8", "messageId": message_id}


FORM = {"username": "sandbox", "to": ONE, "message": "Hello", "bulkSMSMode": "1", "from": "MATI"}
BOTH = (Outgoing("m1", ONE, KHMER), Outgoing("m2", TWO, KHMER))
SETUP = Refused(Reason.SETUP, True, "HTTP 401")

CASES_OUT = [
    Out("sent", told(recipient(101)), (Accepted("ATXid_1"),), requests=({"form": FORM, "headers": {"apikey": KEY}},)),
    Out("queued", told(recipient(102)), (Accepted("ATXid_1"),)),
    Out("JSON with a charset", told(recipient(100), kind="application/json; charset=utf-8"), (Accepted("ATXid_1"),)),
    Out(
        "one text in Khmer to two people is one request",
        told(recipient(101), recipient(101, TWO, "ATXid_2")),
        (Accepted("ATXid_1"), Accepted("ATXid_2")),
        BOTH,
        requests=({"method": "POST", "path": "/version1/messaging", "form": {"to": f"{ONE},{TWO}", "message": KHMER}},),
    ),
    Out("one of two refused", told(recipient(101), recipient(403, TWO)), (Accepted, Refused), BOTH),
    Out("one of two not named", told(recipient(101)), (Accepted, Unknown), BOTH),
    Out("opted out", told(recipient(406)), (Refused(Reason.OPTED_OUT, False, "406 Word"),)),
    Out("no balance", told(recipient(405)), (Refused(Reason.NO_BALANCE, True, "405 Word"),)),
    Out("a code nobody listed", told(recipient(999)), (Unknown,)),
    Out("a wrong sender", told(message="InvalidSenderId"), (Refused(Reason.SETUP, False, "InvalidSenderId"),)),
    Out("a wrong key", Reply(401, "The supplied authentication is invalid"), (SETUP,)),
    Out("too fast", Reply(429, "", {"Retry-After": "5"}), (Refused(Reason.THROTTLED, True, "HTTP 429", after=5),)),
    Out("broken inside", Reply(500, "oops"), (Unknown,)),
    Out("a web page", Reply(200, "<html>hello</html>", {"Content-Type": "text/html"}), (Unknown,)),
    Out("nothing", Reply(200, ""), (Unknown,)),
    Out("cut off", Reply(201, told(recipient(101)).body, cut=20), (Unknown(Reason.CUT_OFF, "connection cut"),)),
    Out("hung up", Reply(hang_up=True), (Unknown(Reason.CUT_OFF, "connection cut"),)),
    Out("a drip", Reply(201, "x" * 100, drip=0.2), (Unknown(Reason.NO_ANSWER, "no answer in time"),), seconds=1.0),
    Out("moved", Reply(301, "", {"Location": "/elsewhere"}), (Refused(Reason.SETUP, True, "HTTP 301"),)),
]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Africa's Talking alone."""
    monkeypatch.chdir(tmp_path)
    return load(
        africastalking_webhook_tokens=(TOKEN, OLD),
        africastalking_username="sandbox",
        africastalking_api_key=KEY,
        africastalking_sender="MATI",
    )


@pytest.mark.parametrize("case", CASES_IN, ids=lambda case: case.label)
def test_how_it_calls_us(case: In, settings: Settings) -> None:
    english = settings.model_copy(update={"default_language": "en"})
    take_in(case, AfricasTalking(english), english, [TOKEN, OLD, KEY], TOKEN)


@pytest.mark.parametrize("case", CASES_OUT, ids=lambda case: case.label)
def test_how_we_ask_it_to_send(case: Out, settings: Settings) -> None:
    def make(url: str) -> AfricasTalkingSender:
        return AfricasTalkingSender(settings.model_copy(update={"africastalking_base_url": url}))

    send_out(case, make, [KEY])


def test_without_a_token_nobody_is_let_in(settings: Settings) -> None:
    closed = settings.model_copy(update={"africastalking_webhook_tokens": ()})
    case = post("closed", "ussd", USSD, status=403)
    take_in(case, AfricasTalking(closed), closed, [TOKEN], TOKEN)
