"""What strangers and providers get over HTTP, whatever they send; and that no log line tells on anybody."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text
from werkzeug.test import TestResponse

from gateway import create_app
from gateway.config import Settings
from gateway.models import store
from gateway.models.answers import answers
from gateway.models.conversations import conversations
from gateway.models.rounds import rounds
from gateway.providers import all_providers
from tests.conftest import TOKEN, Installation

ME, OTHER = "+85510000001", "+85512000002"
FOREIGN = "+254711000001"
SECOND_TOKEN, WRONG_TOKEN = "s" * 40, "w" * 40
AT = f"/hooks/africastalking/{TOKEN}"
STEP = {"sessionId": "ATUid_1", "phoneNumber": ME, "networkCode": "45606", "serviceCode": "*855#", "text": ""}
END = {
    "date": "2026-11-23 05:00:00", "sessionId": "ATUid_1", "serviceCode": "*855#", "networkCode": "45606",
    "phoneNumber": ME, "status": "Success", "cost": "KES 0", "durationInMillis": "1200", "hopsCount": "2",
    "input": "2*5", "lastAppResponse": "END Thank you! Received.",
}  # fmt: skip
SMS = {"id": "1", "from": ME, "to": "8550", "text": "hello", "date": "2026-11-23T05:00:00Z"}
RECEIPT = {"id": "ATXid_1", "status": "Success", "phoneNumber": ME, "networkCode": "45606"}
OPT_OUT = {"senderId": "MATI", "phoneNumber": ME}
FORMS = {"ussd": STEP, "ussd-end": END, "sms": SMS, "receipt": RECEIPT, "optout": OPT_OUT}
DIAL_AGAIN = "END Something went wrong. Please dial again."
NOT_NOW = "END Not possible just now. Nothing was kept. Please try again later."
FORM = "application/x-www-form-urlencoded"


on_sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is refused before a database is asked."""


@dataclass
class Web:
    """The gateway's web side, as a provider reaches it."""

    house: Installation
    app: Flask
    client: FlaskClient
    log: io.StringIO
    secret: list[str] = field(default_factory=lambda: [TOKEN, SECOND_TOKEN, WRONG_TOKEN])
    """What no line of the log may hold; the numbers are told by their last digits, however they are written."""

    def post(self, event: str, fields: dict[str, Any], token: str = TOKEN, **more: Any) -> TestResponse:
        """A form as Africa's Talking posts it; fields that are None are left out, a list comes several times."""
        given = {name: value for name, value in fields.items() if value is not None}
        return self.raw(event, urlencode(given, doseq=True).encode(), token, **more)

    def raw(self, event: str, body: bytes, token: str = TOKEN, **more: Any) -> TestResponse:
        path = f"/hooks/africastalking/{token}/{event}"
        return self.client.post(path, data=body, **({"content_type": FORM} | more))

    def dial(self, number: str, *inputs: str, session: str = "ATUid_1") -> str:
        """A whole session; the last screen."""
        for end in range(len(inputs) + 1):
            step = STEP | {"sessionId": session, "phoneNumber": number, "text": "*".join(inputs[:end])}
            answer = self.post("ussd", step)
            assert (answer.status_code, answer.mimetype) == (200, "text/plain")
        return answer.text

    def rated(self) -> list[int]:
        with self.house.store.read() as db:
            return sorted(db.scalars(select(answers.c.score)))

    def must_be_silent(self, printed: str) -> None:
        lines = self.log.getvalue() + printed
        for number in (ME, OTHER, FOREIGN):
            assert number[-8:] not in lines
        for secret in self.secret:
            assert secret not in lines
        for line in self.log.getvalue().splitlines():
            json.loads(line)


@pytest.fixture
def web(installation: Installation, capfd: pytest.CaptureFixture[str]) -> Iterator[Web]:
    """In English, with an open round. At its end its log is searched for numbers and tokens."""
    installation.open_round()
    house = installation
    yield from serve(house, house.settings, capfd)


def serve(house: Installation, settings: Settings, capfd: pytest.CaptureFixture[str], **changes: Any) -> Iterator[Web]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    tokens = (TOKEN, SECOND_TOKEN)
    hooks = {f"{provider}_webhook_tokens": tokens for provider in ("africastalking", "kannel", "http")}
    app = create_app(settings.model_copy(update={"default_language": "en"} | hooks | changes))
    log = io.StringIO()
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(log)
    served = Web(house, app, app.test_client(), log)
    yield served
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    served.must_be_silent("".join(capfd.readouterr()))


