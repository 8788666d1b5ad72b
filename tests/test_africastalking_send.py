"""Sending through Africa's Talking, over real sockets, and the wire beneath it."""

import json
import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs
from urllib3.util.connection import create_connection

from gateway.config import Settings
from gateway.providers import wire
from gateway.providers.africastalking_send import THREADS, AfricasTalkingSender
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Unknown
from gateway.providers.wire import MOST_BYTES, Answer, Lost, NotSent, Wire
from tests.wire.server import Got, Reply, WireServer

KEY = "atsk_5e9c0d7a41b2f683"
ONE, TWO, THREE = "+85510000001", "+85512000002", "+85597000003"
KHMER = "សូមអរគុណ! លេខ ១ ដល់ ៥"
TEXT = "Thank you! Received."


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


Make = Callable[..., AfricasTalkingSender]


@pytest.fixture
def sender() -> Iterator[Make]:
    """Makes senders, which are closed in the end."""
    made = []

    def make(url: str | None, **changes: str) -> AfricasTalkingSender:
        given = {"username": "mati", "api_key": KEY, "base_url": url} | changes
        values: dict[str, Any] = {f"africastalking_{name}": value for name, value in given.items()}
        settings = Settings.model_construct(**values)
        made.append(AfricasTalkingSender(settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def answer(*recipients: dict[str, Any], message: str = "Sent to 1/1 Total Cost: KES 0.8000") -> str:
    return json.dumps({"SMSMessageData": {"Message": message, "Recipients": list(recipients)}})


def recipient(number: str, code: Any = 101, status: str = "Success", **changes: Any) -> dict[str, Any]:
    message_id = f"ATXid_{number[-3:]}" if str(code).startswith("1") else "None"
    given = {"statusCode": code, "number": number, "status": status, "cost": "KES 0.8000", "messageId": message_id}
    return given | changes


def take_all(got: Got) -> Reply:
    return Reply(body=answer(*map(recipient, got.form["to"].split(","))))


def batch(*numbers: str, text: str = TEXT) -> list[Outgoing]:
    return [Outgoing(f"m{i}", number, text) for i, number in enumerate(numbers)]


# what goes out ------------------------------------------------------------------------------------


def test_a_message_goes_out_with_exactly_the_fields_of_the_service(sender: Make) -> None:
    with WireServer(take_all) as server:
        assert sender(server.url).send(batch(ONE, text=KHMER), 5) == [Accepted("ATXid_001")]
    (got,) = server.got
    assert (got.method, got.path) == ("POST", "/version1/messaging")
    assert got.form == {"username": "mati", "to": ONE, "message": KHMER, "bulkSMSMode": "1"}
    assert got.headers["apikey"] == KEY
    assert got.headers["accept"] == "application/json"
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in got.headers


def test_a_sender_id_goes_with_it_when_it_is_set(sender: Make) -> None:
    with WireServer(take_all) as server:
        sender(server.url, sender="MATI").send(batch(ONE), 5)
    assert server.got[0].form["from"] == "MATI"


@pytest.mark.parametrize(
    ("username", "url", "address"),
    [
        ("mati", None, "https://api.africastalking.com/version1/messaging"),
        ("sandbox", None, "https://api.sandbox.africastalking.com/version1/messaging"),
        ("sandbox", "http://127.0.0.1:9999", "http://127.0.0.1:9999/version1/messaging"),
    ],
)
def test_the_sandbox_has_its_own_host(
    sender: Make, monkeypatch: pytest.MonkeyPatch, username: str, url: str | None, address: str
) -> None:
    asked = []

    def request(self: Wire, method: str, url: str, seconds: float, **parts: Any) -> Answer:
        asked.append((url, parts["data"]["username"]))
        return Answer(201, answer(recipient(ONE)).encode())

    monkeypatch.setattr(Wire, "request", request)
    assert sender(url, username=username).send(batch(ONE), 5) == [Accepted("ATXid_001")]
    assert asked == [(address, username)]


def test_one_text_to_several_numbers_is_one_request(sender: Make) -> None:
    with WireServer(take_all) as server:
        outcomes = sender(server.url).send(batch(ONE, TWO, THREE), 5)
    assert outcomes == [Accepted("ATXid_001"), Accepted("ATXid_002"), Accepted("ATXid_003")]
    assert [got.form["to"] for got in server.got] == [f"{ONE},{TWO},{THREE}"]


def test_different_texts_are_requests_side_by_side(sender: Make) -> None:
    slow = [Outgoing(str(i), ONE, f"text {i}") for i in range(THREADS)]
    with WireServer(lambda got: Reply(body=take_all(got).body, delay=0.3)) as server:
        start = time.monotonic()
        outcomes = sender(server.url).send(slow, 5)
    assert outcomes == [Accepted("ATXid_001")] * THREADS
    assert time.monotonic() - start < 0.3 * 3


def test_a_number_that_comes_twice_gets_two_requests(sender: Make) -> None:
    ids = iter(("first", "second"))
    with WireServer(lambda got: Reply(body=answer(recipient(ONE, messageId=next(ids))))) as server:
        outcomes = sender(server.url).send(batch(ONE, ONE), 5)
    assert set(outcomes) == {Accepted("first"), Accepted("second")}
    assert [got.form["to"] for got in server.got] == [ONE, ONE]


@pytest.mark.parametrize("bad", ["", "12", "010000001", "+855 10 000 001", "+85510000001,+1", "+៨៥៥១០០០០០០១", "+1\n"])
def test_a_bad_number_fails_alone(sender: Make, bad: str) -> None:
    with WireServer(take_all) as server:
        outcomes = sender(server.url).send(batch(ONE, bad, TWO), 5)
    assert outcomes == [Accepted("ATXid_001"), Refused(Reason.BAD_NUMBER, False), Accepted("ATXid_002")]
    assert server.got[0].form["to"] == f"{ONE},{TWO}"


def test_an_empty_batch_asks_nobody(sender: Make) -> None:
    with WireServer(take_all) as server:
        assert sender(server.url).send([], 5) == []
    assert server.connections == 0


def test_a_thousand_messages_take_no_more_connections_than_threads(sender: Make) -> None:
    texts = [Outgoing(str(i), ONE, f"Message {i}") for i in range(1000)]
    with WireServer(take_all) as server:
        out = sender(server.url)
        outcomes = [outcome for i in range(0, 1000, 32) for outcome in out.send(texts[i : i + 32], 30)]
    assert outcomes == [Accepted("ATXid_001")] * 1000
    assert {got.form["message"] for got in server.got} == {message.text for message in texts}
    assert len(server.got) == 1000
    assert server.connections <= THREADS


# what comes back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        (100, "Processed", Accepted("ATXid_001")),
        (101, "Success", Accepted("ATXid_001")),
        (102, "Queued", Accepted("ATXid_001")),
        ("101", "Success", Accepted("ATXid_001")),
        (401, "RiskHold", Refused(Reason.NOT_PERMITTED, False, "401 RiskHold")),
        (402, "InvalidSenderId", Refused(Reason.SETUP, False, "402 InvalidSenderId")),
        (403, "InvalidPhoneNumber", Refused(Reason.BAD_NUMBER, False, "403 InvalidPhoneNumber")),
        (404, "UnsupportedNumberType", Refused(Reason.NOT_MOBILE, False, "404 UnsupportedNumberType")),
        (405, "InsufficientBalance", Refused(Reason.NO_BALANCE, True, "405 InsufficientBalance")),
        (406, "UserInBlacklist", Refused(Reason.OPTED_OUT, False, "406 UserInBlacklist")),
        (407, "CouldNotRoute", Refused(Reason.NO_ROUTE, False, "407 CouldNotRoute")),
        (409, "DoNotDisturbRejection", Refused(Reason.NOT_PERMITTED, False, "409 DoNotDisturbRejection")),
        (500, "InternalServerError", Refused(Reason.GATEWAY_DOWN, True, "500 InternalServerError")),
        (501, "GatewayError", Refused(Reason.GATEWAY_DOWN, True, "501 GatewayError")),
        (502, "RejectedByGateway", Refused(Reason.GATEWAY_DOWN, True, "502 RejectedByGateway")),
        (499, "SomethingNew", Unknown(Reason.UNCLEAR, "499 SomethingNew")),
        (499, f"No luck with {ONE}", Unknown(Reason.UNCLEAR, "499")),
        (None, "Success", Unknown(Reason.UNCLEAR, "Success")),
        (ONE, "Success", Unknown(Reason.UNCLEAR, "Success")),
    ],
)
def test_each_status_code_of_a_recipient(sender: Make, code: Any, status: str, outcome: Outcome) -> None:
    with WireServer(Reply(body=answer(recipient(ONE, code, status)))) as server:
        assert sender(server.url).send(batch(ONE), 5) == [outcome]


