"""Kannel's table: how it calls us, and how we ask it to send. What it writes was read off Kannel 1.4.5."""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from structlog.testing import capture_logs

from gateway.config import Settings
from gateway.providers.base import (
    LONGEST_SMS,
    Accepted,
    Call,
    Delivery,
    InboundSms,
    Outcome,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Unknown,
)
from gateway.providers.kannel import MOST_FIELDS, Kannel
from gateway.providers.kannel_send import KannelSender
from gateway.providers.one_by_one import THREADS
from gateway.providers.wire import Answer, Wire
from tests.wire.harness import In, Out, send_out, take_in
from tests.wire.server import Reply, WireServer

OURS = "kannel"
TOKEN, OLD = "n" * 40, "o" * 40
PASSWORD = "k4nn3l&s3cr3t"
ONE, TWO = "+85510000001", "+85512000002"
UUID = "880f028d-48dc-47eb-abcd-183bee845822"
MESSAGE = "0123456789abcdef0123456789abcdef"
KHMER = "១ ២ ៥ អរគុណ"
EMOJI = "ល្អ 👍🏽"
GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà\f^{}\\[~]|€"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# what comes in ------------------------------------------------------------------------------------

SMS = {
    "id": UUID, "from": ONE, "to": "8550", "text": "1 2 5", "coding": "0", "charset": "UTF-8", "time": "1795309775",
    "smsc": "smart",
}  # fmt: skip
RECEIPT = {"m": MESSAGE, "status": "1", "answer": "", "smsc": "smart"}
UCS2 = {"coding": "2", "charset": "UTF-16BE"}