# what is as it should be ---------------------------------------------------------------------------


def test_a_session_from_welcome_to_thanks(web: Web) -> None:
    assert web.dial(ME).startswith("CON Rate commune services.")
    assert web.dial(ME, "1", "3", "2", "5", "1", session="ATUid_2") == "END Thank you! Received."
    assert web.rated() == [5]
    assert "hook" not in web.log.getvalue()


@on_sqlite_only
def test_an_answer_is_plain_text_that_nobody_guesses_to_be_a_page(web: Web) -> None:
    answer = web.post("ussd", STEP)
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


@on_sqlite_only
@pytest.mark.parametrize("number", ["+85510000001", " 85510000001", "85510000001", "0085510000001", "010000001"])
def test_a_number_may_come_in_any_of_its_forms(web: Web, number: str) -> None:
    web.dial(ME, "1", "3", "2", "5", session="first")
    web.dial(number, "2", "4", session="second")
    assert web.rated() == [4]


def test_fields_that_nobody_knows_do_no_harm(web: Web) -> None:
    extra = {"newField": "x", "phonenumber": OTHER, "PhoneNumber": "y", "": "", "text2": "*" * 5000}
    for event, fields in FORMS.items():
        assert web.post(event, fields | extra).status_code == 200
    assert web.post("ussd", STEP | extra | {"sessionId": "another"}).text.startswith("CON Rate")


# what is not as it should be -------------------------------------------------------------------------


@on_sqlite_only
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sessionId": None}, id="no session"),
        pytest.param({"sessionId": ""}, id="an empty session"),
        pytest.param({"sessionId": "   "}, id="a blank session"),
        pytest.param({"sessionId": ["1", "2"]}, id="two sessions"),
        pytest.param({"sessionId": "x" * 201}, id="an overlong session"),
        pytest.param({"sessionId": "x" * 60_000}, id="a very overlong session"),
        pytest.param({"sessionId": "a\0b"}, id="a zero byte"),
        pytest.param({"sessionId": b"\xff\xfe"}, id="no UTF-8 in a field"),
        pytest.param({"sessionId": b"\xed\xa0\x80"}, id="half a character"),
        pytest.param({"phoneNumber": None}, id="no number"),
        pytest.param({"phoneNumber": ""}, id="an empty number"),
        pytest.param({"phoneNumber": "MATI"}, id="a name for a number"),
        pytest.param({"phoneNumber": "8550"}, id="a short code for a number"),
        pytest.param({"phoneNumber": "+855"}, id="half a number"),
        pytest.param({"phoneNumber": "+"}, id="a plus for a number"),
        pytest.param({"phoneNumber": "+8551000000100000"}, id="too long a number"),
        pytest.param({"phoneNumber": f"{ME};{OTHER}"}, id="two numbers in one"),
        pytest.param({"phoneNumber": [ME, OTHER]}, id="two numbers"),
        pytest.param({"phoneNumber": "+855x0000001"}, id="a letter in a number"),
        pytest.param({"phoneNumber": ME + " " * 100}, id="an overlong number"),
        pytest.param({"phoneNumber": "☎️"}, id="a picture for a number"),
        pytest.param({"text": None}, id="no text"),
        pytest.param({"text": ["", "2"]}, id="two texts"),
        pytest.param({"text": "1" * 2001}, id="an overlong text"),
        pytest.param({"text": "1*" * 5000}, id="10,000 characters"),
        pytest.param({"text": "🙂" * 2001}, id="10,000 bytes of pictures"),
        pytest.param({"text": "*" * 100}, id="101 inputs"),
        pytest.param({"text": b"2*\xff"}, id="no UTF-8 in the text"),
        pytest.param({"text": "2\0*5"}, id="a zero byte in the text"),
        pytest.param({f"field{index}": "x" for index in range(100)}, id="a hundred fields"),
    ],
)
def test_a_ussd_request_that_is_malformed_gets_a_sentence_and_keeps_nothing(web: Web, change: dict[str, Any]) -> None:
    answer = web.post("ussd", STEP | change)
    assert (answer.status_code, answer.text) == (200, DIAL_AGAIN)
    with web.house.store.read() as db:
        assert db.execute(select(conversations)).all() == []
    assert json.loads(web.log.getvalue().splitlines()[0])["event"] == "hook.malformed"


