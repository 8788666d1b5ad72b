"""The table of the generic provider: three gateways of different style, as docs/providers/http.md sets them up."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from gateway import checks, config
from gateway.config import Settings, SettingsError
from gateway.menus.engine import Screen
from gateway.models.answers import answers
from gateway.models.conversations import conversations, purge_round
from gateway.providers.base import (
    LONGEST_PATH,
    LONGEST_SMS,
    Accepted,
    Delivery,
    Event,
    InboundSms,
    Outcome,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Unknown,
    UssdEnd,
    UssdStep,
)
from gateway.providers.http import MOST_INPUTS, Http, flat, nested
from gateway.providers.http_send import HttpSender
from tests.conftest import Installation
from tests.wire.harness import SCREEN, In, Out, captured, send_out, served, take_in
from tests.wire.server import Got, Reply, WireServer

OURS = "http"
TOKEN, OLD = "n" * 40, "o" * 40
SECRET = "s3cr3t-0f-0urs"
ONE, TWO = "+85510000001", "+85512000002"
MESSAGE = "0123456789abcdef0123456789abcdef"
KHMER = "១ ២ ៥ អរគុណ"
LONG_KHMER = "សូមអរគុណ! យើងបានទទួលការវាយតម្លៃរបស់អ្នកហើយ ១–៥\nភូមិ «តាភូ» & 100% + ៛"
ON_THE_WAY, DELIVERED, FAILED = Delivery

PAGE = (Path(__file__).parents[2] / "docs/providers/http.md").read_text()
OPERATOR, AT_LIKE, AGGREGATOR = (
    dict(line.split("=", 1) for line in block.splitlines())
    for block in re.findall(r"```env\n(.*?)```", PAGE, re.DOTALL)
)
"""The settings of the page's three gateways."""
PLAIN = {"HTTP_SEND_URL": "http://127.0.0.1:1/send", "HTTP_SEND_EXTRA": f"password={SECRET}"}
"""Nothing but defaults."""
LAST = PLAIN | {"HTTP_USSD_INPUT": "last"}
"""One that sends the last input and does not say which request is the first."""


@pytest.fixture(autouse=True)
def _nothing_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", *map(str.upper, Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.chdir(tmp_path)


def settings(of: Mapping[str, Any], **changes: Any) -> Settings:
    given = {name.lower(): value for name, value in (dict(of) | {"HTTP_WEBHOOK_TOKENS": f"{TOKEN},{OLD}"}).items()}
    return config.load(**given | changes)


# what comes in ------------------------------------------------------------------------------------

Case = tuple[str, Mapping[str, Any], In]


def form(label: str, event: str, fields: Mapping[str, Any], *events: Event, **changes: Any) -> In:
    """A form; fields that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    return In(label, f"/hooks/http/{{token}}/{event}", urlencode(given), events=events, **changes)


def get(label: str, event: str, fields: Mapping[str, Any], *events: Event, **changes: Any) -> In:
    """Everything in the address."""
    given = urlencode({name: value for name, value in fields.items() if value is not None})
    changes = {"method": "GET", "content_type": ""} | changes
    return In(label, f"/hooks/http/{{token}}/{event}?{given}", events=events, **changes)


def posted(label: str, event: str, value: Any, *events: Event, **changes: Any) -> In:
    """JSON; bytes as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    changes = {"content_type": "application/json; charset=utf-8"} | changes
    return In(label, f"/hooks/http/{{token}}/{event}", body, events=events, **changes)


def step(session: str = "s1", number: str = ONE, **what: Any) -> UssdStep:
    return UssdStep(OURS, session, number, **what)


def sms(id_: str = "m1", number: str | None = ONE, text: str = "1 2 5") -> InboundSms:
    return InboundSms(OURS, id_, number, text)


def receipt(
    said: str, status: Delivery | None, id_: str = "m1", why: Reason | None = None, ours: str | None = None
) -> Receipt:
    return Receipt(OURS, id_, status, said, why, ours)


CON = f"CON {SCREEN.text}"
DIAL_AGAIN = "Something went wrong. Please dial again."
USSD = {"session": "s1", "number": ONE, "text": ""}
SMS = {"id": "m1", "number": ONE, "text": "1 2 5"}
RECEIPT = {"id": "m1", "status": "delivered"}


def ussd(label: str, change: Mapping[str, Any], *path: str) -> In:
    return form(label, "ussd", USSD | dict(change), step(path=path), answer=CON)


def bad_ussd(label: str, change: Mapping[str, Any]) -> In:
    return form(label, "ussd", USSD | dict(change), answer=f"END {DIAL_AGAIN}")


def malformed(label: str, reason: str, change: Mapping[str, Any], event: str = "sms") -> In:
    fields = (SMS if event == "sms" else RECEIPT) | dict(change)
    return form(label, event, fields, status=400, answer=f"{reason}\n")