def test_several_recipients_are_settled_each_on_its_own(sender: Make) -> None:
    said = answer(
        recipient("85597000003", 403, "InvalidPhoneNumber"),  # in another order, and without its +
        {"number": None},
        "nonsense",  # type: ignore[arg-type]
        recipient(f"00{ONE[1:]}"),
    )
    with WireServer(Reply(body=said)) as server:
        outcomes = sender(server.url).send(batch(ONE, TWO, THREE), 5)
    assert outcomes == [
        Accepted("ATXid_001"),
        Unknown(Reason.UNCLEAR, "HTTP 201 without a word on this number"),
        Refused(Reason.BAD_NUMBER, False, "403 InvalidPhoneNumber"),
    ]


@pytest.mark.parametrize("message_id", ["", "None", None, 7])
def test_an_acceptance_without_an_id_is_in_doubt(sender: Make, message_id: Any) -> None:
    with WireServer(Reply(body=answer(recipient(ONE, messageId=message_id)))) as server:
        assert sender(server.url).send(batch(ONE), 5) == [Unknown(Reason.UNCLEAR, "101 Success without id")]


def test_two_words_on_one_number_are_in_doubt(sender: Make) -> None:
    with WireServer(Reply(body=answer(recipient(ONE), recipient(ONE, 500, "InternalServerError")))) as server:
        (outcome,) = sender(server.url).send(batch(ONE), 5)
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/html", ""])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_json_is_read_whatever_its_type_is_called(sender: Make, kind: str, status: int) -> None:
    with WireServer(Reply(status, answer(recipient(ONE)), {"Content-Type": kind})) as server:
        assert sender(server.url).send(batch(ONE), 5) == [Accepted("ATXid_001")]