@on_sqlite_only
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", FORM),
        (b"", ""),
        (b"&&&===&", FORM),
        (b"\xff\xfe\x00", FORM),
        (b"%ff%fe=%00", FORM),
        (json.dumps(STEP).encode(), "application/json"),
        (json.dumps(STEP).encode(), FORM),
        (urlencode(STEP).encode(), "application/json"),
        (urlencode(STEP).encode(), "text/plain"),
        (urlencode(STEP).encode(), ""),
        (b"--x\r\nContent-Disposition: form-data; name=sessionId\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
        (b"<xml/>", "text/xml"),
        (b"\x1f\x8b\x08", FORM),
    ],
)
def test_a_body_of_another_kind_gets_a_sentence_or_a_reason(web: Web, body: bytes, content_type: str) -> None:
    answer = web.raw("ussd", body, content_type=content_type)
    assert (answer.status_code, answer.text) == (200, DIAL_AGAIN)
    for event in set(FORMS) - {"ussd"}:
        answer = web.raw(event, body, content_type=content_type)
        assert answer.status_code == 400
        assert answer.text.strip()


@on_sqlite_only
@pytest.mark.parametrize(
    ("event", "change", "reason"),
    [
        ("ussd-end", {"sessionId": None}, "sessionId is missing"),
        ("ussd-end", {"status": None}, "status is missing"),
        ("ussd-end", {"sessionId": ["1", "2"]}, "a field comes twice"),
        ("ussd-end", {"status": "x" * 201}, "status is longer than 200 characters"),
        ("sms", {"id": None}, "id is missing"),
        ("sms", {"text": None}, "text is missing"),
        ("sms", {"from": [ME, OTHER]}, "a field comes twice"),
        ("sms", {"text": b"\xff"}, "the form is no UTF-8 text"),
        ("receipt", {"id": None}, "id is missing"),
        ("receipt", {"status": "\0"}, "status is empty"),
        ("optout", {"phoneNumber": f"{ME}x"}, "phoneNumber: a phone number has digits only"),
    ],
)
def test_what_else_is_malformed_gets_a_reason_that_repeats_nothing(
    web: Web, event: str, change: dict[str, Any], reason: str
) -> None:
    answer = web.post(event, FORMS[event] | change)
    assert (answer.status_code, answer.text) == (400, f"{reason}\n")


@on_sqlite_only
@pytest.mark.parametrize(
    "typed",
    [
        "hello",
        "🙂",
        "១២",
        "**",
        "*",
        "0*0*0",
        "9*9*9",
        " ",
        "5*",
        "%00",
        "2*5'; DROP TABLE answers",
        "٢",
        "-1",
        "+1",
        "2**",
    ],
)
def test_whatever_a_caller_types_gets_a_screen(web: Web, typed: str) -> None:
    web.dial(ME, "1", "3", session="first")
    for session, text_ in (("dialled", typed), ("first", f"1*3*{typed}")):
        answer = web.post("ussd", STEP | {"sessionId": session, "text": text_})
        assert answer.status_code == 200
        assert answer.text.startswith(("CON ", "END Goodbye."))
        assert len(answer.text) < 200
    assert web.rated() == []


@on_sqlite_only
def test_bodies_of_more_than_64_kib_are_refused(web: Web) -> None:
    fits = urlencode(STEP | {"x": ""}).encode().ljust(64 * 1024, b"x")
    assert web.raw("ussd", fits).status_code == 200
    for event in FORMS:
        assert web.raw(event, fits + b"x").status_code == 413
        assert web.raw(event, fits + b"x", token=WRONG_TOKEN).status_code == 413
    assert (
        web.client.post("/hooks/simulator/ussd", data=b" " * 70_000, content_type="application/json").status_code == 413
    )


@on_sqlite_only
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(web: Web, method: str) -> None:
    for event, fields in FORMS.items():
        assert web.client.open(f"{AT}/{event}", method=method, query_string=fields).status_code == 405


@on_sqlite_only
@pytest.mark.parametrize("path", ["", "/", "/ussd/", "/ussd/ussd", "/nothing", "/../ussd", "/%00", "/%ff", "//ussd"])
def test_other_paths_lead_nowhere(web: Web, path: str) -> None:
    assert web.client.post(AT + path, data=STEP).status_code in (308, 403, 404, 405)