# of one that is set up with nothing but the defaults
BY_DEFAULT = [
    ussd("dialled", {}),
    ussd("dialled, no text", {"text": None}),
    ussd("a digit", {"text": "1"}, "1"),
    ussd("a path", {"text": "1*3*2"}, "1", "3", "2"),
    ussd("an empty input in a path", {"text": "1**2"}, "1", "", "2"),
    ussd("Khmer", {"text": "១*៣"}, "១", "៣"),
    ussd("the code", {"text": "*855#"}),
    ussd("the code with a path", {"text": "*855*2*5#"}, "2", "5"),
    ussd("the code and what was typed after it", {"text": "855*2*5"}, "2", "5"),
    ussd("another code", {"text": "*711*2*5#"}),
    ussd("extra fields", {"network": "smart", "code": "*855#"}),
    ussd("without +", {"number": "85510000001"}),
    ussd("with 00", {"number": "0085510000001"}),
    ussd("a + that was not encoded", {"number": " 85510000001"}),
    ussd("a number of the country", {"number": "010 000 001"}),
    ussd("the most inputs", {"text": "*".join("1" * MOST_INPUTS)}, *("1" * MOST_INPUTS)),
    form("another country's number", "ussd", USSD | {"number": "+66812345678"}, step(number="+66812345678", path=())),
    get("in the address", "ussd", USSD | {"text": "1*៣"}, step(path=("1", "៣")), answer=CON),
    get("in the address, posted", "ussd", USSD | {"text": "1"}, step(path=("1",)), answer=CON, method="POST"),
    posted("JSON", "ussd", USSD | {"text": "1*៣"}, step(path=("1", "៣")), answer=CON),
    posted("JSON with numbers", "ussd", {"session": 17, "number": 85510000001, "text": 1}, step("17", path=("1",))),
    posted("JSON with null", "ussd", USSD | {"text": None}, step(path=())),
    In("the old token", "/hooks/http/" + OLD + "/ussd", urlencode(USSD), events=(step(path=()),), answer=CON),
    bad_ussd("no session", {"session": None}),
    bad_ussd("an empty session", {"session": " "}),
    bad_ussd("a session too long", {"session": "x" * 201}),
    bad_ussd("no number", {"number": None}),
    bad_ussd("a number that is none", {"number": "nobody"}),
    bad_ussd("a number too short", {"number": "123"}),
    bad_ussd("a path too long", {"text": "1" * (LONGEST_PATH + 1)}),
    bad_ussd("too many inputs", {"text": "*".join("1" * (MOST_INPUTS + 1))}),
    In("a field twice", "/hooks/http/{token}/ussd", urlencode(USSD) + "&text=2", answer=f"END {DIAL_AGAIN}"),
    In("a form that is no UTF-8", "/hooks/http/{token}/ussd", b"session=%ff", answer=f"END {DIAL_AGAIN}"),
    posted("a form that says it is JSON", "ussd", urlencode(USSD).encode(), answer=f"END {DIAL_AGAIN}"),
    posted("JSON that says it is a form", "ussd", USSD, answer=f"END {DIAL_AGAIN}",
           content_type="application/x-www-form-urlencoded"),
    posted("XML", "ussd", b"<ussd/>", answer=f"END {DIAL_AGAIN}", content_type="text/xml"),
    posted("JSON cut off", "ussd", b'{"session": "s1', answer=f"END {DIAL_AGAIN}"),
    posted("a JSON list", "ussd", [USSD], answer=f"END {DIAL_AGAIN}"),
    posted("JSON nested without end", "ussd", b"[" * 50_000, answer=f"END {DIAL_AGAIN}"),
    posted("JSON nested deeply", "ussd", b'{"session":' + b"[" * 500 + b"]" * 500 + b"}", answer=f"END {DIAL_AGAIN}"),
    posted("half a character", "ussd", b'{"session": "s1", "number": "+85510000001", "text": "\\ud83d"}',
           answer=f"END {DIAL_AGAIN}"),
    posted("a fraction", "ussd", USSD | {"session": 1.5}, answer=f"END {DIAL_AGAIN}"),
    posted("NUL", "ussd", USSD | {"session": "s\0"}, answer=f"END {DIAL_AGAIN}"),
    # SMS
    form("an SMS", "sms", SMS, sms(), answer=""),
    get("an SMS in the address", "sms", SMS | {"text": KHMER}, sms(text=KHMER)),
    posted("an SMS in JSON", "sms", SMS | {"text": KHMER}, sms(text=KHMER)),
    posted("an SMS in escaped JSON", "sms", json.dumps(SMS | {"text": KHMER}).encode(), sms(text=KHMER)),
    posted("an SMS with numbers", "sms", {"id": 7, "number": 85510000001, "text": 1}, sms("7", ONE, "1")),
    form("an SMS in Khmer", "sms", SMS | {"text": LONG_KHMER}, sms(text=LONG_KHMER)),
    form("an SMS of many parts", "sms", SMS | {"text": "ក" * 4000}, sms(text="ក" * 4000)),
    form("an SMS with emoji", "sms", SMS | {"text": "ល្អ 👍🏽"}, sms(text="ល្អ 👍🏽")),
    form("an empty SMS", "sms", SMS | {"text": ""}, sms(text="")),
    form("an SMS with &, % and +", "sms", SMS | {"text": "100% + a&b=c"}, sms(text="100% + a&b=c")),
    form("an advert's name", "sms", SMS | {"number": "SmartPromo"}, sms(number=None)),
    form("an advert's name in Khmer", "sms", SMS | {"number": "ស្មាត"}, sms(number=None)),
    form("a short code", "sms", SMS | {"number": "8888"}, sms(number=None)),
    form("nobody", "sms", SMS | {"number": ""}, sms(number=None)),
    form("a number without +", "sms", SMS | {"number": "85510000001"}, sms()),
    malformed("no id", "id is missing", {"id": None}),
    malformed("an empty id", "id is empty", {"id": " "}),
    malformed("an id too long", "id is longer than 200 characters", {"id": "x" * 201}),
    malformed("no number", "number is missing", {"number": None}),
    malformed("no text", "text is missing", {"text": None}),
    malformed("a text too long", f"text is longer than {LONGEST_SMS} characters", {"text": "x" * (LONGEST_SMS + 1)}),
    form("a field twice in an SMS", "sms", SMS, status=400, answer="a field comes twice\n"),
    posted("an empty object", "sms", {}, status=400, answer="id is missing\n"),
    posted("an empty body", "sms", b"", status=400, answer="id is missing\n"),
    # receipts
    *(
        form(said, "receipt", RECEIPT | {"status": said}, receipt(said, DELIVERED))
        for said in ("delivered", "DELIVRD", "Success", " delivered ")
    ),
    *(
        form(said, "receipt", RECEIPT | {"status": said}, receipt(said, FAILED, why=Reason.UNCLEAR))
        for said in ("failed", "UNDELIV", "Rejected", "EXPIRED")
    ),
    *(
        form(f"a status nobody listed: {said}", "receipt", RECEIPT | {"status": said}, receipt(said, None))
        for said in ("sent", "BUFFERED", "pondering", "រង់ចាំ", "0", "not delivered")
    ),
    form("a status with a number in it", "receipt", RECEIPT | {"status": f"lost {ONE}"}, receipt(f"lost {ONE}", None)),
    get("a receipt in the address", "receipt", RECEIPT, receipt("delivered", DELIVERED)),
    posted("a receipt in JSON", "receipt", {"id": 7, "status": "delivered"}, receipt("delivered", DELIVERED, "7")),
    form("a receipt that looks like one of our ids", "receipt", RECEIPT | {"id": MESSAGE},
         receipt("delivered", DELIVERED, MESSAGE)),
    malformed("a receipt without id", "id is missing", {"id": None}, "receipt"),
    malformed("a receipt without status", "status is missing", {"status": None}, "receipt"),
    malformed("a receipt with an empty status", "status is empty", {"status": ""}, "receipt"),
    malformed("a status too long", "status is longer than 200 characters", {"status": "x" * 201}, "receipt"),
    # who calls
    *(
        In(f"{label}, {event}", f"/hooks/http/{token}/{event}", urlencode(fields), 403, "not its provider's")
        for event, fields in (("ussd", USSD), ("sms", SMS), ("receipt", RECEIPT))
        for label, token in [
            ("no token of ours", "x" * 40),
            ("a token cut short", TOKEN[:-1]),
            ("a token with something more", f"{TOKEN}n"),
            ("a token in capitals", TOKEN.upper()),
            ("a token of other letters", "ក" * 40),
        ]
    ),
    form("no token", "sms", SMS, status=404),
    form("another event", "optout", SMS, status=404),
    form("another method", "sms", SMS, status=405, method="PUT"),
]  # fmt: skip
BY_DEFAULT = [
    replace(case, path="/hooks/http/sms") if case.label == "no token"
    else replace(case, body=f"{case.body!s}&id=2") if case.label == "a field twice in an SMS"
    else case
    for case in BY_DEFAULT
]  # fmt: skip