HTML = "<html><h1>Welcome to the hotel's network</h1>"
NO_WORD = " without a word on this number"
WHOLE_REQUESTS: dict[str, tuple[Reply, Outcome]] = {
    "wrong sender id": (
        Reply(201, answer(message="InvalidSenderId")),
        Refused(Reason.SETUP, False, "InvalidSenderId"),
    ),
    "another message": (Reply(201, answer(message="Oops")), Unknown(Reason.UNCLEAR, "HTTP 201" + NO_WORD)),
    "no message": (Reply(201, "{}"), Unknown(Reason.UNCLEAR, "HTTP 201" + NO_WORD)),
    "a list": (Reply(201, "[1]"), Unknown(Reason.UNCLEAR, "HTTP 201" + NO_WORD)),
    "nested without end": (Reply(200, "[" * 100_000), Unknown(Reason.UNCLEAR, "HTTP 200" + NO_WORD)),
    "no UTF-8": (Reply(200, b'{"a": "\xff"}'), Unknown(Reason.UNCLEAR, "HTTP 200" + NO_WORD)),
    "HTML": (Reply(200, HTML, {"Content-Type": "text/html"}), Unknown(Reason.UNCLEAR, "HTTP 200" + NO_WORD)),
    "empty": (Reply(201), Unknown(Reason.UNCLEAR, "HTTP 201" + NO_WORD)),
    "no content": (Reply(204), Unknown(Reason.UNCLEAR, "HTTP 204" + NO_WORD)),
    "cut in the body": (Reply(201, answer(recipient(ONE)), cut=20), Unknown(Reason.CUT_OFF, "connection cut")),
    "cut before the body": (Reply(201, answer(recipient(ONE)), cut=0), Unknown(Reason.CUT_OFF, "connection cut")),
    "hung up": (Reply(hang_up=True), Unknown(Reason.CUT_OFF, "connection cut")),
    "moved": (Reply(301, "", {"Location": "/version1/elsewhere"}), Refused(Reason.SETUP, True, "HTTP 301")),
    "found": (Reply(302, "", {"Location": "http://login.example/"}), Unknown(Reason.UNCLEAR, "HTTP 302")),
    "moved for ever": (Reply(308, "", {"Location": "/version1/elsewhere"}), Refused(Reason.SETUP, True, "HTTP 308")),
    "bad request": (Reply(400, "Bad"), Refused(Reason.SETUP, True, "HTTP 400")),
    "wrong key": (
        Reply(401, "The supplied authentication is invalid", {"Content-Type": "text/plain"}),
        Refused(Reason.SETUP, True, "HTTP 401"),
    ),
    "wrong address": (Reply(404, HTML), Refused(Reason.SETUP, True, "HTTP 404")),
    "too slow for a proxy": (Reply(408), Unknown(Reason.NO_ANSWER, "HTTP 408")),
    "too many": (Reply(429, "Slow down"), Refused(Reason.THROTTLED, True, "HTTP 429")),
    "broken": (Reply(500, answer(recipient(ONE))), Unknown(Reason.UNCLEAR, "HTTP 500")),
    "bad gateway": (Reply(502, HTML), Unknown(Reason.UNCLEAR, "HTTP 502")),
    "unavailable": (Reply(503), Unknown(Reason.UNCLEAR, "HTTP 503")),
    "slow": (Reply(201, answer(recipient(ONE)), delay=60), Unknown(Reason.NO_ANSWER, "no answer in time")),
    "dripping head": (
        Reply(201, answer(recipient(ONE)), drip_head=0.1),
        Unknown(Reason.NO_ANSWER, "no answer in time"),
    ),
    "dripping body": (Reply(201, answer(recipient(ONE)), drip=0.1), Unknown(Reason.NO_ANSWER, "no answer in time")),
}