# who may --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [WRONG_TOKEN, "x", TOKEN[:-1], TOKEN + "t", TOKEN.upper(), "%00", "%ff", "%E1%9E%80" * 40, " ", "undefined"],
)
def test_a_wrong_token_gets_403_and_changes_nothing(web: Web, token: str) -> None:
    for event, fields in FORMS.items():
        assert web.post(event, fields, token=token).status_code == 403
    with web.house.store.read() as db:
        assert db.execute(select(conversations)).all() == []


@pytest.mark.parametrize("token", [TOKEN, SECOND_TOKEN])
def test_two_tokens_are_good_while_one_takes_the_others_place(web: Web, token: str) -> None:
    assert web.post("ussd", STEP, token=token).text.startswith("CON Rate")


def test_without_a_token_nobody_gets_in(installation: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    for web in serve(installation, installation.settings, capfd, africastalking_webhook_tokens=()):
        for token in (TOKEN, "x", "()", "None", "''"):
            for event, fields in FORMS.items():
                assert web.post(event, fields, token=token).status_code == 403
        assert web.client.post("/hooks/africastalking//ussd", data=STEP).status_code in (308, 404)
        assert web.client.post("/hooks/africastalking/ussd", data=STEP).status_code == 404


SIMULATED = {"session": "s1", "number": ME, "input": None}


@on_sqlite_only
@pytest.mark.parametrize(
    ("public", "address", "status"),
    [
        (None, "127.0.0.1", 200),
        (None, "127.8.8.8", 200),
        (None, "::1", 200),
        ("http://localhost:8000", "127.0.0.1", 200),
        (None, "10.0.0.5", 403),
        (None, "203.0.113.9", 403),
        (None, "::2", 403),
        (None, "", 403),
        ("https://mati.example.org", "127.0.0.1", 403),  # there a proxy on this machine hands all the world in
        ("https://mati.example.org", "203.0.113.9", 403),
    ],
)
def test_the_simulator_is_open_to_this_machine_alone(
    installation: Installation, capfd: pytest.CaptureFixture[str], public: str | None, address: str, status: int
) -> None:
    for web in serve(installation, installation.settings, capfd, public_url=public):
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Host": "localhost"}):
            for event, body in (("ussd", SIMULATED), ("sms", SMS), ("inbox", {"number": ME})):
                answer = web.client.post(
                    f"/hooks/simulator/{event}", json=body, headers=headers, environ_base={"REMOTE_ADDR": address}
                )
                assert answer.status_code == status


@on_sqlite_only
@pytest.mark.parametrize(
    "change",
    [
        {"session": None},
        {"session": 5},
        {"session": ["s"]},
        {"session": "\ud800"},
        {"number": "MATI"},
        {"number": 85510000001},
        {"input": "1"},
        {"input": "1", "position": "1"},
        {"input": "1", "position": True},
        {"input": "1", "position": 0},
        {"input": "1", "position": -1},
        {"input": "1", "position": 10**30},
        {"input": "1", "position": 1.5},
        {"input": {}, "position": 1},
        {"input": "x" * 2001, "position": 1},
        {"dialled": "x" * 2001},
        {"dialled": {"a": 1}},
    ],
)
def test_a_malformed_request_of_the_simulator_gets_a_sentence(web: Web, change: dict[str, Any]) -> None:
    answer = web.client.post("/hooks/simulator/ussd", json=SIMULATED | change)
    assert answer.status_code == 200
    assert answer.json == {"text": DIAL_AGAIN.removeprefix("END "), "ends": True}


@on_sqlite_only
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"1", b'"x"', b"{", b"\xff", b"[" * 30_000, b'{"a":NaN}'])
def test_a_body_of_the_simulator_that_is_no_json_object_gets_a_sentence(web: Web, body: bytes) -> None:
    answer = web.client.post("/hooks/simulator/ussd", data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (200, {"text": DIAL_AGAIN.removeprefix("END "), "ends": True})
    for event in ("sms", "inbox"):
        answer = web.client.post(f"/hooks/simulator/{event}", data=body, content_type="application/json")
        assert answer.status_code == 400


# the end of a session -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Success", "Incomplete", "Failed", "Pondering", f"told to {ME}", "x" * 200, "🙂"])
def test_the_end_of_a_session_is_taken_in_whatever_its_status(web: Web, status: str) -> None:
    web.dial(ME, "1", "3")
    for fields in (END, END | {"sessionId": "never heard of"}, END | {"errorMessage": f"no {ME}"}):
        for _ in range(2):
            answer = web.post("ussd-end", fields | {"status": status})
            assert (answer.status_code, answer.text) == (200, "")
    redial = web.dial(ME, session="ATUid_2")
    assert redial.startswith("CON Service:" if status == "Success" else "CON You were cut off.")


@pytest.mark.parametrize("status", ["Sent", "Success", "Failed", "Pondering", f"told to {ME}"])
def test_a_receipt_is_taken_in_whatever_its_status(web: Web, status: str) -> None:
    for _ in range(2):
        assert web.post("receipt", RECEIPT | {"status": status, "failureReason": f"of {ME}"}).status_code == 200


def test_a_number_of_another_country_is_told_so(web: Web) -> None:
    answer = web.post("ussd", STEP | {"phoneNumber": FOREIGN})
    assert answer.text == "END This service is for phones of this country only. Thank you."


# when something is broken ------------------------------------------------------------------------


@pytest.fixture
def quick_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.1)