BEGIN = {"sessionid": "a7f2", "msisdn": "85510000001", "msgtype": "begin", "seq": "1", "input": "*855#"}
GO_ON = BEGIN | {"msgtype": "continue", "seq": "2", "input": "1"}


def shown(said: str = "continue", text: str = SCREEN.text) -> str:
    """What the operator's gateway is answered."""
    return json.dumps({"sessionid": "a7f2", "message": text, "msgtype": said}, ensure_ascii=False)


def begins(label: str, change: Mapping[str, Any], *dialled: str, request: str | None = "1") -> In:
    return get(label, "ussd", BEGIN | dict(change), step("a7f2", request=request, dialled=dialled), answer=shown())


def goes_on(label: str, change: Mapping[str, Any], last: str, request: str | None = "2") -> In:
    return get(label, "ussd", GO_ON | dict(change), step("a7f2", last=last, request=request), answer=shown())


OF_THE_OPERATOR = [
    begins("the code", {}),
    begins("in capitals", {"msgtype": "BEGIN"}),
    begins("the code with a path", {"input": "*855*2*5#"}, "2", "5"),
    begins("the code's digits", {"input": "855"}),
    begins("another code", {"input": "*711*2*5#"}),
    begins("no code: nothing of it is an input", {"input": "2"}),
    begins("no input at all", {"input": None}),
    begins("no sequence number", {"seq": None}, request=None),
    begins("an empty sequence number", {"seq": ""}, request=None),
    begins("a number that is the session's: it tells no request", {"seq": "a7f2"}, request=None),
    goes_on("a digit", {}, "1"),
    goes_on("a digit in Khmer", {"input": "១"}, "១"),
    goes_on("0", {"input": "0"}, "0"),
    goes_on("nothing typed", {"input": ""}, ""),
    goes_on("words in Khmer", {"input": "សុខភាព"}, "សុខភាព"),
    goes_on("a star in it", {"input": "2*5"}, "2*5"),
    goes_on("a message type nobody listed", {"msgtype": "pondering"}, "1"),
    goes_on("no message type", {"msgtype": None}, "1"),
    get("over", "ussd", BEGIN | {"msgtype": "end", "input": None}, UssdEnd(OURS, "a7f2", False, "end"), answer=""),
    get("over, and no number", "ussd", {"sessionid": "a7f2", "msgtype": "END"}, UssdEnd(OURS, "a7f2", False, "END")),
    form("as a form", "ussd", GO_ON, step("a7f2", last="1", request="2"), answer=shown()),
    get("no session", "ussd", GO_ON | {"sessionid": None},
        answer=json.dumps({"message": DIAL_AGAIN, "msgtype": "end"})),
    get("no number", "ussd", GO_ON | {"msisdn": None}, answer=shown("end", DIAL_AGAIN)),
    posted("half a character in a session", "ussd", b'{"sessionid": "\\ud83d", "msisdn": "85510000001"}',
           answer='{"sessionid": "?"'),
    get("an SMS", "sms", {"msgid": "mo-91", "msisdn": "85510000001", "text": KHMER}, sms("mo-91", text=KHMER)),
    get("a receipt", "receipt", {"msgid": "mt-5521", "status": "DELIVRD"}, receipt("DELIVRD", DELIVERED, "mt-5521")),
]  # fmt: skip
OF_THE_AT_LIKE = [
    form(
        f"dialled: {text!r}", "ussd",
        {"sessionId": "ATUid_1", "phoneNumber": ONE, "networkCode": "45606", "serviceCode": "*855#", "text": text},
        step("ATUid_1", path=path), answer=CON,
    )
    for text, path in [("", ()), ("2*5", ("2", "5")), ("1*៣", ("1", "៣"))]
] + [
    form("an SMS", "sms", {"id": "8f21", "from": ONE, "to": "8550", "text": KHMER, "date": "2026-11-23 12:04:45"},
         sms("8f21", text=KHMER)),
    form("an SMS that has both names", "sms", {"id": "8f21", "phoneNumber": ONE, "from": TWO, "text": "1"},
         sms("8f21", ONE, "1")),
    form("a receipt", "receipt", {"id": "ATXid_1", "status": "Success", "phoneNumber": ONE},
         receipt("Success", DELIVERED, "ATXid_1")),
    form("a failure", "receipt", {"id": "ATXid_1", "status": "AbsentSubscriber", "phoneNumber": ONE},
         receipt("AbsentSubscriber", FAILED, "ATXid_1", Reason.UNCLEAR)),
    form("on the way", "receipt", {"id": "ATXid_1", "status": "Submitted"}, receipt("Submitted", None, "ATXid_1")),
]  # fmt: skip
NEW = {"sessionID": "s-77", "userID": "MATI_1", "newSession": True, "msisdn": "85510000001", "userData": "*855#"}
THEIRS = {"id": "out-3", "reference": MESSAGE, "status": "DELIVERED"}


