"""The table of an Android phone with sms-gate.app: its events and its signature, and how we ask it to send."""

from __future__ import annotations

import hmac
import json
import socket
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from gateway import checks, config
from gateway.config import Settings
from gateway.models.messages import Draft, Kind, Move, State, messages, move, write
from gateway.providers.android import EVENTS, REASONS, STALE_SECONDS, STATES, TTL_SECONDS, Android, AndroidSender
from gateway.providers.base import (
    LONGEST_SMS,
    Accepted,
    Call,
    Delivery,
    Doubtful,
    Event,
    InboundSms,
    Outcome,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Unknown,
)
from gateway.receipts import ReceiptDesk
from tests.conftest import Installation
from tests.wire.harness import Desk, In, Out, captured, send_out, served, take_in
from tests.wire.server import Got, Reply, WireServer

OURS = "android"
PATH = "/hooks/android"
KEY = "s1gn1ng-k3y-0f-th3-ph0n3"
USER, PASSWORD = "sms", "p4ssw0rd-of-the-app"
ONE, TWO = "+85510000001", "+85512000002"
MESSAGE = "0123456789abcdef0123456789abcdef"
KHMER = "១ ២ ៥ អរគុណ"
LONG_KHMER = "សូមអរគុណ! យើងបានទទួលការវាយតម្លៃរបស់អ្នកហើយ ១–៥\nភូមិ «តាភូ» & 100% + ៛"
NOW = 1795309775
JSON = "application/json; charset=UTF-8"
ON_THE_WAY, DELIVERED, FAILED = Delivery


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def settings(**changes: Any) -> Settings:
    given = {"signing_key": KEY, "username": USER, "password": PASSWORD} | changes
    return Settings.model_construct(**{f"android_{name}": value for name, value in given.items()})


# what comes in ------------------------------------------------------------------------------------

AT = "2026-11-22T12:29:35.000+07:00"
SMS = {"messageId": "5e2f1a07", "sender": ONE, "phoneNumber": ONE, "recipient": "+85512345678", "simNumber": 1,
       "message": "1 2 5", "receivedAt": AT}  # fmt: skip
SENT = {"messageId": MESSAGE, "sender": "+85512345678", "phoneNumber": ONE, "recipient": ONE, "simNumber": 1}
TAKEN = InboundSms(OURS, "5e2f1a07", ONE, "1 2 5")
RECEIVED = Receipt(OURS, MESSAGE, DELIVERED, "sms:delivered", message=MESSAGE)


def body(event: Any, payload: Any, **change: Any) -> bytes:
    """An event as the app writes it; what is None is left out."""
    envelope = {"deviceId": "ffffffffceb0b1db0000018e937c815b", "event": event, "id": "Ey6ECgOkVVFjz3CL48B8C",
                "payload": payload, "webhookId": "LreFUt-Z3sSq0JufY9uWB"} | change  # fmt: skip
    present = {name: value for name, value in envelope.items() if value is not None}
    return json.dumps(present, ensure_ascii=False).encode()


def signature(body: bytes, at: str, key: str = KEY) -> str:
    return hmac.digest(key.encode(), body + at.encode(), "sha256").hex()


def headers(body: bytes, at: str | int = NOW, key: str = KEY) -> dict[str, str]:
    return {"X-Signature": signature(body, str(at), key), "X-Timestamp": str(at)}


def posted(label: str, body: bytes, *events: Event, status: int = 200, answer: str = "", **changes: Any) -> In:
    """A signed request."""
    given: dict[str, Any] = {"content_type": JSON, "headers": headers(body)} | changes
    return In(label, PATH, body, status, answer, events, **given)


def sms(label: str, change: Mapping[str, Any], sender: str | None = ONE, text: str = "1 2 5") -> In:
    payload = {name: value for name, value in (SMS | dict(change)).items() if value is not ...}
    return posted(label, body("sms:received", payload), InboundSms(OURS, "5e2f1a07", sender, text))