def address(event: str, fields: dict[str, Any]) -> str:
    """As Kannel writes it; fields that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    return f"/hooks/kannel/{{token}}/{event}?{urlencode(given)}"


def sms(label: str, change: dict[str, Any], sender: str | None = ONE, text: str = "1 2 5") -> In:
    """An SMS, and what it is taken for."""
    taken = InboundSms(OURS, UUID, sender, text)
    return In(label, address("sms", SMS | change), answer="", events=(taken,), method="GET")


def khmer(label: str, text: str, **change: Any) -> In:
    """An SMS in UCS-2."""
    return sms(label, UCS2 | {"text": text.encode("utf-16-be")} | change, text=text)


def receipt(
    label: str, status: str, answer: str | bytes, delivery: Delivery | None, said: str, reason: Reason | None = None
) -> In:
    """A delivery report, and what it is taken for."""
    taken = Receipt(OURS, MESSAGE, delivery, said, reason, MESSAGE)
    fields = RECEIPT | {"status": status, "answer": answer}
    return In(label, address("receipt", fields), answer="", events=(taken,), method="GET")


def smpp(word: str) -> str:
    """A receipt of SMPP 3.4 (appendix B) that quotes the beginning of our message, which quotes a receipt."""
    return f"id:7 sub:001 dlvrd:001 submit date:2611220110 done date:2611220110 stat:{word} err:045 text:stat:DELIVRD"


def malformed(label: str, reason: str, change: dict[str, Any], event: str = "sms") -> In:
    """A request without its form."""
    fields = (SMS if event == "sms" else RECEIPT) | change
    return In(label, address(event, fields), status=400, answer=f"{reason}\n", method="GET")


ON_THE_WAY, DELIVERED, FAILED = Delivery
POSTED_SMS = (InboundSms(OURS, UUID, ONE, "1 2 5"),)
CASES_IN = [
    # SMS
    sms("GSM text", {}),
    In("the old token", address("sms", SMS).replace("{token}", OLD), events=(InboundSms(OURS, UUID, ONE, "1 2 5"),)),
    sms("without +", {"from": "85510000001"}),
    sms("with 00", {"from": "0085510000001"}),
    sms("a number of the country", {"from": "010000001"}),
    sms("a + that was not encoded", {"from": " 85510000001"}),
    sms("another country's number", {"from": "+66812345678"}, sender="+66812345678"),
    sms("an advert's name", {"from": "SmartPromo"}, sender=None),
    sms("an advert's name in Khmer", {"from": "ស្មាត"}, sender=None),
    sms("a name that is no UTF-8", {"from": b"Prom\xe9"}, sender=None),
    sms("a short code", {"from": "8888"}, sender=None),
    sms("nobody", {"from": ""}, sender=None),
    sms("no text", {"text": ""}, text=""),
    sms("the whole GSM alphabet", {"text": GSM}, text=GSM),
    sms("%, + and &", {"text": "100% + a&b=c"}, text="100% + a&b=c"),
    sms("extra fields", {"somethingNew": "x", "meta": "%00%ff"}),
    sms("an empty smsc, no receiver, no time", {"smsc": "", "to": None, "time": None}),
    sms("neither coding nor charset", {"coding": None, "charset": None}),
    sms("a coding not told", {"coding": "-1", "charset": ""}),
    sms("recoded by Kannel (mo-recode)", {"text": KHMER}, text=KHMER),
    sms("an operator's Latin-1", {"text": b"caf\xe9", "charset": "ISO-8859-1"}, text="café"),
    sms("bytes", {"text": b"caf\xe9", "coding": "1", "charset": "8-BIT"}, text="café"),
    sms("bytes without charset", {"text": b"\x01\xff", "coding": "1", "charset": None}, text="\x01ÿ"),
    sms("the longest", {"text": "x" * LONGEST_SMS}, text="x" * LONGEST_SMS),
    sms("a UUID in capitals", {"id": UUID.upper()}),
    khmer("Khmer", KHMER),
    khmer("Khmer without charset", KHMER, charset=None),
    khmer("Khmer, charset in small letters", KHMER, charset="utf-16be"),
    khmer("Khmer of many parts", "សួស្តី " * 300),
    khmer("emoji", EMOJI),
    khmer("Latin in UCS-2", "1 2 5"),
    khmer("signs that an address is made of", "&=+%#?"),
    In("a POST to the address", address("sms", SMS), events=POSTED_SMS),
    In("a POST with the text as its body too", address("sms", SMS), b"1 2 5", events=POSTED_SMS,
       content_type='text/plain; charset="UTF-8"'),
    In("a POST of a form", "/hooks/kannel/{token}/sms", urlencode(SMS), answer="", events=POSTED_SMS),
    # delivery reports
    receipt("delivered", "1", "", DELIVERED, "1"),
    receipt("delivered, the centre's words", "1", smpp("DELIVRD"), DELIVERED, "1 DELIVRD"),
    receipt("failed", "2", "", FAILED, "2", Reason.UNCLEAR),
    receipt("undeliverable", "2", smpp("UNDELIV"), FAILED, "2 UNDELIV", Reason.UNREACHABLE),
    receipt("expired", "2", smpp("EXPIRED"), FAILED, "2 EXPIRED", Reason.EXPIRED),
    receipt("rejected", "2", smpp("REJECTD"), FAILED, "2 REJECTD", Reason.FILTERED),
    receipt("deleted", "2", smpp("DELETED"), FAILED, "2 DELETED", Reason.UNCLEAR),
    receipt("unknown", "2", smpp("UNKNOWN"), FAILED, "2 UNKNOWN", Reason.UNCLEAR),
    receipt("a word nobody listed", "2", smpp("PONDERED"), FAILED, "2 PONDERED", Reason.UNCLEAR),
    receipt("buffered", "4", smpp("ENROUTE"), ON_THE_WAY, "4 ENROUTE"),
    receipt("taken by the centre", "8", "ACK/", ON_THE_WAY, "8"),
    receipt("not taken", "16", "NACK/", FAILED, "16", Reason.UNCLEAR),
    receipt("no such number", "16", "NACK/0x0000000b/Invalid Destination Address", FAILED, "16 0x0000000b",
            Reason.BAD_NUMBER),
    receipt("no such sender", "16", "NACK/0x0000000a/Invalid Source Address", FAILED, "16 0x0000000a", Reason.SETUP),
    receipt("an operator's own code", "16", "NACK/0x00000400/Vendor-specific error", FAILED, "16 0x00000400",
            Reason.UNCLEAR),
    receipt("given up", "16", "NACK/Retries Exceeded", FAILED, "16 Retries Exceeded", Reason.EXPIRED),
    receipt("too late", "16", "NACK/validity expired", FAILED, "16 validity expired", Reason.EXPIRED),
    receipt("listed", "16", "NACK/receiver in black-list", FAILED, "16 receiver in black-list", Reason.NOT_PERMITTED),
    receipt("expired, as some say it", "34", "", FAILED, "34", Reason.EXPIRED),
    receipt("unknown, as some say it", "66", "", FAILED, "66", Reason.UNCLEAR),
    receipt("the centre's word goes before the number", "34", smpp("REJECTD"), FAILED, "34 REJECTD", Reason.FILTERED),
    receipt("4 and 8", "12", "", ON_THE_WAY, "12"),
    receipt("8 and 1", "9", "", DELIVERED, "9"),
    receipt("all that is good", "13", "", DELIVERED, "13"),
    receipt("8 and 2", "10", smpp("UNDELIV"), FAILED, "10 UNDELIV", Reason.UNREACHABLE),
    receipt("2 and 16", "18", "", FAILED, "18", Reason.UNCLEAR),
    receipt("1 and 2", "3", "", None, "3"),
    receipt("1 and 16", "17", "", None, "17"),
    receipt("nothing", "0", "", None, "0"),
    receipt("a bit nobody listed", "32", "", None, "32"),
    receipt("such a bit beside a known one", "33", "", None, "33"),
    receipt("a number nobody listed", "999", smpp("UNDELIV"), None, "999 UNDELIV"),
    receipt("less than nothing", "-1", "", None, "no number"),
    receipt("no number", "DELIVRD", "", None, "no number"),
    receipt("a phone number for a status", ONE, ONE, None, "no number"),
    receipt("digits in Khmer", "១", "", None, "no number"),
    receipt("Khmer in the answer", "1", smpp("DELIVRD").encode() + KHMER.encode("utf-16-be"), DELIVERED, "1 DELIVRD"),
    receipt("any bytes in the answer", "2", b"\x00\xff\xfe stat:EXPIRED ", FAILED, "2 EXPIRED", Reason.EXPIRED),
    receipt("a number in the answer", "16", f"NACK/{ONE}", FAILED, "16", Reason.UNCLEAR),
    receipt("a long answer", "1", "x" * 20_000, DELIVERED, "1"),
    In("a message that does not exist", address("receipt", RECEIPT | {"m": "nix"}),
       events=(Receipt(OURS, "nix", DELIVERED, "1", message="nix"),), method="GET"),
    In("neither answer nor smsc", address("receipt", {"m": MESSAGE, "status": "8"}), method="POST",
       events=(Receipt(OURS, MESSAGE, ON_THE_WAY, "8", message=MESSAGE),)),
    # strangers
    *(
        In(f"{label}, {event}", address(event, fields).replace("{token}", token), status=403, method=method)
        for event, fields in (("sms", SMS), ("receipt", RECEIPT))
        for label, token, method in [
            ("no token of ours", "x" * 40, "GET"),
            ("a token cut short", TOKEN[:-1], "GET"),
            ("a token with something more", f"{TOKEN}n", "POST"),
            ("a token in capitals", TOKEN.upper(), "GET"),
            ("a token of other letters", "ក" * 40, "GET"),
        ]
    ),
    In("no token", "/hooks/kannel/sms?" + urlencode(SMS), status=404, method="GET"),
    In("another event", address("optout", SMS), status=404, method="GET"),
    In("another method", address("sms", SMS), status=405, method="PUT"),
    # malformed
    malformed("no sender", "from is missing", {"from": None}),
    malformed("no text at all", "text is missing", {"text": None}),
    malformed("a text too long", f"text is longer than {LONGEST_SMS} characters", {"text": "x" * (LONGEST_SMS + 1)}),
    malformed("no UTF-8", "text is no UTF-8", {"text": b"caf\xe9"}),
    malformed("a UTF-8 of surrogates", "text is no UTF-8", {"text": b"\xed\xa0\xbd"}),
    malformed("an odd number of bytes", "text is no UTF-16BE", UCS2 | {"text": KHMER.encode("utf-16-be")[:-1]}),
    malformed("half an emoji", "text is no UTF-16BE", UCS2 | {"text": b"\xd8\x3d"}),
    malformed("the other half", "text is no UTF-16BE", UCS2 | {"text": b"\xdc\x4d\x00a"}),
    malformed("UTF-8 that says it is UCS-2", "text is no UTF-16BE", UCS2 | {"text": "abc"}),
    malformed("an unknown charset", "charset or coding is none that we know", {"charset": "rot13"}),
    malformed("an unknown coding", "charset or coding is none that we know", {"charset": "", "coding": "7"}),
    malformed("neither id nor time", "id and time are empty: nothing tells a repeat from a new SMS",
              {"id": "", "time": " "}),
    malformed("no message", "m is missing", {"m": None}, "receipt"),
    malformed("an empty message", "m is empty", {"m": " "}, "receipt"),
    malformed("a message too long", "m is longer than 200 characters", {"m": "x" * 201}, "receipt"),
    malformed("no status", "status is missing", {"status": None}, "receipt"),
    malformed("an empty status", "status is empty", {"status": ""}, "receipt"),
    malformed("a status too long", "status is longer than 200 characters", {"status": "1" * 201}, "receipt"),
    malformed("too many fields", "the address has too many fields", dict.fromkeys(map(str, range(MOST_FIELDS)), "x")),
    *(
        In(f"{label}, {event}", address(event, fields) + more, body, 400, answer, method=method)
        for event, fields in (("sms", SMS), ("receipt", RECEIPT))
        for label, more, body, answer, method in [
            ("a field twice", "&smsc=smart", b"", "a field comes twice\n", "GET"),
            ("a field twice, once encoded", "&%73msc=x", b"", "a field comes twice\n", "GET"),
            ("a field in the address and in the form", "", b"smsc=metfone", "a field comes twice\n", "POST"),
            ("bare bytes", "&more=ក", b"", "the address is not percent-encoded\n", "GET"),
        ]
    ),
    In("JSON", "/hooks/kannel/{token}/sms", b"{}", 400, "from is missing\n", content_type="application/json"),
]  # fmt: skip


def settings(**changes: Any) -> Settings:
    given = {"webhook_tokens": (TOKEN, OLD), "username": "mati", "password": PASSWORD, "sender": "8550"} | changes
    values: dict[str, Any] = {f"kannel_{name}": value for name, value in given.items()}
    return Settings.model_construct(public_url="https://mati.example.org", **values)


@pytest.mark.parametrize("case", CASES_IN, ids=lambda case: case.label)
def test_what_kannel_calls_us_with(case: In) -> None:
    told = settings()
    take_in(case, Kannel(told), told, [TOKEN, OLD, ONE.lstrip("+"), KHMER], TOKEN)


@pytest.mark.parametrize("case", [case for case in CASES_IN if case.status == 200], ids=lambda case: case.label)
def test_without_a_token_set_nobody_is_heard(case: In) -> None:
    closed = settings(webhook_tokens=())
    refused = In(case.label, case.path, case.body, 403, method=case.method, content_type=case.content_type)
    take_in(refused, Kannel(closed), closed, [], TOKEN)


# what tells a repeat ------------------------------------------------------------------------------


def known_as(token: str = TOKEN, **change: Any) -> str:
    event = Kannel(settings()).parse("sms", Call(b"", query=urlencode(SMS | change), token=token))
    assert isinstance(event, InboundSms)
    return event.id


def test_an_sms_is_known_by_kannel_s_id_whatever_else_changes() -> None:
    assert {known_as(), known_as(time="1"), known_as(smsc="metfone"), known_as(somethingNew="x")} == {UUID}


@pytest.mark.parametrize("id_", ["", "17", "sms-17"])
def test_an_sms_without_kannel_s_id_is_known_by_all_its_fields(id_: str) -> None:
    first = known_as(id=id_)
    assert known_as(id=id_) == first
    assert known_as(id=id_, somethingNew="x") == first
    changes: list[dict[str, Any]] = [{"from": TWO}, {"text": "1 2 4"}, {"time": "1795309776"}, {"smsc": "metfone"}]
    others = [known_as(**{"id": id_} | change) for change in changes]
    assert len({first, *others}) == 1 + len(changes)


def test_that_knowledge_gives_no_number_away_to_who_has_no_token() -> None:
    assert known_as(TOKEN, id="") != known_as(OLD, id="")


def test_an_id_that_counts_needs_no_time() -> None:
    assert known_as(id="17", time="") == known_as(id="17", time="") != known_as(id="18", time="")


# what goes out ------------------------------------------------------------------------------------

OK = Reply(202, "0: Accepted for delivery", {"Content-Type": "text/html"})
HTML = "<html><h1>0: Welcome to the hotel's network</h1>"
LATE = Unknown(Reason.NO_ANSWER, "no answer in time")
CUT = Unknown(Reason.CUT_OFF, "connection cut")


def one(text: str, number: str = ONE) -> tuple[Outgoing, ...]:
    return (Outgoing(MESSAGE, number, text),)


def sent(label: str, text: str, coding: str, charset: str, encoding: str) -> Out:
    """A text, and its exact bytes."""
    query = {"text": text.encode(encoding).decode("latin-1"), "coding": coding, "charset": charset}
    return Out(label, OK, (Accepted(MESSAGE),), one(text), ({"method": "GET", "query": query},))


def said(label: str, reply: Reply, outcome: Outcome, seconds: float = 3.0) -> Out:
    """An answer, and what it means; it is asked for once only."""
    return Out(label, reply, (outcome,), one("Hello"), ({},), seconds)


def refused(label: str, status: int, body: str, reason: Reason, words: str = "", for_now: bool = False) -> Out:
    outcome = Refused(reason, for_now, f"HTTP {status} {words}".strip())
    return said(label, Reply(status, body, {"Content-Type": "text/html"}), outcome)


CASES_OUT = [
    sent("Latin", "Thank you! 1-5", "0", "UTF-8", "utf-8"),
    sent("the GSM alphabet and its extension", GSM, "0", "UTF-8", "utf-8"),
    sent("%, + and &", "100% + a&b=c;d#e?%d%A", "0", "UTF-8", "utf-8"),
    sent("nothing", "", "0", "UTF-8", "utf-8"),
    sent("many parts", "x" * 1000, "0", "UTF-8", "utf-8"),
    sent("Khmer", KHMER, "2", "UTF-16BE", "utf-16-be"),
    sent("Khmer with %, + and &", f"{KHMER} 100% + a&b=c", "2", "UTF-16BE", "utf-16-be"),
    sent("Khmer of many parts", "សូមអរគុណ។ " * 60, "2", "UTF-16BE", "utf-16-be"),
    sent("emoji", EMOJI, "2", "UTF-16BE", "utf-16-be"),
    sent("a letter that GSM lacks", "â", "2", "UTF-16BE", "utf-16-be"),
    Out("all its fields", OK, (Accepted(MESSAGE),), one("Hi"), (
        {"method": "GET", "form": {}, "query": {
            "username": "mati", "password": PASSWORD, "from": "8550", "to": ONE, "text": "Hi", "coding": "0",
            "charset": "UTF-8", "dlr-mask": "31",
            "dlr-url": f"https://mati.example.org/hooks/kannel/{TOKEN}/receipt?m={MESSAGE}&status=%d&answer=%A&smsc=%i",
        }},)),
    Out("no sender set", OK, (Accepted(MESSAGE),), one("Hi"), ({"query": {"from": None}},), settings={"sender": ""}),
    Out("no token set: no receipts", OK, (Accepted(MESSAGE),), one("Hi"),
        ({"query": {"dlr-mask": None, "dlr-url": None}},), settings={"webhook_tokens": ()}),
    said("accepted", OK, Accepted(MESSAGE)),
    said("queued", Reply(202, "3: Queued for later delivery"), Accepted(MESSAGE)),
    said("answered at once", Reply(202, "Sent. Message splits: 3"), Accepted(MESSAGE)),
    said("accepted with 200", Reply(200, "0: Accepted for delivery\n"), Accepted(MESSAGE)),
    said("accepted by what is no Kannel", Reply(202, HTML), Unknown(Reason.UNCLEAR, "HTTP 202")),
    said("HTML", Reply(200, HTML), Unknown(Reason.UNCLEAR, "HTTP 200")),
    said("empty", Reply(202), Unknown(Reason.UNCLEAR, "HTTP 202")),
    said("no content", Reply(204), Unknown(Reason.UNCLEAR, "HTTP 204")),
    said("another number of Kannel's", Reply(202, "4: Something new"), Unknown(Reason.UNCLEAR, "HTTP 202")),
    said("cut off", Reply(202, "0: Accepted for delivery", cut=10), CUT),
    said("cut off before the body", Reply(202, "0: Accepted for delivery", cut=0), CUT),
    said("hung up", Reply(hang_up=True), CUT),
    said("slow", Reply(202, "0: Accepted for delivery", delay=60), LATE, 0.5),
    said("dripping", Reply(202, "0: Accepted for delivery", drip=0.1), LATE, 0.5),
    said("dripping head", Reply(202, "0: Accepted for delivery", drip_head=0.05), LATE, 0.5),
    refused("wrong password", 403, "Authorization failed for sendsms", Reason.SETUP, "Authorization failed"),
    refused("no route", 403, "Not routable. Do not try again.", Reason.NO_ROUTE, "Not routable"),
    refused("forbidden by somebody", 403, HTML, Reason.SETUP),
    refused("denied", 400, "Number(s) has/have been denied by white- and/or black-lists.", Reason.NOT_PERMITTED,
            "Number(s) has/have been denied"),
    refused("no sender", 400, "Sender missing and no global set, rejected", Reason.SETUP),
    refused("no charset", 400, "Charset or body misformed, rejected", Reason.SETUP),
    refused("another address", 404, "Unknown request.", Reason.SETUP),
    refused("unauthorized", 401, HTML, Reason.SETUP),
    refused("an address too long", 414, HTML, Reason.TOO_LONG),
    refused("too many", 429, "Slow down", Reason.THROTTLED, for_now=True),
    refused("full", 503, "Temporal failure, try again later.", Reason.GATEWAY_DOWN, for_now=True),
    refused("unavailable", 503, HTML, Reason.GATEWAY_DOWN, for_now=True),
    said("too slow for a proxy", Reply(408), Unknown(Reason.NO_ANSWER, "HTTP 408")),
    said("failed", Reply(500, "Sending failed."), Unknown(Reason.UNCLEAR, "HTTP 500")),
    said("bad gateway", Reply(502, HTML), Unknown(Reason.UNCLEAR, "HTTP 502")),
    *(
        said(f"moved, {status}", Reply(status, "", {"Location": "/elsewhere"}),
             Refused(Reason.SETUP, False, f"HTTP {status}"))
        for status in (301, 302, 303, 307, 308)
    ),
    *(
        Out(f"no number: {number!r}", OK, (Refused(Reason.BAD_NUMBER, False),), one("Hi", number), ())
        for number in ("", "8550", "010000001", "+85510000001 +85512000002", "+85510000001&to=1", "+៨៥៥១០០០០០០១")
    ),
    Out("each settled on its own", lambda got: Reply(403, "Not routable.") if got.query["to"] == TWO else OK,
        (Accepted("a"), Refused(Reason.NO_ROUTE, False, "HTTP 403 Not routable"), Refused(Reason.BAD_NUMBER, False),
         Accepted("d")),
        (Outgoing("a", ONE, "Hi"), Outgoing("b", TWO, "Hi"), Outgoing("c", "1", "Hi"), Outgoing("d", ONE, KHMER))),
    Out("nothing to send", OK, (), (), ()),
]  # fmt: skip


def sender(url: str, **changes: Any) -> KannelSender:
    return KannelSender(settings(send_url=f"{url}/cgi-bin/sendsms", **changes))


@pytest.mark.parametrize("case", CASES_OUT, ids=lambda case: case.label)
def test_how_we_ask_kannel_to_send(case: Out) -> None:
    start = time.monotonic()
    send_out(case, lambda url: sender(url, **case.settings), [PASSWORD, TOKEN, KHMER])
    assert time.monotonic() - start < case.seconds + 1


def test_in_the_receipts_address_a_percent_sign_of_our_own_is_doubled() -> None:
    """So that Kannel does not take it for a field: `%d0` would become the status, and a 0."""
    told = settings(send_url="http://127.0.0.1:1").model_copy(update={"public_url": "https://m.org/%d0"})
    asked = []

    def request(self: Wire, method: str, url: str, seconds: float, **parts: Any) -> Answer:
        asked.append(parts["params"]["dlr-url"])
        return Answer(202, b"0: Accepted for delivery")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "request", request)
        KannelSender(told).send(one("Hi"), 1)
    assert asked[0].startswith("https://m.org/%%d0/hooks/")


def test_the_receipts_address_comes_back_as_it_was_written() -> None:
    with WireServer(OK) as server:
        made = sender(server.url)
        made.send(one("Hi"), 3)
        made.close()
    raw = urlsplit(server.got[0].path).query
    assert "status%3D%25d%26answer%3D%25A%26smsc%3D%25i" in raw
    written = urlsplit(parse_qs(raw)["dlr-url"][0])
    assert written.path == f"/hooks/kannel/{TOKEN}/receipt"
    filled = written.query.replace("%d", "8").replace("%A", "ACK%2F").replace("%i", "smart")
    assert Kannel(settings()).parse("receipt", Call(b"", query=filled, token=TOKEN)) == Receipt(
        OURS, MESSAGE, ON_THE_WAY, "8", message=MESSAGE
    )


def test_a_kannel_that_is_not_there_can_be_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    made = sender(f"http://127.0.0.1:{port}")
    down = Refused(Reason.GATEWAY_DOWN, True, "not sent: failed at connecting")
    assert made.send(one("Hi") * 2, 3) == [down, down]
    made.close()


def test_what_cannot_begin_in_time_is_not_begun() -> None:
    batch = [Outgoing(str(i), ONE, "Hi") for i in range(THREADS + 3)]
    with WireServer(Reply(202, "0: Accepted for delivery", delay=0.8)) as server:
        made = sender(server.url)
        outcomes = made.send(batch, 1.1)
        made.close()
    late = Refused(Reason.GATEWAY_DOWN, True, "not sent: the others took the time")
    assert outcomes == [*(Accepted(str(i)) for i in range(THREADS)), *[late] * 3]
    assert len(server.got) == THREADS


def test_a_hundred_messages_take_no_more_connections_than_threads() -> None:
    batch = [Outgoing(str(i), ONE, f"Message {i}") for i in range(100)]
    with WireServer(OK) as server:
        made = sender(server.url)
        outcomes = made.send(batch, 10)
        made.close()
    assert outcomes == [Accepted(str(i)) for i in range(100)]
    assert {got.query["text"] for got in server.got} == {message.text for message in batch}
    assert server.connections <= THREADS


def test_what_nobody_thought_of_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def request(*_: Any, **__: Any) -> Answer:
        raise KeyError(f"{ONE} {PASSWORD}")

    monkeypatch.setattr(Wire, "request", request)
    with capture_logs() as logs:
        assert sender("http://127.0.0.1:1").send(one("Hi"), 1) == [Unknown(Reason.UNCLEAR, "KeyError")]
    assert logs == [{"event": "kannel.failed", "error": "KeyError", "log_level": "error"}]


def test_the_tables_are_long_enough() -> None:
    assert len(CASES_IN) >= 25
    assert len(CASES_OUT) >= 15
    for cases in (CASES_IN, CASES_OUT):
        labels = [case.label for case in cases]
        assert sorted(set(labels)) == sorted(labels)