def told(going_on: bool = True, text: str = SCREEN.text) -> str:
    """What the aggregator is answered."""
    answer = {"sessionID": "s-77", "userID": "MATI_1", "msisdn": "85510000001", "message": text}
    return json.dumps(answer | {"continueSession": going_on}, ensure_ascii=False)


OF_THE_AGGREGATOR = [
    posted("dialled", "ussd", NEW, step("s-77", dialled=()), answer=told()),
    posted("dialled with a path", "ussd", NEW | {"userData": "*855*2*5#"}, step("s-77", dialled=("2", "5"))),
    posted("a digit", "ussd", NEW | {"newSession": False, "userData": "១"}, step("s-77", last="១"), answer=told()),
    posted("a digit that is a number", "ussd", NEW | {"newSession": False, "userData": 1}, step("s-77", last="1")),
    posted("true as a text", "ussd", NEW | {"newSession": "True"}, step("s-77", dialled=())),
    posted("neither", "ussd", NEW | {"newSession": None, "userData": "1"}, step("s-77", last="1")),
    posted("malformed", "ussd", NEW | {"userData": "1" * 3000}, answer=told(False, DIAL_AGAIN)),
    posted("something else where a text is due", "ussd", NEW | {"userID": {"0": "x"}}, step("s-77", dialled=()),
           answer='{"sessionID": "s-77", "msisdn": "85510000001", "message"'),
    posted("an SMS", "sms", {"data": {"id": "in-9", "from": "85510000001", "to": "8550", "body": KHMER}},
           sms("in-9", text=KHMER)),
    posted("an SMS without its inside", "sms", {"data": "x"}, status=400, answer="data.id is missing\n"),
    posted("an SMS with a list inside", "sms", {"data": [SMS]}, status=400, answer="data.id is missing\n"),
    posted("a receipt", "receipt", {"data": THEIRS}, receipt("DELIVERED", DELIVERED, "out-3", ours=MESSAGE)),
    posted("a receipt without their id", "receipt", {"data": THEIRS | {"id": None}},
           receipt("DELIVERED", DELIVERED, MESSAGE, ours=MESSAGE)),
    posted("a receipt with a reference that is not ours", "receipt", {"data": THEIRS | {"reference": "x"}},
           receipt("DELIVERED", DELIVERED, "out-3")),
    posted("a receipt with neither", "receipt", {"data": {"status": "DELIVERED"}}, status=400,
           answer="data.id is missing\n"),
    posted("a failure", "receipt", {"data": THEIRS | {"status": "FAILED"}},
           receipt("FAILED", FAILED, "out-3", Reason.UNCLEAR, MESSAGE)),
]  # fmt: skip
OF_ONE_THAT_TELLS_NO_BEGINNING = [
    form("dialled", "ussd", USSD | {"text": "*855#"}, step(dialled=())),
    form("dialled with a path", "ussd", USSD | {"text": "*855*2*5#"}, step(dialled=("2", "5"))),
    form("nothing typed", "ussd", USSD, step(dialled=())),
    form("a digit", "ussd", USSD | {"text": "1"}, step(last="1", dialled=())),
    form("a digit, in a request with an id", "ussd", USSD | {"text": "1", "id": "r7"},
         step(last="1", dialled=(), request="r7")),
]  # fmt: skip
CHANGED = [
    ("another separator", PLAIN | {"HTTP_USSD_SEPARATOR": "#"}, ussd("1#2", {"text": "1#2"}, "1", "2")),
    ("another code", PLAIN | {"USSD_CODE": "*384*123#"}, ussd("*384*123*2*4#", {"text": "*384*123*2*4#"}, "2", "4")),
    ("other words before the screen", PLAIN | {"HTTP_CONTINUE_VALUE": "1;", "HTTP_CLOSE_VALUE": "2;"},
     form("1;", "ussd", USSD, step(path=()), answer=f"1; {SCREEN.text}")),
    ("an end told with a path", PLAIN | {"HTTP_BEGIN_FIELD": "type", "HTTP_END_VALUES": "release,timeout"},
     form("release", "ussd", USSD | {"type": "Release"}, UssdEnd(OURS, "s1", False, "Release"))),
    ("an answer within an answer",
     PLAIN | {"HTTP_USSD_ANSWER": "json", "HTTP_ANSWER_TEXT_FIELD": "menu.0.text", "HTTP_ANSWER_STATE_FIELD": "op"},
     form("nested", "ussd", USSD, step(path=()),
          answer=json.dumps({"menu": [{"text": SCREEN.text}], "op": "CON"}, ensure_ascii=False))),
    ("an answer with a number", PLAIN | {"HTTP_USSD_ANSWER": "json", "HTTP_CONTINUE_VALUE": "1"},
     form("1", "ussd", USSD, step(path=()), answer='"state": 1}')),
]  # fmt: skip
CASES_IN: list[Case] = [
    *(("by default", PLAIN, case) for case in BY_DEFAULT),
    *(("operator", OPERATOR, case) for case in OF_THE_OPERATOR),
    *(("like AT", AT_LIKE, case) for case in OF_THE_AT_LIKE),
    *(("aggregator", AGGREGATOR, case) for case in OF_THE_AGGREGATOR),
    *(("no beginning told", LAST, case) for case in OF_ONE_THAT_TELLS_NO_BEGINNING),
    *CHANGED,
]
every_case = pytest.mark.parametrize(
    ("of", "case"), [pytest.param(of, c, id=f"{n}: {c.label}") for n, of, c in CASES_IN]
)