def failed(label: str, reason: Any, why: Reason, said: str) -> In:
    payload = SENT | {"failedAt": AT, "reason": reason}
    taken = Receipt(OURS, MESSAGE, FAILED, f"sms:failed{said and ', '}{said}", why, MESSAGE)
    return posted(label, body("sms:failed", payload), taken)


def malformed(label: str, body: bytes, reason: str, **changes: Any) -> In:
    return posted(label, body, status=400, answer=f"{reason}\n", **changes)


RAW = body("sms:received", SMS)


def refused(label: str, headers: Mapping[str, str], raw: bytes = RAW) -> In:
    return In(label, PATH, raw, 403, "not its provider's", headers=headers, content_type=JSON)


GOOD = signature(RAW, str(NOW))
CASES_IN = [
    # SMS
    sms("an SMS", {}),
    sms("of an app before `sender`", {"sender": ..., "recipient": ...}),
    sms("of an app after `phoneNumber`", {"phoneNumber": ...}),
    sms("sender null", {"sender": None}),
    sms("another number in the old field", {"phoneNumber": TWO}),
    sms("no SIM told", {"simNumber": None, "recipient": None}),
    sms("extra fields", {"somethingNew": {"x": [1]}}),
    sms("without +", {"sender": "85510000001"}),
    sms("with 00", {"sender": "0085510000001"}),
    sms("a number of the country", {"sender": "010 000 001"}),
    sms("another country's number", {"sender": "+66812345678"}, "+66812345678"),
    sms("an advert's name", {"sender": "SmartPromo"}, None),
    sms("an advert's name in Khmer", {"sender": "ស្មាត"}, None),
    sms("a short code", {"sender": "8888"}, None),
    sms("no text", {"message": ""}, text=""),
    sms("Khmer", {"message": KHMER}, text=KHMER),
    sms("Khmer of many parts", {"message": LONG_KHMER * 20}, text=LONG_KHMER * 20),
    sms("emoji", {"message": "ល្អ 👍🏽"}, text="ល្អ 👍🏽"),
    posted("escaped", json.dumps(json.loads(body("sms:received", SMS | {"message": KHMER}))).encode(),
           InboundSms(OURS, "5e2f1a07", ONE, KHMER)),
    posted("another event id, the same SMS", body("sms:received", SMS, id="another", webhookId="another"), TAKEN),
    posted("application/json alone", RAW, TAKEN, content_type="application/json"),
    # receipts
    posted("sent", body("sms:sent", SENT | {"partsCount": 2, "sentAt": AT}),
           Receipt(OURS, MESSAGE, ON_THE_WAY, "sms:sent", message=MESSAGE)),
    posted("delivered", body("sms:delivered", SENT | {"deliveredAt": AT}), RECEIVED),
    posted("delivered, with a reason all the same", body("sms:delivered", SENT | {"reason": "TTL expired"}), RECEIVED),
    posted("delivered, sent by the phone's owner", body("sms:delivered", SENT | {"messageId": "2Zl-Ay_8D0QpXa7rGm3kT"}),
           Receipt(OURS, "2Zl-Ay_8D0QpXa7rGm3kT", DELIVERED, "sms:delivered")),
    failed("failed", "Unknown", Reason.UNCLEAR, ""),
    failed("failed without a reason", None, Reason.UNCLEAR, ""),
    failed("failed with a reason that is none", 7, Reason.UNCLEAR, ""),
    failed("too late", "TTL expired", Reason.EXPIRED, "TTL expired"),
    failed("bad number", "sendSMS: Invalid phone number +85510000001", Reason.BAD_NUMBER, "phone number"),
    failed("not reached", "Delivery result from SC +85512999999: 65", Reason.UNREACHABLE, "Delivery result"),
    failed("no SIM", "Can't send message: No SIMs found", Reason.SETUP, "No SIM"),
    failed("not allowed to", "sendSMS: Neither user nor process has android.permission.SEND_SMS.", Reason.SETUP,
           "SEND_SMS"),
    *(
        failed(code, f"Send result: {code} (Failed because of something)", why, word)
        for code, why, word in [
            ("RESULT_ERROR_GENERIC_FAILURE", Reason.UNCLEAR, "GENERIC_FAILURE"),
            ("RESULT_ERROR_RADIO_OFF", Reason.GATEWAY_DOWN, "RADIO"),
            ("RESULT_RIL_RADIO_NOT_AVAILABLE", Reason.GATEWAY_DOWN, "RADIO"),
            ("RESULT_ERROR_NO_SERVICE", Reason.GATEWAY_DOWN, "NO_SERVICE"),
            ("RESULT_ERROR_LIMIT_EXCEEDED", Reason.THROTTLED, "LIMIT_EXCEEDED"),
            ("RESULT_RIL_REQUEST_RATE_LIMITED", Reason.THROTTLED, "RATE_LIMITED"),
            ("RESULT_ERROR_SHORT_CODE_NEVER_ALLOWED", Reason.NOT_PERMITTED, "SHORT_CODE"),
            ("RESULT_RIL_NETWORK_REJECT", Reason.FILTERED, "NETWORK_REJECT"),
            ("RESULT_NETWORK_ERROR", Reason.GATEWAY_DOWN, "NETWORK_"),
            ("RESULT_RIL_MODEM_ERR", Reason.GATEWAY_DOWN, "MODEM_"),
            ("RESULT_NO_DEFAULT_SMS_APP", Reason.SETUP, "NO_DEFAULT_SMS_APP"),
            ("RESULT_RIL_INVALID_SMSC_ADDRESS", Reason.SETUP, "SMSC_ADDRESS"),
            ("RESULT_PONDERING", Reason.UNCLEAR, ""),
        ]
    ),
    # nothing to do
    posted("a sign of life", body("system:ping", {"health": {"status": "pass"}})),
    posted("a sign of life without payload", body("system:ping", None)),
    posted("an event nobody listed", body("mms:received", {"messageId": "1", "sender": ONE})),
    posted("an event that is a number", body(f"sms:{ONE}", {})),
    # who calls
    posted("a signature in capitals", RAW, TAKEN, headers={"X-Signature": GOOD.upper(), "X-Timestamp": str(NOW)}),
    *(
        posted(f"{seconds:+} seconds", RAW, TAKEN, headers=headers(RAW, NOW + seconds))
        for seconds in (-STALE_SECONDS, -1, 1, STALE_SECONDS)
    ),
    *(
        refused(f"stale: {seconds:+} seconds", headers(RAW, NOW + seconds))
        for seconds in (-86400 * 365, -STALE_SECONDS - 1, STALE_SECONDS + 1, 86400)
    ),
    refused("no signature", {"X-Timestamp": str(NOW)}),
    refused("no time", {"X-Signature": GOOD}),
    refused("neither", {}),
    refused("signed without a time", {"X-Signature": signature(RAW, ""), "X-Timestamp": ""}),
    *(
        refused(f"a time that is none: {at!r}", {"X-Signature": signature(RAW, at), "X-Timestamp": at})
        for at in (f"{NOW}.0", f" {NOW}", f"+{NOW}", f"{NOW}000000", "១៧៩៥", "nan", "-1", "2026-11-22T12:29:35Z")
        if at.isascii()
    ),
    refused("another time than signed", headers(RAW) | {"X-Timestamp": str(NOW + 1)}),
    refused("the time's digits moved into the body", {"X-Signature": GOOD, "X-Timestamp": str(NOW)[1:]}, RAW + b"1"),
    refused("another key", headers(RAW, key="another")),
    refused("the key of an empty setting", headers(RAW, key="")),
    refused("the signature cut", headers(RAW) | {"X-Signature": GOOD[:-1]}),
    refused("the signature of another body", headers(RAW), RAW.replace(b"1 2 5", b"1 2 1")),
    refused("the signature of other bytes of the same JSON", headers(RAW), RAW.replace(b'": "', b'":"')),
    refused("the signature in Latin-1", headers(RAW) | {"X-Signature": "é" * 64}),
    refused("the signature in base64", headers(RAW) | {"X-Signature": b64encode(bytes.fromhex(GOOD)).decode()}),
    In("another method", PATH, RAW, 405, headers=headers(RAW), content_type=JSON, method="PUT"),
    In("an event in the path", f"{PATH}/sms", RAW, 404, headers=headers(RAW), content_type=JSON),
    In("a slash at the end", f"{PATH}/", RAW, 404, headers=headers(RAW), content_type=JSON),
    # malformed
    malformed("a form", urlencode(SMS).encode(), "expected JSON (application/json)",
              content_type="application/x-www-form-urlencoded"),
    malformed("JSON that says it is a form", RAW, "expected JSON (application/json)",
              content_type="application/x-www-form-urlencoded"),
    malformed("a form that says it is JSON", urlencode(SMS).encode(), "the body is no JSON"),
    malformed("no type", RAW, "expected JSON (application/json)", content_type=""),
    malformed("empty", b"", "the body is no JSON"),
    malformed("cut off", RAW[:-10], "the body is no JSON"),
    malformed("no UTF-8", RAW.replace(b"1 2 5", b"\xff"), "the body is no JSON"),
    malformed("a list", b"[]", "the body is no JSON object"),
    malformed("nested without end", b"[" * 50_000, "the body is no JSON"),
    malformed("no event", body(None, SMS), "event is missing"),
    malformed("an event that is a list", body(["sms:received"], SMS), "event is no text"),
    malformed("no payload", body("sms:received", None), "payload is missing"),
    malformed("a payload that is a list", body("sms:sent", [SENT]), "payload is missing"),
    malformed("no id", body("sms:received", {"sender": ONE, "message": "1"}), "messageId is missing"),
    malformed("an id that is a number", body("sms:received", SMS | {"messageId": 7}), "messageId is no text"),
    malformed("an empty id", body("sms:delivered", SENT | {"messageId": " "}), "messageId is empty"),
    malformed("an id too long", body("sms:failed", SENT | {"messageId": "x" * 201}),
              "messageId is longer than 200 characters"),
    malformed("no sender", body("sms:received", {"messageId": "1", "message": "1"}), "phoneNumber is missing"),
    malformed("no message", body("sms:received", {"messageId": "1", "sender": ONE}), "message is missing"),
    malformed("a message too long", body("sms:received", SMS | {"message": "x" * (LONGEST_SMS + 1)}),
              f"message is longer than {LONGEST_SMS} characters"),
    malformed("half a character", RAW.replace(b"1 2 5", rb"\ud83d"), "message is no text"),
]  # fmt: skip


