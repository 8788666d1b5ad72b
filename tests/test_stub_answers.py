"""What the stub answers to each provider's good and bad requests."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from gateway.stub.provider import code_of, parts
from tests.playing import SECRET, UUID, playing

ONE = "+85510000001"
AC = f"AC{'5' * 32}"


@dataclass(frozen=True)
class Case:
    """A request to a played provider, and its answer."""

    provider: str
    label: str
    fields: dict[str, Any]
    status: int
    answer: str | dict[str, Any] = ""
    """The whole text, or a part of the JSON."""
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    json: bool = False


def basic(name: str, password: str = SECRET) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def well_made(provider: str, **usual: Any) -> Callable[..., Case]:
    """Requests to one provider that differ from a good one in what is given."""
    return lambda *given, **other: Case(provider, *given, **(usual | other))


at = well_made("africastalking", path="/version1/messaging", headers={"apiKey": SECRET})
twilio = well_made("twilio", path=f"/2010-04-01/Accounts/{AC}/Messages.json", headers=basic(AC))
somleng = well_made("somleng", path=f"/2010-04-01/Accounts/{UUID}/Messages.json", headers=basic(UUID))
kannel = well_made("kannel", path="/cgi-bin/sendsms", method="GET")
android = well_made("android", path="/message", headers=basic("sms"), json=True)
http = well_made("http", path="/send")
AT_SMS = {"username": "mati", "to": ONE, "message": "hi"}
TW_SMS = {"To": ONE, "From": "+85512345678", "Body": "hi"}
KA_SMS = {"username": "mati", "password": SECRET, "from": "8550", "to": ONE, "text": "hi"}
AN_SMS = {"textMessage": {"text": "hi"}, "phoneNumbers": [ONE]}
NO_NUMBER = {
    "code": 21211,
    "message": "The 'To' number 85510 is not a valid phone number.",
    "more_info": "https://www.twilio.com/docs/errors/21211",
    "status": 400,
}
QUEUED = {"status": "queued", "to": ONE, "num_segments": "1", "direction": "outbound-api", "error_code": None}
PENDING = {"state": "Pending", "recipients": [{"phoneNumber": ONE, "state": "Pending", "error": None}]}
NOTHING = "To is missing and Body is missing and From is required"
DENIED = "Number(s) has/have been denied by white- and/or black-lists."
NO_TEXT = "Must specify exactly one of: textMessage, dataMessage, mmsMessage, or message"


def without(fields: dict[str, Any], *names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (fields | changes).items() if name not in names}


CASES = [
    at("no key", AT_SMS, 400, "Request is missing required HTTP header 'apiKey'", headers={}),
    at("wrong key", AT_SMS, 401, "The supplied authentication is invalid", headers={"apiKey": "x"}),
    at("no number", without(AT_SMS, "to"), 400, "Request is missing required form field 'to'"),
    at("another address", AT_SMS, 404, "The requested resource could not be found.", path="/version2"),
    at("GET", {}, 405, "HTTP method not allowed, supported methods: POST", method="GET"),
    at("JSON", AT_SMS, 415, json=True),
    twilio("taken", TW_SMS, 201, QUEUED),
    twilio(
        "by a service", without(TW_SMS, "From", MessagingServiceSid="MG"), 201, {"status": "accepted", "from": None}
    ),
    twilio("another's account", TW_SMS, 401, {"code": 20003, "message": "Authenticate"}, headers=basic("AC1")),
    twilio("wrong token", TW_SMS, 401, {"code": 20003}, headers=basic(AC, "x")),
    twilio("no login", TW_SMS, 401, {"code": 20003}, headers={}),
    twilio("another address", {}, 404, {"code": 20404}, path="/2010-04-01/Calls.json"),
    twilio("no To", without(TW_SMS, "To"), 400, {"code": 21604}),
    twilio("no From", without(TW_SMS, "From"), 400, {"code": 21603}),
    twilio("no Body", without(TW_SMS, "Body"), 400, {"code": 21602}),
    twilio("too long", TW_SMS | {"Body": "x" * 1601}, 400, {"code": 21617}),
    twilio("no number", TW_SMS | {"To": "85510"}, 400, NO_NUMBER),
    twilio("no callback", TW_SMS | {"StatusCallback": "here"}, 400, {"code": 21609}),
    twilio("by its number", TW_SMS | {"To": "+85510921610"}, 400, {"code": 21610}),
    somleng("taken", TW_SMS, 201, QUEUED),
    somleng("nothing", {}, 422, {"code": 20422, "message": NOTHING, "status": 422}),
    somleng("no number", TW_SMS | {"To": "me"}, 422, {"code": 20422, "message": "To is invalid"}),
    somleng("by its number", TW_SMS | {"To": "+85510930006"}, 422, {"code": 30006}),
    somleng("wrong token", TW_SMS, 401, {"code": 20003, "detail": ""}, headers=basic(UUID, "x")),
    kannel("taken", KA_SMS, 202, "0: Accepted for delivery"),
    kannel("queued", KA_SMS | {"to": "+85510999993"}, 202, "3: Queued for later delivery"),
    kannel("wrong password", KA_SMS | {"password": "x"}, 403, "Authorization failed for sendsms"),
    kannel("no receiver", without(KA_SMS, "to"), 400, "Missing receiver number, rejected"),
    kannel("empty receiver", KA_SMS | {"to": ""}, 400, "Empty receiver number not allowed, rejected"),
    kannel("letters", KA_SMS | {"to": "abc"}, 400, DENIED),
    kannel("no sender", without(KA_SMS, "from"), 400, "Sender missing and no global set, rejected"),
    kannel("coding 9", KA_SMS | {"coding": "9"}, 400, "Coding field misformed, rejected"),
    kannel("a form", KA_SMS, 400, "Invalid content-type", method="POST"),
    kannel("another address", {}, 404, "Unknown request.", path="/"),
    android("taken", AN_SMS, 202, PENDING),
    android("taken by the cloud", AN_SMS, 202, PENDING, path="/3rdparty/v1/messages"),
    android("no login", AN_SMS, 401, headers={}),
    android("wrong password", AN_SMS, 401, headers=basic("sms", "x")),
    android("no login in the cloud", AN_SMS, 401, {"message": "Unauthorized"}, path="/3rdparty/v1/message", headers={}),
    android("no text", without(AN_SMS, "textMessage"), 400, {"message": NO_TEXT}),
    android("empty text", AN_SMS | {"textMessage": {"text": ""}}, 400, {"message": "Text message is empty"}),
    android("no numbers", AN_SMS | {"phoneNumbers": []}, 400, {"message": "phoneNumbers is empty"}),
    android("no number", AN_SMS | {"phoneNumbers": ["me"]}, 400),
    android("a form", {"a": "b"}, 415, json=False),
    http("no number", {"text": "hi"}, 400, {"error": "to is missing"}),
    http("a wrong number", {"to": "me", "text": "hi"}, 400, {"error": "invalid number"}),
    http("in the address", {"to": ONE, "text": "hi"}, 200, method="GET", path="/any"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.provider} {case.label}")
def test_a_request_is_answered_as_its_provider_would(case: Case) -> None:
    with playing(case.provider) as stub:
        sent: dict[str, Any] = {"json": case.fields} if case.json else {"data": case.fields}
        if case.method == "GET":
            sent = {"params": case.fields}
        answer = requests.request(case.method, stub.url + case.path, headers=case.headers, timeout=5, **sent)
        counted = stub.summary()
    assert answer.status_code == case.status, answer.text
    if isinstance(case.answer, dict):
        assert {name: answer.json()[name] for name in case.answer} == case.answer
    elif case.answer:
        assert answer.text == case.answer
    assert counted == ({"accepted": 1} if case.status < 300 else {"refused": 1})


def test_each_recipient_is_settled_on_its_own() -> None:
    numbers = [ONE, "12", "+85510999406", "85512000002"]
    with playing("africastalking") as stub:
        data = AT_SMS | {"to": ",".join(numbers)}
        answer = requests.post(f"{stub.url}/version1/messaging", data, headers={"apiKey": SECRET}, timeout=5)
        assert stub.summary() == {"accepted": 2, "refused": 2}
    said = answer.json()["SMSMessageData"]
    assert said["Message"] == "Sent to 2/4 Total Cost: KES 1.6000"
    told = [(one["number"], one["statusCode"], one["status"], one["messageId"][:6]) for one in said["Recipients"]]
    assert told == [
        (ONE, 101, "Success", "ATXid_"),
        ("12", 403, "InvalidPhoneNumber", "None"),
        ("+85510999406", 406, "UserInBlacklist", "None"),
        ("85512000002", 101, "Success", "ATXid_"),
    ]


@pytest.mark.parametrize(("number", "code"), [("+85510921610", "21610"), ("+85510999000", "000"), (ONE, "")])
def test_a_number_asks_for_a_code(number: str, code: str) -> None:
    assert code_of(number) == code


@pytest.mark.parametrize(("text", "count"), [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("ក" * 70, 1), ("ក" * 135, 3)])
def test_parts(text: str, count: int) -> None:
    assert parts(text) == count