@every_case
def test_what_a_gateway_calls_us_with(of: Mapping[str, Any], case: In) -> None:
    told = settings(of)
    take_in(case, Http(told), told, [TOKEN, OLD, SECRET, ONE.lstrip("+"), KHMER, "secret"], TOKEN)


@pytest.mark.parametrize("event", Http.events)
def test_without_a_token_set_nobody_is_heard(event: str) -> None:
    closed = settings(PLAIN, http_webhook_tokens=())
    for token in (TOKEN, "x", "None"):
        take_in(form("closed", event, USSD | SMS | RECEIPT, status=403), Http(closed), closed, [], token)


# what is kept of an id ----------------------------------------------------------------------------


def known_as(token: str = TOKEN, **change: Any) -> str:
    desk: list[Any] = []

    class Remembering:
        def receive(self, event: Event) -> None:
            desk.append(event)

    told = settings(PLAIN)
    client = served(Http(told), told, Remembering()).test_client()
    with captured():
        client.post(f"/hooks/http/{token}/sms", data=SMS | change)
    return str(desk[0].id)


def test_an_id_that_holds_the_number_is_kept_as_a_hash_that_only_the_token_tells() -> None:
    given = "85510000001-1795309775"
    first = known_as(id=given)
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first == known_as(id=given)
    assert len({first, known_as(OLD, id=given), known_as(id="85510000002-1795309775"), known_as(id="7")}) == 4
    assert known_as(id="mo-91-2026") == "mo-91-2026"


# a call, from dialling to hanging up --------------------------------------------------------------

WELCOME = "Rate commune services."
COMMUNE = "Commune:\n1 Ponley"


class Phone:
    """One that calls through a gateway; its screen, and whether more is asked."""

    def __init__(self, house: Installation, of: Mapping[str, Any]) -> None:
        told = settings(of, default_language="en", data_dir=house.settings.data_dir)
        self.house = replace(house, settings=told)
        self.client: FlaskClient = served(Http(told), told, self.house.conversations()).test_client()

    def operator(self, msgtype: str, seq: int, text: str, session: str = "a7f2", number: str = ONE) -> Screen:
        fields = {"sessionid": session, "msisdn": number, "msgtype": msgtype, "seq": seq, "input": text}
        answer = self.client.get(f"/hooks/http/{TOKEN}/ussd?{urlencode(fields)}")
        return Screen(answer.json["message"], answer.json["msgtype"] == "end") if answer.json else Screen("", True)

    def aggregator(self, new: bool, text: str, session: str = "s-77") -> Screen:
        fields = {"sessionID": session, "msisdn": ONE, "newSession": new, "userData": text}
        answer: Any = self.client.post(f"/hooks/http/{TOKEN}/ussd", json=fields).json
        return Screen(answer["message"], not answer["continueSession"])

    def plain(self, text: str, session: str = "s1", **more: str) -> Screen:
        self.house.clock.forward(seconds=1)
        answer = self.client.post(f"/hooks/http/{TOKEN}/ussd", data=USSD | {"session": session, "text": text} | more)
        word, _, text = answer.get_data(as_text=True).partition(" ")
        return Screen(text, word == "END")

    def ratings(self) -> list[tuple[str, int, str | None]]:
        with self.house.store.read() as db:
            return sorted((row.service_id, row.score, row.who) for row in db.execute(select(answers)))


def test_a_call_by_the_last_input_each_request_counts_once(installation: Installation) -> None:
    installation.open_round()
    phone = Phone(installation, OPERATOR)
    assert phone.operator("begin", 1, "*855#").text.startswith(WELCOME)
    assert phone.operator("begin", 1, "*855#").text.startswith(WELCOME)
    talk = ["1", "3", "2", "5", "2"]  # go on, Ta Phou, Health centre, very satisfied, a woman over 30
    for seq, typed in enumerate(talk, 2):
        first = phone.operator("continue", seq, typed)
        assert [phone.operator("continue", seq, typed) for _ in range(2)] == [first, first]
        assert first.ends is (seq == 6)
    assert first.text == "Thank you! Received."
    assert phone.ratings() == [("health", 5, "woman-31")]
    assert phone.operator("end", 7, "") == Screen("", True)


def test_the_same_digit_twice_in_a_row_counts_twice(installation: Installation) -> None:
    installation.open_round()
    phone = Phone(installation, OPERATOR)
    phone.operator("begin", 1, "*855#")
    assert phone.operator("continue", 2, "1").text.startswith(COMMUNE)
    assert phone.operator("continue", 3, "1").text.startswith("Service:")


def test_of_one_request_five_times_at_once_one_counts(installation: Installation) -> None:
    installation.open_round()
    phone = Phone(installation, OPERATOR)
    begin, go_on = (
        step("a7f2", request="1", dialled=()),
        step("a7f2", request="2", last="1"),
    )
    for each, screen in ((begin, WELCOME), (go_on, COMMUNE)):
        with ThreadPoolExecutor(5) as pool:
            screens = set(pool.map(lambda _, each=each: phone.house.conversations().ussd(each), range(5)))
        assert len(screens) == 1
        assert screens.pop().text.startswith(screen)
    with installation.store.read() as db:
        assert db.execute(select(conversations.c.inputs)).scalars().all() == [1]


def test_a_beginning_that_comes_again_changes_nothing(installation: Installation) -> None:
    installation.open_round()
    phone = Phone(installation, AGGREGATOR)
    phone.aggregator(True, "*855#")
    at = phone.aggregator(False, "1")
    assert at.text.startswith(COMMUNE)
    assert phone.aggregator(True, "*855#") == at
    assert phone.aggregator(False, "3").text.startswith("Service:")


def test_a_path_dialled_at_once_waits_for_welcome_and_commune(installation: Installation) -> None:
    installation.open_round()
    phone = Phone(installation, AGGREGATOR)
    assert phone.aggregator(True, "*855*2*5#").text.startswith(WELCOME)
    assert phone.aggregator(False, "1").text.startswith(COMMUNE)
    assert phone.aggregator(False, "3").text.startswith("You are:")
    assert len(phone.ratings()) == 1


def test_a_session_that_did_not_begin_is_not_known(installation: Installation) -> None:
    phone = Phone(installation, AGGREGATOR)
    assert phone.aggregator(False, "1") == Screen(DIAL_AGAIN, True)