@pytest.fixture
def broken(
    request: pytest.FixtureRequest,
    quick_to_give_up: None,
    installation: Installation,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Web]:
    """The gateway serves, somebody has called, and then its database is read-only, locked or gone."""
    installation.open_round()
    how, url = request.param, installation.store.url
    if how == "read-only" and url.get_backend_name() == "sqlite":
        changes = {"database_url": f"sqlite:///file:{url.database}?mode=ro&uri=true"}
    else:
        changes = {}
    for web in serve(installation, installation.settings, capfd, **changes):
        if not changes:
            assert web.dial(ME, "1", "3", "2").startswith("CON Health centre")
        yield from (on_sqlite if installation.store.is_sqlite else on_postgresql)(how, web)


def on_sqlite(how: str, web: Web) -> Iterator[Web]:
    path = Path(str(web.house.store.url.database))
    if how == "locked":
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield web
        other.close()
        return
    if how == "gone":
        for file in path.parent.glob(f"{path.name}*"):
            file.write_bytes(b"gone" * 4096)
    yield web


def on_postgresql(how: str, web: Web) -> Iterator[Web]:
    url = web.house.store.url
    name = f'"{url.database}"'
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as admin:
        if how == "gone":
            admin.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        elif how == "read-only":
            admin.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        if how != "locked":
            others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            admin.execute(others, {"name": url.database})
            yield web
            admin.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
            admin.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        else:
            admin.execute(text(f"ALTER DATABASE {name} SET lock_timeout = '100ms'"))
            others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            admin.execute(others, {"name": url.database})
            holder = create_engine(url)
            with holder.begin() as lock:
                lock.execute(text("LOCK TABLE conversations, inbound, receipts, opt_outs IN ACCESS EXCLUSIVE MODE"))
                yield web
            holder.dispose()
    engine.dispose()


@pytest.mark.parametrize("broken", ["read-only", "locked", "gone"], indirect=True)
def test_without_its_database_ussd_says_so_and_the_rest_asks_to_come_again(broken: Web) -> None:
    for step in (STEP | {"text": "1*3*2*5"}, STEP | {"sessionId": "new"}, STEP | {"sessionId": "newer", "text": "2*5"}):
        answer = broken.post("ussd", step)
        assert (answer.status_code, answer.text) == (200, NOT_NOW)
    answer = broken.client.post("/hooks/simulator/ussd", json=SIMULATED)
    assert (answer.status_code, answer.json) == (200, {"text": NOT_NOW.removeprefix("END "), "ends": True})
    for event in ("ussd-end", "sms", "receipt", "optout"):
        answer = broken.post(event, FORMS[event])
        assert (answer.status_code, answer.text) == (503, "Not possible just now; please send it again.\n")
    # what does not need it is not touched by it
    assert broken.post("ussd", STEP | {"phoneNumber": FOREIGN}).text.startswith("END This service is for phones of")
    assert broken.post("ussd", STEP | {"phoneNumber": "x"}).text == DIAL_AGAIN
    assert broken.post("sms", SMS, token=WRONG_TOKEN).status_code == 403
    assert broken.client.get("/healthz").status_code == 200


@pytest.mark.parametrize("broken", ["gone"], indirect=True)
def test_without_its_database_the_pages_say_so_and_readyz_knows(broken: Web) -> None:
    for path in ("/", "/handset", "/readyz"):
        answer = broken.client.get(path)
        assert answer.status_code == 503
        assert "Traceback" not in answer.text
        assert "select" not in answer.text.lower()