@pytest.mark.parametrize("name", WHOLE_REQUESTS)
def test_what_goes_wrong_with_a_whole_request(sender: Make, name: str) -> None:
    reply, outcome = WHOLE_REQUESTS[name]
    seconds = 0.6
    with WireServer(reply) as server:
        start = time.monotonic()
        assert sender(server.url).send(batch(ONE, TWO), seconds) == [outcome, outcome]
        took = time.monotonic() - start
    assert took < seconds + 0.9
    assert len(server.got) == 1, "it was sent again"
    if outcome == Unknown(Reason.NO_ANSWER, "no answer in time"):
        assert took > seconds - 0.1


def test_a_service_that_is_not_there_can_be_asked_again(sender: Make) -> None:
    outcome = Refused(Reason.GATEWAY_DOWN, True, "not sent: failed at connecting")
    assert sender(f"http://127.0.0.1:{free_port()}").send(batch(ONE, TWO), 5) == [outcome, outcome]


def test_what_cannot_begin_in_time_is_not_begun(sender: Make) -> None:
    texts = [Outgoing(str(i), ONE, f"Message {i}") for i in range(THREADS + 4)]
    with WireServer(lambda got: Reply(body=take_all(got).body, delay=1.1)) as server:
        outcomes = sender(server.url).send(texts, 1.5)
    late = Refused(Reason.GATEWAY_DOWN, True, "not sent: the others took the time")
    assert sorted(map(str, outcomes)) == sorted(map(str, [Accepted("ATXid_001")] * THREADS + [late] * 4))
    assert len(server.got) == THREADS