def test_a_session_of_another_caller_is_not_told(installation: Installation) -> None:
    phone = Phone(installation, OPERATOR)
    phone.operator("begin", 1, "*855#")
    assert phone.operator("continue", 2, "1", number=TWO) == Screen(DIAL_AGAIN, True)
    assert phone.operator("begin", 1, "*855#", number=TWO) == Screen(DIAL_AGAIN, True)


def test_where_no_beginning_is_told_the_first_request_is_one_and_its_digits_rate_nothing(
    installation: Installation,
) -> None:
    installation.open_round()
    phone = Phone(installation, LAST)
    assert phone.plain("2").text.startswith(WELCOME)
    assert phone.plain("1").text.startswith(COMMUNE)
    assert phone.plain("").text.startswith(COMMUNE)  # nothing typed: the same screen
    assert phone.plain("*855#").text.startswith(COMMUNE)  # the first request again
    assert phone.plain("3").text.startswith("Service:")
    assert phone.plain("5", session="another").text.startswith("You were cut off.")
    assert phone.ratings() == []


def test_a_session_s_id_that_is_given_again_after_ten_minutes_is_a_new_session(installation: Installation) -> None:
    installation.open_round()
    phone = Phone(installation, OPERATOR)
    phone.operator("begin", 1, "*855#")
    assert phone.operator("continue", 2, "1").text.startswith(COMMUNE)
    installation.clock.forward(minutes=11)
    assert phone.operator("begin", 1, "*855#", number=TWO).text.startswith(WELCOME)
    assert phone.operator("continue", 2, "1", number=TWO).text.startswith(COMMUNE)
    installation.clock.forward(minutes=11)
    plain = Phone(installation, LAST)
    assert plain.plain("*855#").text.startswith(WELCOME)
    installation.clock.forward(minutes=11)
    assert plain.plain("3").text.startswith(WELCOME)


def test_no_digit_typed_after_a_round_closed_rates_in_the_next_one(installation: Installation) -> None:
    """The row keeps nothing but the session's id: the id of a request goes with the rest."""
    round_id = installation.open_round()
    phone = Phone(installation, OPERATOR)
    phone.operator("begin", 1, "*855#")
    for seq, typed in enumerate(("1", "3", "2", "5"), 2):
        phone.operator("continue", seq, typed)
    with installation.store.write() as db:
        purge_round(db, round_id, installation.clock.now)
    with installation.store.read() as db:
        row = db.execute(select(conversations)).one()
    assert (row.session, row.request, row.answer) == ("a7f2", None, "")
    assert phone.operator("continue", 5, "5") == Screen(DIAL_AGAIN, True)


# what goes out ------------------------------------------------------------------------------------

HTML = "<html><h1>OK, welcome to the hotel's network</h1>"
LATE = Unknown(Reason.NO_ANSWER, "no answer in time")
CUT = Unknown(Reason.CUT_OFF, "connection cut")
TEXT = {"Content-Type": "text/plain"}


def one(text: str = "Hello", number: str = ONE) -> tuple[Outgoing, ...]:
    return (Outgoing(MESSAGE, number, text),)


def said(label: str, reply: Reply, outcome: Outcome, seconds: float = 3.0) -> Out:
    """An answer, and what it means; it is asked for once only."""
    return Out(label, reply, (outcome,), one(), ({},), seconds)