def phone(told: Settings) -> Android:
    return Android(told, now=lambda: NOW)


@pytest.mark.parametrize("case", CASES_IN, ids=lambda case: case.label)
def test_what_the_phone_posts(case: In) -> None:
    told = settings()
    take_in(case, phone(told), told, [KEY, PASSWORD, ONE.lstrip("+"), "85512999999", KHMER])


@pytest.mark.parametrize("case", [case for case in CASES_IN if case.status == 200], ids=lambda case: case.label)
def test_without_a_key_nobody_is_heard(case: In) -> None:
    closed = settings(signing_key="")
    assert isinstance(case.body, bytes)
    for signed in (case.headers, headers(case.body, key=""), {}):
        take_in(replace(case, status=403, answer=None, events=(), headers=signed), phone(closed), closed, [])


def test_any_bit_changed_is_refused() -> None:
    android, good = phone(settings()), headers(RAW)
    lower = {name.lower(): value for name, value in good.items()}
    assert android.verify(Call(RAW, JSON, headers=lower))
    for i in range(len(RAW) * 8):
        changed = bytearray(RAW)
        changed[i // 8] ^= 1 << i % 8
        assert not android.verify(Call(bytes(changed), JSON, headers=lower))
    for name, value in lower.items():
        for i, char in enumerate(value):
            for bit in range(7):
                other = value[:i] + chr(ord(char) ^ 1 << bit) + value[i + 1 :]
                if other.lower() != value:
                    assert not android.verify(Call(RAW, JSON, headers=lower | {name: other}))


@pytest.mark.parametrize(
    ("event", "said"),
    [("system:ping", None), ("mms:received", "mms:received"), (f"sms:{ONE}", "?"), ("SMS", "?"), ("ភ្លៀង", "?")],
)
def test_an_event_that_is_not_for_us_is_noted(event: str, said: str | None) -> None:
    raw, told = body(event, {}), settings()
    with captured() as lines:
        answer = (
            served(phone(told), told, Desk())
            .test_client()
            .post(PATH, data=raw, headers=headers(raw), content_type=JSON)
        )
    assert answer.status_code == 200
    noted = [json.loads(line)["kind"] for line in lines if "android.event_not_known" in line]
    assert noted == ([said] if said else [])


def test_the_clock_is_the_machine_s() -> None:
    signed = {name.lower(): value for name, value in headers(RAW, int(time.time())).items()}
    assert Android(settings()).verify(Call(RAW, JSON, headers=signed))


def test_every_event_state_and_reason_stands_for_something() -> None:
    assert set(EVENTS.values()) == set(STATES.values()) == set(Delivery)
    assert set(REASONS.values()) <= set(Reason)


def test_an_sms_that_is_posted_again_is_one_sms() -> None:
    """The app posts again for two days until it is answered, and each time the event has another id."""
    first, again = (phone(settings()).parse("", Call(body("sms:received", SMS, id=id_), JSON)) for id_ in ("a", "b"))
    assert first == again


def test_receipts_in_any_order_and_for_no_message_of_ours(installation: Installation) -> None:
    desk = Desk()
    desk.receive = ReceiptDesk(installation.store, installation.settings, installation.clock).receive  # type: ignore[method-assign,assignment]
    now = installation.clock.now
    draft = Draft(Kind.TEST, ONE, "Hello", OURS, now, now + timedelta(hours=1))
    with installation.store.write() as db:
        ids = [write(db, installation.keys, draft, now) for _ in range(3)]
        move(db, Move.BEGIN, ids, now)
        move(db, Move.DOUBT, ids[1:], now)  # the answer was lost
    told = settings()
    client = served(phone(told), told, desk).test_client()
    orders = {
        ids[0]: ("sent", "delivered", "sent"),
        ids[1]: ("delivered", "sent", "failed", "delivered"),
        ids[2]: ("failed", "failed", "sent"),
        "f" * 32: ("sent", "failed"),
        "someone-else-s": ("delivered",),
    }
    with captured():
        for id_, events in orders.items():
            for event in events:
                raw = body(f"sms:{event}", SENT | {"messageId": id_, "reason": "TTL expired"})
                assert client.post(PATH, data=raw, headers=headers(raw), content_type=JSON).status_code == 200
    with installation.store.read() as db:
        rows = {row.id: (row.state, row.reason) for row in db.execute(select(messages))}
    assert rows == {
        ids[0]: (State.DELIVERED, None),
        ids[1]: (State.DELIVERED, None),
        ids[2]: (State.UNDELIVERED, Reason.EXPIRED),
    }


# what goes out ------------------------------------------------------------------------------------

HTML = "<html><h1>Welcome to the hotel's network</h1>"
LATE = Unknown(Reason.NO_ANSWER, "no answer in time")
CUT = Unknown(Reason.CUT_OFF, "connection cut")


def state(id_: Any = MESSAGE, said: str = "Pending", error: str | None = None, **change: Any) -> str:
    """A message as the app describes it."""
    recipients = [{"phoneNumber": ONE, "state": said, "error": error}]
    described = {"id": id_, "deviceId": "ffffffffceb0b1db0000018e937c815b", "state": said, "isHashed": False,
                 "isEncrypted": False, "recipients": recipients, "states": {said: AT}}  # fmt: skip
    return json.dumps(described | change)


def taken(got: Got) -> Reply:
    return Reply(202, state(got.json["id"]))


def one(text: str = "Hello", number: str = ONE) -> tuple[Outgoing, ...]:
    return (Outgoing(MESSAGE, number, text),)


def said(label: str, reply: Reply, outcome: Outcome, seconds: float = 3.0) -> Out:
    """An answer, and what it means; it is asked for once only."""
    return Out(label, reply, (outcome,), one(), ({},), seconds)


def told(status: int, message: str, **more: str) -> Reply:
    return Reply(status, json.dumps({"message": message, **more}))


def text(label: str, text: str) -> Out:
    return Out(label, taken, (Accepted(MESSAGE),), one(text), ({"json": {"textMessage": {"text": text}}},))


LOGIN = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
WHOLE = {
    "id": MESSAGE, "textMessage": {"text": "Hi"}, "phoneNumbers": [ONE], "withDeliveryReport": True,
    "ttl": TTL_SECONDS,
}  # fmt: skip
CASES_OUT = [
    text("Latin", "Thank you! 1-5"),
    text("Khmer", KHMER),
    text("Khmer of many parts", LONG_KHMER * 10),
    text("emoji", "ល្អ 👍🏽"),
    text("signs that JSON is made of", '"\\/{}[]\u2028\n\t'),
    Out("all its fields, and no other", taken, (Accepted(MESSAGE),), one("Hi"), (
        {"method": "POST", "path": "/message", "body": json.dumps(WHOLE).encode(),
         "headers": {"authorization": LOGIN, "content-type": "application/json"}},)),
    Out("a login in Khmer", taken, (Accepted(MESSAGE),), one(), (
        {"headers": {"authorization": "Basic " + b64encode("ភូមិ:ពាក្យ".encode()).decode()}},),
        settings={"username": "ភូមិ", "password": "ពាក្យ"}),
    said("taken", Reply(202, state()), Accepted(MESSAGE)),
    said("taken, and nothing said", Reply(202), Accepted(MESSAGE)),
    said("taken under an id of its own", Reply(202, state("Ey6ECgOkVVFjz3CL48B8C")), Accepted("Ey6ECgOkVVFjz3CL48B8C")),
    said("taken under an id that is none", Reply(202, state("a\nb")), Accepted(MESSAGE)),
    said("taken, by an older app", Reply(201, state()), Accepted(MESSAGE)),
    said("taken before", told(409, "duplicate id"), Accepted(MESSAGE)),
    said("taken before, HTML", Reply(409, HTML), Accepted(MESSAGE)),
    said("HTML", Reply(200, HTML), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("empty", Reply(200), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("another message", Reply(200, state("f" * 32)), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("a list", Reply(200, "[1]"), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("bad number", told(400, "invalid phone number in row 1: +855100"),
         Refused(Reason.BAD_NUMBER, False, "HTTP 400 phone number")),
    said("no phone", told(400, "No devices registered"), Refused(Reason.SETUP, True, "HTTP 400")),
    said("another form", told(400, "Text message is empty"), Refused(Reason.SETUP, True, "HTTP 400")),
    said("another form, HTML", Reply(400, HTML), Refused(Reason.SETUP, True, "HTTP 400")),
    said("wrong password", Reply(401), Refused(Reason.SETUP, True, "HTTP 401")),
    said("forbidden", told(403, "Forbidden"), Refused(Reason.SETUP, True, "HTTP 403")),
    said("another address", Reply(404), Refused(Reason.SETUP, True, "HTTP 404")),
    said("another method", Reply(405), Refused(Reason.SETUP, True, "HTTP 405")),
    said("too many", Reply(429, headers={"Retry-After": "60"}), Refused(Reason.THROTTLED, True, "HTTP 429", after=60)),
    said("too many, without a delay", told(429, "Too Many Requests"), Refused(Reason.THROTTLED, True, "HTTP 429")),
    said("the phone was away", told(503, "queue limits exceeded: too old pending message", error="QueueLimitExceeded"),
         Refused(Reason.THROTTLED, True, "HTTP 503 queue limit")),
    said("unavailable", Reply(503, HTML), Unknown(Reason.UNCLEAR, "HTTP 503")),
    said("failed", told(500, "database is locked"), Unknown(Reason.UNCLEAR, "HTTP 500")),
    said("failed, it speaks of a phone number", told(500, "phone number"), Unknown(Reason.UNCLEAR, "HTTP 500")),
    said("bad gateway", Reply(502, HTML), Unknown(Reason.UNCLEAR, "HTTP 502")),
    said("too slow for a proxy", Reply(408), Unknown(Reason.NO_ANSWER, "HTTP 408")),
    said("moved", Reply(301, "", {"Location": "/messages"}), Refused(Reason.SETUP, True, "HTTP 301")),
    said("moved for ever", Reply(308, "", {"Location": "/messages"}), Refused(Reason.SETUP, True, "HTTP 308")),
    said("found", Reply(302, "", {"Location": "http://login.example/"}), Unknown(Reason.UNCLEAR, "HTTP 302")),
    said("cut off", Reply(202, state(), cut=10), CUT),
    said("cut off before the body", Reply(202, state(), cut=0), CUT),
    said("hung up", Reply(hang_up=True), CUT),
    said("slow", Reply(202, state(), delay=60), LATE, 0.5),
    said("dripping", Reply(202, state(), drip=0.1), LATE, 0.5),
    said("dripping head", Reply(202, state(), drip_head=0.05), LATE, 0.5),
    *(
        Out(f"no number: {number!r}", taken, (Refused(Reason.BAD_NUMBER, False),), one("Hi", number), ())
        for number in ("", "8550", "010000001", "+85510000001 +85512000002", "+៨៥៥១០០០០០០១")
    ),
    Out("each settled on its own",
        lambda got: told(400, "invalid phone number") if got.json["phoneNumbers"] == [TWO] else taken(got),
        (Accepted("a"), Refused(Reason.BAD_NUMBER, False, "HTTP 400 phone number"), Accepted("c")),
        (Outgoing("a", ONE, "Hi"), Outgoing("b", TWO, "Hi"), Outgoing("c", ONE, KHMER))),
    Out("nothing to send", taken, (), (), ()),
]  # fmt: skip


def sender(url: str | None, **changes: Any) -> AndroidSender:
    return AndroidSender(settings(base_url=url, **changes))


@pytest.mark.parametrize("case", CASES_OUT, ids=lambda case: case.label)
def test_how_we_ask_the_phone_to_send(case: Out) -> None:
    start = time.monotonic()
    send_out(case, lambda url: sender(url, **case.settings), [PASSWORD, LOGIN.split()[1], KHMER])
    assert time.monotonic() - start < case.seconds + 1


def test_the_cloud_server_has_its_own_path() -> None:
    with WireServer(taken) as server:
        made = sender(f"{server.url}/3rdparty/v1")
        assert made.send(one(), 3) == [Accepted(MESSAGE)]
        made.close()
    assert server.got[0].path == "/3rdparty/v1/message"


def test_a_phone_that_is_not_there_can_be_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    made = sender(f"http://127.0.0.1:{port}")
    assert made.send(one(), 3) == [Refused(Reason.GATEWAY_DOWN, True, "not sent: failed at connecting")]
    made.close()


# what it is asked afterwards ----------------------------------------------------------------------

SINCE = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
DOUBT = Doubtful(MESSAGE, ONE, "Hello", SINCE, SINCE + timedelta(seconds=30))


def look_up(reply: Reply, *doubtful: Doubtful, seconds: float = 3) -> list[Receipt]:
    with WireServer(reply) as server, captured() as lines:
        made = sender(server.url)
        try:
            receipts = made.look_up(doubtful or (DOUBT,), seconds)
        finally:
            made.close()
        assert [(got.method, got.path) for got in server.got][:1] == [("GET", f"/message/{MESSAGE}")]
        assert server.got[0].headers["authorization"] == LOGIN
    assert not any(secret in line for line in lines for secret in (ONE.lstrip("+"), PASSWORD))
    return receipts


@pytest.mark.parametrize(
    ("said", "error", "receipt"),
    [
        ("Pending", None, Receipt(OURS, MESSAGE, ON_THE_WAY, "Pending", None, MESSAGE)),
        ("Processed", None, Receipt(OURS, MESSAGE, ON_THE_WAY, "Processed", None, MESSAGE)),
        ("Sent", None, Receipt(OURS, MESSAGE, ON_THE_WAY, "Sent", None, MESSAGE)),
        ("Delivered", None, Receipt(OURS, MESSAGE, DELIVERED, "Delivered", None, MESSAGE)),
        ("Failed", None, Receipt(OURS, MESSAGE, FAILED, "Failed", Reason.UNCLEAR, MESSAGE)),
        ("Failed", "TTL expired", Receipt(OURS, MESSAGE, FAILED, "Failed, TTL expired", Reason.EXPIRED, MESSAGE)),
    ],
)
def test_what_became_of_a_message_in_doubt(said: str, error: str | None, receipt: Receipt) -> None:
    assert look_up(Reply(200, state(said=said, error=error))) == [receipt]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        Reply(401),
        Reply(500, state()),
        Reply(200, HTML),
        Reply(200, "[]"),
        Reply(200, state("f" * 32)),
        Reply(200, state(said="Pondering")),
        Reply(200, state(state=7)),
        Reply(200, state(), cut=9),
        Reply(hang_up=True),
    ],
)
def test_where_it_says_nothing_nothing_is_concluded(reply: Reply) -> None:
    assert look_up(reply) == []


@pytest.mark.parametrize("recipients", [None, 7, [], ["x"], {}, [{"error": 7}]])
def test_a_failure_without_a_reason_is_unclear(recipients: Any) -> None:
    (receipt,) = look_up(Reply(200, state(said="Failed", recipients=recipients)))
    assert (receipt.status, receipt.reason) == (FAILED, Reason.UNCLEAR)


def test_a_look_up_ends_in_time() -> None:
    start = time.monotonic()
    assert look_up(Reply(200, state(), drip=0.1), *[DOUBT] * 5, seconds=0.4) == []
    assert time.monotonic() - start < 1.5


# setting it up ------------------------------------------------------------------------------------


def test_the_address_to_paste_is_told(installation: Installation) -> None:
    def lines(told: Settings) -> list[str]:
        return [finding.says for finding in checks.findings(told, show_tokens=False) if finding.what == OURS]

    assert lines(installation.settings) == ["off: ANDROID_SIGNING_KEY is not set"]
    told = installation.settings.model_copy(update={"android_signing_key": KEY, "public_url": "https://mati.example"})
    assert lines(told) == ["every event: https://mati.example/hooks/android"]


def test_it_sends_once_address_and_login_are_set() -> None:
    given = {"android_base_url": "http://phone:8080/", "android_username": "sms", "android_password": "x"}
    assert config.load(providers="android", **given).can_send("android")
    with pytest.raises(config.SettingsError, match="ANDROID_PASSWORD: is not set"):
        config.load(providers="android", **given | {"android_password": ""})