def test_what_nobody_thought_of_is_an_outcome(sender: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def request(*_: Any, **__: Any) -> Answer:
        raise KeyError(f"{ONE} {KEY}")

    monkeypatch.setattr(Wire, "request", request)
    with capture_logs() as logs:
        assert sender(None).send(batch(ONE), 5) == [Unknown(Reason.UNCLEAR, "KeyError")]
    assert logs == [{"event": "africastalking.failed", "error": "KeyError", "log_level": "error"}]


def test_no_number_and_no_secret_is_said_or_logged(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"{ONE} {KEY} {TEXT}"
    replies = [
        *(reply for reply, outcome in WHOLE_REQUESTS.values() if "no answer in time" not in str(outcome)),
        Reply(201, answer(recipient(ONE, 499, echo, cost=echo), message=echo)),
        Reply(201, answer(message=echo)),
        Reply(401, echo),
        Reply(302, echo, {"Location": f"http://example.org/?{echo}"}),
        Reply(201, echo, {"Content-Length": "many", "X": echo}),
        Reply(201, echo, {echo: echo}),
    ]
    heard = []
    with WireServer(Reply()) as server, capture_logs() as logs:
        for reply in replies:
            server.script = lambda _, reply=reply: reply  # type: ignore[misc]
            heard += sender(server.url).send(batch(ONE), 0.5)
        heard += sender(f"http://127.0.0.1:{free_port()}").send(batch(ONE), 0.5)
        heard += sender(server.url, api_key=f"{KEY}\n").send(batch(ONE), 0.5)
        heard += sender(server.url, api_key=f"{KEY}ក").send(batch(ONE), 0.5)
    everything = f"{caplog.text} {logs} {heard}"
    for secret in (ONE, ONE[1:], KEY, TEXT):
        assert secret not in everything
    assert len(heard) == len(replies) + 3


# the wire beneath ---------------------------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[Wire]:
    line = Wire(threads=2)
    yield line
    line.close()


def test_what_never_went_out_is_told_from_what_was_lost(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSent, match="not sent: failed at connecting"):
        line.request("GET", f"http://127.0.0.1:{free_port()}/", 5)
    with WireServer(Reply(hang_up=True)) as server, pytest.raises(Lost, match="connection cut"):
        line.request("GET", server.url, 5)
    with WireServer(Reply(delay=9)) as server, pytest.raises(Lost, match="no answer in time"):
        line.request("GET", server.url, 0.2)
    with pytest.raises(NotSent, match="not sent: failed at the start"):
        line.request("GET", server.url, 0)
    with WireServer(Reply()) as server, pytest.raises(NotSent):
        line.request("GET", server.url, 5, headers={"apiKey": "ក"})
    assert server.got == []

    def nobody(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(NotSent, match="not sent: failed at the look-up of the name"):
        line.request("GET", "http://gateway.example/", 5)


def test_a_look_up_that_hangs_keeps_the_deadline(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> list[Any]:
        time.sleep(1.5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with takes(0.3), pytest.raises(NotSent, match="the look-up of the name"):
        line.request("GET", "http://gateway.example/", 0.3)


def test_an_address_that_does_not_answer_keeps_the_deadline(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer(Reply(200)) as server:

        def dead_first(address: tuple[str, int], seconds: float, **more: Any) -> socket.socket:
            if address[0] == "192.0.2.1":
                time.sleep(seconds)
                raise TimeoutError
            return create_connection(address, seconds, **more)

        monkeypatch.setattr(wire, "CONNECT_SECONDS", 0.2)
        monkeypatch.setattr(wire, "create_connection", dead_first)
        monkeypatch.setattr(wire, "_addresses", lambda *_: ["192.0.2.1", "127.0.0.1"])
        with takes(0.2):
            assert line.request("GET", server.url, 2).status == 200
        monkeypatch.setattr(wire, "_addresses", lambda *_: ["192.0.2.1"] * 9)
        with takes(0.5), pytest.raises(NotSent, match="connecting"):
            Wire(1).request("GET", server.url, 0.5)


def test_a_slow_connection_leaves_less_for_the_handshake(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*given: Any, **more: Any) -> socket.socket:
        time.sleep(0.7)
        return create_connection(*given, **more)

    monkeypatch.setattr(wire, "create_connection", slow)
    with silence() as url, takes(0.9, slack=0.4), pytest.raises(NotSent, match="the handshake"):
        line.request("GET", url, 0.9)


def test_no_redirect_is_followed_and_no_endless_body_read(line: Wire) -> None:
    long = b"x" * (MOST_BYTES + 100_000)
    for status in (200, 302, 307):
        endless = {"Location": "/again", "Content-Length": "1" + "0" * 12}
        with WireServer(Reply(status, long, endless)) as server:
            assert line.request("GET", server.url, 5) == Answer(status, long[:MOST_BYTES])
        assert len(server.got) == 1


def test_a_long_body_goes_out_whole(line: Wire) -> None:
    long = bytes(range(256)) * 500
    with WireServer(Reply(200)) as server:
        for _ in range(2):
            line.request("POST", server.url, 5, data=long)
    assert [got.body for got in server.got] == [long, long]
    assert server.connections == 1


def test_connections_are_used_again_but_not_once_stale(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer(Reply(200)) as server:
        for _ in range(5):
            line.request("GET", server.url, 5)
        assert server.connections == 1
        monkeypatch.setattr(wire, "IDLE_SECONDS", 0.1)
        time.sleep(0.15)
        line.request("GET", server.url, 5)
        assert server.connections == 2


def test_a_connection_that_the_server_closed_meanwhile_loses_nothing(line: Wire) -> None:
    with WireServer(Reply(200, close=True)) as server:
        for _ in range(5):
            assert line.request("GET", server.url, 5).status == 200
            time.sleep(0.02)
    assert len(server.got) == 5


def test_nothing_is_added_that_we_did_not_give(line: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with WireServer(Reply(200, headers={"Set-Cookie": "who=me"})) as server:
        line.request("GET", server.url, 5)
        line.request("GET", server.url, 5, auth=("user", "password"))
    first, second = server.got
    assert "authorization" not in first.headers
    assert second.headers["authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
    assert "cookie" not in second.headers


def test_a_problem_carries_nothing_of_the_request(line: Wire) -> None:
    for url in (f"http://127.0.0.1:{free_port()}/?password={KEY}&to={ONE}", f"ftp://{KEY}/{ONE}", f"http://{KEY}:x/"):
        with pytest.raises(NotSent) as caught:
            line.request("GET", url, 1, headers={"apiKey": f"{KEY}\n"} if "ftp" not in url else {})
        assert caught.value.__context__ is None
        text = "".join(traceback.format_exception(caught.value))
        assert KEY not in text
        assert ONE not in text


def test_a_proxy_of_the_environment_is_used(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer(Reply(200)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert line.request("GET", "http://gateway.example/path", 5).status == 200
        assert proxy.got[0].path == "http://gateway.example/path"
    with pytest.raises(NotSent):
        line.request("GET", "http://gateway.example/path", 5)


@pytest.mark.parametrize(
    "reply", [Reply(503), Reply(hang_up=True), Reply(200, drip_head=0.1)], ids=["says no", "hangs up", "drips"]
)
def test_what_a_proxy_does_not_let_through_was_not_sent(
    line: Wire, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    with WireServer(reply) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with takes(0, 0.4), pytest.raises(NotSent):
            line.request("POST", "https://gateway.example/path", 0.4, data={"to": ONE})
    assert [got.method for got in proxy.got] == ["CONNECT"]


def test_a_kind_of_proxy_that_would_not_tell_what_went_out_is_refused(
    line: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(NotSent):
        line.request("GET", "http://gateway.example/path", 5)
    monkeypatch.delenv("http_proxy")
    monkeypatch.setattr(wire, "_OURS", {})
    with WireServer(Reply(200)) as server, pytest.raises(NotSent):
        Wire(1).request("GET", server.url, 5)
    assert server.connections == 0


# TLS ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody else vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_stranger_s_certificate_gets_nothing(line: Wire, tls: ssl.SSLContext) -> None:
    with WireServer(Reply(200), tls) as server, pytest.raises(NotSent, match="the handshake"):
        line.request("POST", server.url, 5, data={"to": ONE})
    assert server.got == []


def test_a_handshake_that_never_ends_keeps_the_deadline(line: Wire) -> None:
    with silence() as url, takes(0.3), pytest.raises(NotSent, match="the handshake"):
        line.request("GET", url, 0.3)


def test_the_deadline_holds_over_tls(
    line: Wire, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with WireServer(Reply(200, "hello"), tls) as server:
        for _ in range(3):
            assert line.request("POST", server.url, 5, data={"to": ONE}) == Answer(200, b"hello")
        assert server.connections == 1
        for slow in (Reply(200, "hello", drip=0.2), Reply(200, "hello", drip_head=0.1), Reply(200, delay=5)):
            server.script = lambda _, slow=slow: slow  # type: ignore[misc]
            with takes(0.5), pytest.raises(Lost, match="no answer in time"):
                line.request("POST", server.url, 0.5, data={"to": ONE})


def test_a_server_that_reads_slowly_keeps_the_deadline(
    line: Wire, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def read() -> None:
            connection, _ = listener.accept()
            with suppress(OSError), tls.wrap_socket(connection, server_side=True) as secure:
                while secure.recv(16 * 1024):
                    time.sleep(0.01)

        threading.Thread(target=read, daemon=True).start()
        with takes(0.5), pytest.raises(Lost, match="no answer in time"):
            line.request("POST", f"https://127.0.0.1:{listener.getsockname()[1]}", 0.5, data=bytes(20_000_000))


# what the tests use -------------------------------------------------------------------------------


class takes:
    """Fails when what is inside does not take about so many seconds."""

    def __init__(self, least: float, most: float | None = None, slack: float = 0.9) -> None:
        self.least, self.most = least, slack + (least if most is None else most)

    def __enter__(self) -> None:
        self.start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        took = time.monotonic() - self.start
        assert self.least - 0.05 <= took < self.most


@contextmanager
def silence() -> Iterator[str]:
    """An address where connections are taken, and nothing ever said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"https://127.0.0.1:{silent.getsockname()[1]}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