def recipients(code: Any, id_: str = "ATXid_1") -> Reply:
    recipient = {"statusCode": code, "number": ONE, "status": "Something", "cost": "KES 0.8000", "messageId": id_}
    return Reply(201, json.dumps({"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [recipient]}}))


OK = Reply(200, '{"id": "out-1"}')
SENT_BY_DEFAULT = [
    Out("all its fields, and no other", OK, (Accepted("out-1"),), one("Hi"), (
        {"method": "POST", "path": "/send", "body": urlencode({"password": SECRET, "to": ONE, "text": "Hi"}).encode(),
         "headers": {"content-type": "application/x-www-form-urlencoded", "authorization": None}},)),
    Out("Khmer", OK, (Accepted("out-1"),), one(LONG_KHMER), ({"form": {"text": LONG_KHMER}},)),
    Out("signs that a form is made of", OK, (Accepted("out-1"),), one("100% + a&b=c;d#e?"),
        ({"form": {"text": "100% + a&b=c;d#e?"}},)),
    said("taken", OK, Accepted("out-1")),
    said("taken, a number for an id", Reply(201, '{"id": 7}'), Accepted("7")),
    said("taken, JSON that is called HTML", Reply(202, '{"id": "out-1"}', {"Content-Type": "text/html"}),
         Accepted("out-1")),
    said("no id", Reply(200, '{"status": "queued"}'), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("an empty id", Reply(200, '{"id": ""}'), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("an id that is none", Reply(200, '{"id": "a\\nb"}'), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("an id that is an object", Reply(200, '{"id": {"x": 1}}'), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("HTML", Reply(200, HTML), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("empty", Reply(200), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("no content", Reply(204), Unknown(Reason.UNCLEAR, "HTTP 204 without id")),
    said("a text", Reply(200, "OK", TEXT), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("no UTF-8", Reply(200, b"\xff\xfe"), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("nested without end", Reply(200, "[" * 100_000), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("wrong request", Reply(400, '{"id": "out-1"}'), Refused(Reason.SETUP, True, "HTTP 400")),
    said("wrong login", Reply(401), Refused(Reason.SETUP, True, "HTTP 401")),
    said("no balance", Reply(402), Refused(Reason.NO_BALANCE, True, "HTTP 402")),
    said("forbidden", Reply(403, HTML), Refused(Reason.SETUP, True, "HTTP 403")),
    said("another address", Reply(404, HTML), Refused(Reason.SETUP, True, "HTTP 404")),
    said("too long", Reply(414), Refused(Reason.TOO_LONG, False, "HTTP 414")),
    said("too many", Reply(429, headers={"Retry-After": "60"}), Refused(Reason.THROTTLED, True, "HTTP 429", after=60)),
    said("too many, without a delay", Reply(429, "Slow down"), Refused(Reason.THROTTLED, True, "HTTP 429")),
    said("too slow for a proxy", Reply(408), Unknown(Reason.NO_ANSWER, "HTTP 408")),
    said("failed", Reply(500, '{"id": "out-1"}'), Unknown(Reason.UNCLEAR, "HTTP 500")),
    said("bad gateway", Reply(502, HTML), Unknown(Reason.UNCLEAR, "HTTP 502")),
    said("unavailable", Reply(503), Unknown(Reason.UNCLEAR, "HTTP 503")),
    said("moved", Reply(301, "", {"Location": "/v2"}), Refused(Reason.SETUP, True, "HTTP 301")),
    said("found", Reply(302, "", {"Location": "http://login.example/"}), Unknown(Reason.UNCLEAR, "HTTP 302")),
    said("see another", Reply(303, "", {"Location": "/done"}), Unknown(Reason.UNCLEAR, "HTTP 303")),
    said("moved for now", Reply(307, "", {"Location": "/v2"}), Refused(Reason.SETUP, True, "HTTP 307")),
    said("cut off", Reply(200, '{"id": "out-1"}', cut=5), CUT),
    said("cut off before the body", Reply(200, '{"id": "out-1"}', cut=0), CUT),
    said("hung up", Reply(hang_up=True), CUT),
    said("slow", Reply(200, '{"id": "out-1"}', delay=60), LATE, 0.5),
    said("dripping", Reply(200, '{"id": "out-1"}', drip=0.1), LATE, 0.5),
    said("dripping head", Reply(200, '{"id": "out-1"}', drip_head=0.05), LATE, 0.5),
    *(
        Out(f"no number: {number!r}", OK, (Refused(Reason.BAD_NUMBER, False),), one("Hi", number), ())
        for number in ("", "8550", "010000001", "+85510000001,+85512000002", "+៨៥៥១០០០០០០១")
    ),
    Out("each settled on its own",
        lambda got: Reply(402) if got.form["to"] == TWO else Reply(200, json.dumps({"id": got.form["text"]})),
        (Accepted("Hi"), Refused(Reason.NO_BALANCE, True, "HTTP 402"), Accepted("Ho")),
        (Outgoing("a", ONE, "Hi"), Outgoing("b", TWO, "Hi"), Outgoing("c", ONE, "Ho"))),
    Out("nothing to send", OK, (), (), ()),
]  # fmt: skip
SENT_BY_THE_OPERATOR = [
    Out("all its fields, and no other", Reply(200, "OK mt-5521", TEXT), (Accepted("mt-5521"),), one("Hi"), (
        {"method": "GET", "body": b"", "path": "/sendsms?" + urlencode(
            {"username": "mati", "password": "secret", "from": "8550", "msisdn": ONE[1:], "text": "Hi"})},)),
    Out("Khmer", Reply(200, "OK mt-5521", TEXT), (Accepted("mt-5521"),), one(LONG_KHMER), (
        {"method": "GET", "query": {"text": LONG_KHMER.encode().decode("latin-1")}},)),
    said("in small letters, with a colon", Reply(200, "ok: mt-5521\r\n", TEXT), Accepted("mt-5521")),
    said("taken without an id", Reply(200, "OK", TEXT), Accepted(MESSAGE)),
    said("refused", Reply(200, "ERR 3", TEXT), Refused(Reason.UNCLEAR, False, "HTTP 200 ERR")),
    said("busy", Reply(200, "BUSY", TEXT), Refused(Reason.UNCLEAR, True, "HTTP 200 BUSY")),
    said("a word nobody listed", Reply(200, "QUEUED mt-1", TEXT), Unknown(Reason.UNCLEAR, "HTTP 200 QUEUED")),
    said("a word that holds the number", Reply(200, ONE, TEXT), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("HTML", Reply(200, HTML), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("empty", Reply(200), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("a number alone", Reply(200, "17"), Unknown(Reason.UNCLEAR, "HTTP 200 17")),
    said("wrong login", Reply(401, "OK mt-5521"), Refused(Reason.SETUP, True, "HTTP 401")),
    said("failed", Reply(500, "OK mt-5521"), Unknown(Reason.UNCLEAR, "HTTP 500")),
]  # fmt: skip
SENT_BY_THE_AT_LIKE = [
    Out("all its fields, and no other", recipients(101), (Accepted("ATXid_1"),), one(KHMER), (
        {"method": "POST", "path": "/version1/messaging",
         "form": {"username": "mati", "bulkSMSMode": "1", "from": "8550", "to": ONE, "message": KHMER},
         "headers": {"apikey": "secret", "accept": "application/json, */*;q=0.5"}},)),
    said("a status that is a text", recipients("102"), Accepted("ATXid_1")),
    said("in the blacklist", recipients(406, "None"), Refused(Reason.UNCLEAR, False, "HTTP 201 406")),
    said("no balance", recipients(405, "None"), Refused(Reason.UNCLEAR, True, "HTTP 201 405")),
    said("a status nobody listed", recipients(499), Unknown(Reason.UNCLEAR, "HTTP 201 499")),
    said("no recipient", Reply(201, '{"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}'),
         Unknown(Reason.UNCLEAR, "HTTP 201")),
    said("XML", Reply(201, "<SMSMessageData/>", {"Content-Type": "text/xml"}), Unknown(Reason.UNCLEAR, "HTTP 201")),
]  # fmt: skip
SUCCESS = Reply(200, json.dumps({"status": "success", "data": [{"recipient": ONE[1:], "id": "out-3"}]}))
SENT_BY_THE_AGGREGATOR = [
    Out("all its fields, and no other", SUCCESS, (Accepted("out-3"),), one(LONG_KHMER), (
        {"method": "POST", "path": "/v2/messages",
         "json": {"sender": "MATI", "recipients": [ONE[1:]], "message": LONG_KHMER, "unicode": True,
                  "reference": MESSAGE},
         "headers": {"api-key": "secret", "content-type": "application/json"}},)),
    said("no recipient", Reply(200, '{"status": "error", "data": []}'), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("data that is none", Reply(200, '{"data": "x"}'), Unknown(Reason.UNCLEAR, "HTTP 200 without id")),
    said("wrong key", Reply(401, '{"status": "error"}'), Refused(Reason.SETUP, True, "HTTP 401")),
]  # fmt: skip
CASES_OUT = [
    *(("by default", PLAIN, case) for case in SENT_BY_DEFAULT),
    *(("operator", OPERATOR, case) for case in SENT_BY_THE_OPERATOR),
    *(("like AT", AT_LIKE, case) for case in SENT_BY_THE_AT_LIKE),
    *(("aggregator", AGGREGATOR, case) for case in SENT_BY_THE_AGGREGATOR),
]


def sender(of: Mapping[str, Any], url: str) -> HttpSender:
    """To this address instead of the one that is set, with the same path."""
    path = re.sub("https?://[^/]*", "", of["HTTP_SEND_URL"])
    return HttpSender(settings(of, http_send_url=f"{url}{path}"))


@pytest.mark.parametrize(("of", "case"), [pytest.param(of, c, id=f"{n}: {c.label}") for n, of, c in CASES_OUT])
def test_how_we_ask_a_gateway_to_send(of: Mapping[str, Any], case: Out) -> None:
    start = time.monotonic()
    send_out(case, lambda url: sender(of, url), [TOKEN, SECRET, "secret", KHMER])
    assert time.monotonic() - start < case.seconds + 1


def test_an_address_is_used_as_it_was_written() -> None:
    with WireServer(OK) as server:
        made = sender(PLAIN | {"HTTP_SEND_URL": "http://x/send/?account=7", "HTTP_SEND_AS": "query"}, server.url)
        made.send(one("Hi"), 3)
        made.close()
    assert server.got[0].path.startswith(f"/send/?account=7&password={SECRET}&to=")


def test_a_gateway_that_is_not_there_can_be_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    made = sender(PLAIN, f"http://127.0.0.1:{port}")
    assert made.send(one(), 3) == [Refused(Reason.GATEWAY_DOWN, True, "not sent: failed at connecting")]
    made.close()


def test_messages_go_out_side_by_side_over_few_connections() -> None:
    def slowly(got: Got) -> Reply:
        return Reply(200, json.dumps({"id": got.form["text"]}), delay=0.05)

    batch = [Outgoing(str(i), ONE, f"message-{i}") for i in range(16)]
    with WireServer(slowly) as server:
        made = sender(PLAIN, server.url)
        start = time.monotonic()
        assert made.send(batch, 5) == [Accepted(message.text) for message in batch]
        assert time.monotonic() - start < 16 * 0.05
        made.close()
        assert server.connections == 4


# JSON by paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (
            {"a": "x", "b": 7, "c": True, "d": False, "e": None, "f": 1.5},
            {"a": "x", "b": "7", "c": "true", "d": "false"},
        ),
        ({"data": [{"id": 7}, {"id": 8}]}, {"data.0.id": "7", "data.1.id": "8"}),
        (["x", ["y"]], {"0": "x", "1.0": "y"}),
        ({"a": {"b": {"c": {"d": {"e": {"f": "deep", "g": {"h": "too deep"}}}}}}}, {"a.b.c.d.e.f": "deep"}),
        ({}, {}),
    ],
)
def test_json_is_read_by_paths(value: Any, fields: dict[str, str]) -> None:
    assert flat(value) == fields


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}),
        ({"messages.0.to": "x", "messages.0.from": "y"}, {"messages": [{"to": "x", "from": "y"}]}),
        ({"recipients.0": "x"}, {"recipients": ["x"]}),
        ({"a": 1, "a.b": 2}, {"a": {"b": 2}}),
        ({}, {}),
    ],
)
def test_and_written_by_paths(fields: dict[str, Any], value: Any) -> None:
    assert nested(fields) == value


# setting it up ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HTTP_USSD_INPUT", "all", "input should be 'path' or 'last'"),
        ("HTTP_USSD_ANSWER", "xml", "input should be 'prefix' or 'json'"),
        ("HTTP_SEND_AS", "soap", "input should be 'form', 'json' or 'query'"),
        ("HTTP_SEND_NUMBER_AS", "national", "input should be 'plus' or 'digits'"),
        ("HTTP_SEND_EXTRA", f"password:{SECRET}", "must be name=value pairs with & between, such as"),
        ("HTTP_SEND_HEADER", SECRET, "must be a header's name and value, such as Authorization: Bearer secret"),
        ("HTTP_SEND_HEADER", f"X: a\nY: {SECRET}", "must be a header's name and value"),
        ("HTTP_NUMBER_FIELD", ",", "at least 1 item"),
        ("HTTP_ID_FIELD", " , ", "at least 1 item"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as stopped:
        config.load()
    assert str(stopped.value).startswith(f"{name}: ")
    assert reason in str(stopped.value)
    assert SECRET not in str(stopped.value)


def test_the_page_s_gateways_are_three_and_no_setting_is_in_none_of_them() -> None:
    told = {name.lower() for of in (OPERATOR, AT_LIKE, AGGREGATOR) for name in of}
    ours = {name for name in Settings.model_fields if name.startswith("http_")}
    assert told - {"ussd_code"} < ours
    assert ours - told == {"http_webhook_tokens", "http_rate", "http_ussd_separator"}
    assert all(name.upper() in PAGE for name in ours)


def test_the_addresses_to_paste_are_told(installation: Installation) -> None:
    def lines(told: Settings) -> list[str]:
        return [finding.says for finding in checks.findings(told, show_tokens=True) if finding.what == OURS]

    assert lines(installation.settings) == ["off: HTTP_WEBHOOK_TOKENS is not set"]
    told = installation.settings.model_copy(update={"http_webhook_tokens": (TOKEN,), "public_url": "https://m.example"})
    assert lines(told) == [
        f"USSD requests: https://m.example/hooks/http/{TOKEN}/ussd",
        f"incoming SMS: https://m.example/hooks/http/{TOKEN}/sms",
        f"delivery reports: https://m.example/hooks/http/{TOKEN}/receipt",
    ]