@on_sqlite_only
def test_a_database_that_is_locked_for_a_moment_is_waited_for(web: Web) -> None:
    assert web.dial(ME, "1", "3", "2").startswith("CON Health centre")
    path = str(web.house.store.url.database)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, other.close).start()
    assert web.post("ussd", STEP | {"text": "1*3*2*5"}).text.startswith("CON You are:")
    assert web.rated() == [5]


def test_without_the_rounds_key_nothing_is_rated_and_the_caller_is_told(web: Web) -> None:
    with web.house.store.read() as db:
        web.house.keys.destroy_round(str(db.scalar(select(rounds.c.key))))
    assert web.dial(ME, "1", "3", "2", "5") == NOT_NOW
    assert web.dial(OTHER, "1", "3", "2", session="other").startswith("CON Health centre")
    rest = STEP | {"phoneNumber": OTHER, "sessionId": "other", "text": "1*3*2*5*1"}
    assert web.post("ussd", rest).text == NOT_NOW
    assert web.rated() == []
    # the talk stands where it stood: with the key back it goes on
    assert web.post("ussd", STEP | {"text": "1*3*2"}).text.startswith("CON Health centre")


def test_what_nobody_thought_of_gets_a_sentence_and_a_line_in_the_log(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"{ME} at /hooks/africastalking/{TOKEN}/ussd")

    monkeypatch.setattr("gateway.conversation.find_conversations", broken)
    monkeypatch.setattr("gateway.receipts._find", broken)
    assert web.post("ussd", STEP).text == NOT_NOW
    assert web.post("receipt", RECEIPT).status_code == 503
    assert "RuntimeError" in web.log.getvalue()


# whatever a stranger can send -------------------------------------------------------------------------

NAMES = ("sessionId", "phoneNumber", "text", "status", "id", "from", "to", "date", "session", "number", "input",
         "position", "dialled", "shown", "failureReason", "MessageSid", "From", "Body", "event", "payload")  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from([ME, OTHER, FOREIGN, "", "1", "2*5", "8*4*1", "0", "9", "ATUid_1", "Success", "STOP", "1 3 2 5"]),
    st.text(max_size=30),
)
FIELDS = st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), TEXTS, max_size=8)
JSONS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)),
    max_leaves=12,
)


def encoded(fields: dict[str, str]) -> bytes:
    return urlencode({name.encode("utf-8", "surrogatepass"): value.encode("utf-8", "surrogatepass")
                      for name, value in fields.items()}).encode()  # fmt: skip


BODIES = st.one_of(
    st.builds(lambda fields: (encoded(STEP | fields), FORM), FIELDS),
    st.builds(lambda fields: (encoded(fields), FORM), FIELDS),
    st.builds(lambda fields: (json.dumps(SIMULATED | fields).encode(), "application/json"), FIELDS),
    st.builds(lambda value: (json.dumps(value).encode(), "application/json"), JSONS),
    st.tuples(st.binary(max_size=200), st.sampled_from([FORM, "application/json", "text/plain", ""])),
)


def test_nothing_a_stranger_sends_makes_a_server_error(web: Web) -> None:
    """To every webhook there is, in the body and in the query."""
    paths = [
        "/".join(("/hooks", provider.name, *([TOKEN] if provider.token_in_path else []), *([event] if event else [])))
        for provider in all_providers(web.house.settings)
        for event in provider.events or ("",)
    ] + [f"{AT}/ussd"] * 4
    assert len(paths) > 10

    @settings(
        max_examples=500 if web.house.store.is_sqlite else 150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(path=st.sampled_from(paths), body=BODIES, method=st.sampled_from(["POST", "POST", "POST", "GET"]))
    def send(path: str, body: tuple[bytes, str], method: str) -> None:
        data, content_type = body
        query = data if method == "GET" else b""
        answer = web.client.open(
            path, method=method, data=data, content_type=content_type, query_string=query.decode("latin-1")
        )
        assert answer.status_code < 500
        if method == "POST" and path == f"{AT}/ussd":
            assert answer.status_code == 200
            assert answer.text.startswith(("CON ", "END "))

    send()


@on_sqlite_only
def test_every_log_line_of_a_whole_day_is_searched(web: Web) -> None:
    """The search itself: had a number or a token been logged, it would be found."""
    logging.getLogger("some.library").warning("request to %s from %s", f"{AT}/ussd", ME)
    structlog.get_logger().warning("something", number=ME, deep={"list": [f"x {OTHER} y"]})
    lines = web.log.getvalue()
    assert lines.count("[number]") == 3
    assert "[token]" in lines
