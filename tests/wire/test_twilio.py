"""Twilio's table, its signature, and where messages to it go. What it is asked afterwards: `test_look_up`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from gateway import checks, config
from gateway.config import Settings
from gateway.menus.keywords import Keyword, understand
from gateway.models.messages import Draft, Kind, Move, State, messages, move, write
from gateway.providers import Provider
from gateway.providers.base import Call, Delivery, InboundSms, Malformed, Reason, Receipt, Refused, form
from gateway.providers.twilio import ERRORS, OPT_OUT_TYPES, STATUSES, Twilio
from gateway.providers.twilio_send import FOR_NOW
from gateway.receipts import ReceiptDesk
from tests.conftest import Installation
from tests.wire.harness import Desk, In, Out, served, take_in
from tests.wire.twilio_speakers import FROM, KHMER, ONE, OURS, PUBLIC, TOKEN, TWILIO, common_in, common_out, signature

MM = {"SmsSid": TWILIO.sid, "SmsMessageSid": TWILIO.sid, "SmsStatus": "received", "NumSegments": "1"}
PLACES = {
    "FromCity": "",
    "FromCountry": "KH",
    "FromState": "",
    "FromZip": "",
    "ToCountry": "KH",
    "MessagingServiceSid": "MG1",
}


def failed(status: str, code: str, reason: Reason) -> In:
    undone = TWILIO.status(status, ErrorCode=code, SmsStatus=status, SmsSid=TWILIO.sid)
    return TWILIO.receipt_case(f"{status} {code}", undone, Delivery.FAILED, f"{status}, {code}", reason)


CASES_IN = [
    *common_in(TWILIO),
    TWILIO.sms_case("all that they send", KHMER, **MM, **PLACES),
    TWILIO.sms_case("a stop word", "STOP"),
    TWILIO.sms_case("a stop word of theirs", "STOP", OptOutType="STOP"),
    TWILIO.signed("a stop word of the service's own", "sms", TWILIO.sms(Body="ឈប់ផ្ញើ", OptOutType="STOP"),
                  (InboundSms("twilio", TWILIO.sid, ONE, "STOP"),)),
    TWILIO.signed("a start word of the service's own", "sms", TWILIO.sms(Body="YES", OptOutType="start"),
                  (InboundSms("twilio", TWILIO.sid, ONE, "START"),)),
    TWILIO.sms_case("a help word", "HELP", OptOutType="HELP"),
    TWILIO.sms_case("a type nobody listed", "1 2 5", OptOutType="PAUSE"),
    TWILIO.receipt_case("accepted", TWILIO.status("accepted"), Delivery.ON_THE_WAY, "accepted"),
    TWILIO.receipt_case("scheduled", TWILIO.status("scheduled"), Delivery.ON_THE_WAY, "scheduled"),
    TWILIO.receipt_case("sending", TWILIO.status("sending"), Delivery.ON_THE_WAY, "sending"),
    TWILIO.receipt_case("read", TWILIO.status("read"), Delivery.DELIVERED, "read"),
    TWILIO.receipt_case("in part", TWILIO.status("partially_delivered"), Delivery.ON_THE_WAY, "partially_delivered"),
    TWILIO.receipt_case("receiving", TWILIO.status("receiving"), None, "receiving"),
    TWILIO.receipt_case("undelivered", TWILIO.status("undelivered"), Delivery.FAILED, "undelivered"),
    TWILIO.receipt_case("no error", TWILIO.status("sent", ErrorCode=""), Delivery.ON_THE_WAY, "sent"),
    failed("failed", "21610", Reason.OPTED_OUT),
    failed("undelivered", "21610", Reason.OPTED_OUT),
    failed("undelivered", "30003", Reason.UNREACHABLE),
    failed("undelivered", "30004", Reason.NOT_PERMITTED),
    failed("undelivered", "30005", Reason.BAD_NUMBER),
    failed("undelivered", "30006", Reason.NOT_MOBILE),
    failed("undelivered", "30007", Reason.FILTERED),
    failed("undelivered", "30008", Reason.UNCLEAR),
    failed("failed", "30001", Reason.THROTTLED),
    failed("failed", "30002", Reason.SETUP),
    failed("failed", "99999", Reason.UNCLEAR),
    TWILIO.receipt_case("an error that is no code", TWILIO.status("failed", ErrorCode=f"no {ONE}"), Delivery.FAILED,
                        "failed", Reason.UNCLEAR),
]  # fmt: skip


def refused(code: int, reason: Reason, for_now: bool = False) -> Out:
    return TWILIO.error_case(code, Refused(reason, for_now, f"HTTP 400, {code}"))


CASES_OUT = [
    *common_out(TWILIO),
    refused(21211, Reason.BAD_NUMBER),
    refused(21212, Reason.SETUP),
    refused(21408, Reason.NOT_PERMITTED),
    refused(21602, Reason.UNCLEAR),
    refused(21603, Reason.SETUP),
    refused(21606, Reason.SETUP),
    refused(21609, Reason.SETUP),
    refused(21610, Reason.OPTED_OUT),
    refused(21611, Reason.THROTTLED, True),
    refused(21612, Reason.NO_ROUTE),
    refused(21614, Reason.NOT_MOBILE),
    refused(21617, Reason.TOO_LONG),
    refused(21703, Reason.SETUP),
    refused(30001, Reason.THROTTLED, True),
    refused(30002, Reason.SETUP),
    refused(30003, Reason.UNREACHABLE),
    refused(30004, Reason.NOT_PERMITTED),
    refused(30005, Reason.BAD_NUMBER),
    refused(30006, Reason.NOT_MOBILE),
    refused(30007, Reason.FILTERED),
    refused(30008, Reason.UNCLEAR),
]


@pytest.mark.parametrize("case", CASES_IN, ids=lambda case: case.label)
def test_in(case: In) -> None:
    settings = TWILIO.settings(case.settings)
    take_in(case, Twilio(settings), settings, TWILIO.secrets)


@pytest.mark.parametrize("case", CASES_OUT, ids=lambda case: case.label)
def test_out(case: Out) -> None:
    TWILIO.send_case(case)


def test_each_word_that_is_listed_is_tried() -> None:
    statuses = {
        receipt.said.partition(",")[0] for case in CASES_IN for receipt in case.events if isinstance(receipt, Receipt)
    }
    assert statuses >= STATUSES.keys()
    labels = " ".join(case.label for case in CASES_OUT)
    assert [code for code in ERRORS if code not in labels] == ["21701", "21704", "21705", "21712", "30036"]
    assert {ERRORS[code] for code in ("21701", "21704", "21705", "21712")} == {Reason.SETUP}
    assert FOR_NOW.isdisjoint({ERRORS[code] for code in ("20003", "21211", "21610")})


def test_the_words_of_opt_out_types_are_words_of_ours() -> None:
    assert {kind: understand(word).keyword for kind, word in OPT_OUT_TYPES.items()} == {
        "STOP": Keyword.STOP,
        "START": Keyword.START,
    }


# the signature ------------------------------------------------------------------------------------


def genuine(**change: str) -> Call:
    """A status callback with its signature."""
    body, path = urlencode(TWILIO.status("sent", **change)), f"/hooks/twilio/receipt?m={OURS}"
    headers = {"x-twilio-signature": signature(TOKEN, PUBLIC + path, body)}
    return Call(body.encode(), query=f"m={OURS}", url=PUBLIC + path, headers=headers)


def bits(data: bytes) -> Iterator[bytes]:
    """The data with each of its bits changed."""
    for place, bit in itertools.product(range(len(data)), range(8)):
        yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


@pytest.fixture
def provider() -> Provider:
    return Twilio(TWILIO.settings({}))


def test_any_bit_of_a_signature_that_is_changed_is_refused(provider: Provider) -> None:
    call = genuine()
    assert provider.verify(call)
    for changed in bits(call.headers["x-twilio-signature"].encode()):
        assert not provider.verify(replace(call, headers={"x-twilio-signature": changed.decode("latin-1")}))


def test_any_bit_of_a_body_that_is_changed_is_refused_unless_it_says_the_same(provider: Provider) -> None:
    call, same = genuine(Body="ក & +"), 0
    for changed in bits(call.body):
        other = replace(call, body=changed)
        try:
            equal = form(other) == form(call)  # %2B or %2b
        except Malformed:
            equal = False
        assert provider.verify(other) is equal
        same += equal
    assert 0 < same < 20


def test_any_bit_of_a_query_that_is_changed_is_refused(provider: Provider) -> None:
    call = genuine()
    head, _, tail = call.url.partition("?")
    for changed in bits(tail.encode()):
        assert not provider.verify(replace(call, url=f"{head}?{changed.decode('latin-1')}"))


@how(max_examples=100, deadline=None)
@given(fields=st.dictionaries(st.text(), st.text(), min_size=1, max_size=8), data=st.data())
def test_whatever_the_form_says_its_signature_holds_and_no_other(fields: dict[str, str], data: st.DataObject) -> None:
    provider, url, body = Twilio(TWILIO.settings({})), f"{PUBLIC}/hooks/twilio/sms", urlencode(fields)
    headers = {"x-twilio-signature": signature(TOKEN, url, body)}
    assert provider.verify(Call(body.encode(), url=url, headers=headers))
    name = data.draw(st.sampled_from(sorted(fields)))
    changed = urlencode(fields | {name: fields[name] + data.draw(st.text(min_size=1))})
    assert not provider.verify(Call(changed.encode(), url=url, headers=headers))


def test_a_request_that_comes_again_is_genuine_and_says_the_same() -> None:
    settings, desk = TWILIO.settings({}), Desk()
    client = served(Twilio(settings), settings, desk).test_client()
    call = genuine()
    for _ in range(3):
        answer = client.post(f"/hooks/twilio/receipt?m={OURS}", data=call.body, content_type=call.content_type,
                             headers=dict(call.headers))  # fmt: skip
        assert (answer.status_code, answer.content_type) == (200, "text/xml")
    assert len(desk.events) == 3
    assert len(set(desk.events)) == 1


def test_bytes_that_nobody_encoded_are_refused_and_no_fault_of_ours() -> None:
    settings = TWILIO.settings({})
    client = served(Twilio(settings), settings, Desk()).test_client()
    for query in ("m=\xff", "\xe1\x9e\x80", "m=%FF"):
        assert client.post("/hooks/twilio/receipt", environ_overrides={"QUERY_STRING": query}).status_code == 403


# all the way to the message -----------------------------------------------------------------------


@pytest.fixture
def sending(installation: Installation) -> str:
    """The id of a message that is just being sent by Twilio."""
    with installation.store.write() as db:
        now = installation.clock.now
        draft = Draft(Kind.TEST, ONE, "Hello", "twilio", now, now + timedelta(hours=1))
        message = write(db, installation.keys, draft, now)
        assert move(db, Move.BEGIN, [message], now) == [message]
    return message


@pytest.mark.parametrize("first", ["queued", "sent", "delivered", "unheard"])
def test_statuses_in_any_order_and_twice_end_as_delivered(installation: Installation, sending: str, first: str) -> None:
    settings = TWILIO.settings({})
    client = served(Twilio(settings), settings, ReceiptDesk(installation.store, installation.settings)).test_client()

    def post(status: str, message: str) -> None:
        body, path = urlencode(TWILIO.status(status)), f"/hooks/twilio/receipt?m={message}"
        headers = {"X-Twilio-Signature": signature(TOKEN, PUBLIC + path, body)}
        answer = client.post(path, data=body, content_type="application/x-www-form-urlencoded", headers=headers)
        assert answer.status_code == 200

    others = [status for status in ("queued", "sent", "delivered", "unheard") if status != first]
    for status in (first, first, *others, *reversed(others)):
        post(status, sending)
        post(status, "0" * 32)  # nobody's
    with installation.store.read() as db:
        assert [row.state for row in db.execute(messages.select())] == [State.DELIVERED]


# where it goes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("public", [None, "http://localhost:8000", "http://[::1]:8000"])
def test_nobody_is_asked_to_call_back_where_only_we_can(monkeypatch: pytest.MonkeyPatch, public: str | None) -> None:
    asked = TWILIO.where_it_goes(monkeypatch, {"public_url": public})
    assert asked == [(f"https://api.twilio.com{TWILIO.messages_path}", None)]


def test_it_goes_to_their_host_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("EDGE", "sydney"), ("REGION", "au1"), ("ACCOUNT_SID", "AC0"), ("AUTH_TOKEN", "0")):
        monkeypatch.setenv(f"TWILIO_{name}", value)
    callback = f"{PUBLIC}/hooks/twilio/receipt?m={OURS}"
    address = f"https://api.twilio.com{TWILIO.messages_path}"
    assert TWILIO.where_it_goes(monkeypatch, {}) == [(address, callback)]
    elsewhere = TWILIO.where_it_goes(monkeypatch, {"base_url": "https://relay.example/twilio"})
    assert elsewhere == [(f"https://relay.example/twilio{TWILIO.messages_path}", callback)]


# what is set --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "TWILIO_ACCOUNT_SID"),
        ({"account_sid": "AC1"}, "TWILIO_AUTH_TOKEN"),
        ({"account_sid": "AC1", "auth_token": TOKEN}, "TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID"),
        ({"account_sid": "AC1", "auth_token": TOKEN, "from": FROM}, None),
        ({"account_sid": "AC1", "auth_token": TOKEN, "messaging_service_sid": "MG1"}, None),
        ({"account_sid": "AC1", "auth_token": TOKEN, "from": FROM, "messaging_service_sid": "MG1"}, None),
    ],
)
def test_sending_takes_an_account_and_one_of_two_senders(
    settings: Settings, given: dict[str, str], missing: str | None
) -> None:
    values: dict[str, Any] = {f"twilio_{name}": value for name, value in given.items()}
    assert config.load(**values).can_send("twilio") is (missing is None)
    if missing is None:
        assert config.load(**values, providers="twilio").providers == ("twilio",)
        return
    with pytest.raises(config.SettingsError, match=f"^{missing}: is not set, but PROVIDERS says that twilio sends$"):
        config.load(**values, providers="twilio")


def test_the_check_says_what_to_paste(settings: Settings) -> None:
    twilio = [
        said for what, said in pasted(config.load(public_url=PUBLIC, twilio_auth_token=TOKEN)) if what == "twilio"
    ]
    assert [said.partition(": ")[2] for said in twilio] == [
        f"{PUBLIC}/hooks/twilio/sms",
        f"{PUBLIC}/hooks/twilio/receipt",
    ]
    assert ("twilio", "off: TWILIO_AUTH_TOKEN is not set") in pasted(settings)


def pasted(settings: Settings) -> list[tuple[str, str]]:
    return [(finding.what, finding.says) for finding in checks.findings(settings, show_tokens=False)]
