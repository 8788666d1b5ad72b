"""The stub plays a phone, and whole services: what only one of the providers does."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from twilio.rest import Client

from gateway.providers.base import Accepted, InboundSms, Outcome, Outgoing, Reason, Refused, UssdEnd, UssdStep
from tests.playing import SECRET, SENDERS, playing, settings, understood
from tests.wire.server import Reply, WireServer

KHMER = "សូមអរគុណ! លេខ ១ ដល់ ៥"
ONE = "+85510000001"
AC = f"AC{'5' * 32}"


@pytest.mark.parametrize("provider", SENDERS)
def test_a_phone_writes_to_the_gateway(provider: str) -> None:
    with WireServer(Reply(200, "thanks", {"Content-Type": "text/plain"})) as gateway:
        with playing(provider, hooks=gateway.url) as stub:
            answers = [stub.phone("sms", sender=ONE, text=text) for text in (KHMER, "rate 2 5", "STOP")]
        said = [understood(provider, got, gateway.url) for got in gateway.got]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "thanks")] * 3
    assert [(sms.number, sms.text) for sms in said if isinstance(sms, InboundSms)] == [
        (ONE, KHMER), (ONE, "rate 2 5"), (ONE, "STOP"),
    ]  # fmt: skip


def test_a_phone_dials_and_the_end_is_told() -> None:
    texts = iter(["CON Service:", "END Thank you."])
    with WireServer(lambda got: Reply(200, next(texts) if got.path.endswith("ussd") else "")) as gateway:
        with playing("africastalking", hooks=gateway.url) as stub:
            first = stub.phone("ussd", sender=ONE, session="s1", text="")
            second = stub.phone("ussd", sender=ONE, session="s1", text="2*5")
        said = [understood("africastalking", got, gateway.url) for got in gateway.got]
    assert (first.text, second.text) == ("CON Service:", "END Thank you.")
    assert said == [
        UssdStep("africastalking", "ATUid_s1", ONE, path=()),
        UssdStep("africastalking", "ATUid_s1", ONE, path=("2", "5")),
        UssdEnd("africastalking", "ATUid_s1", True, "Success"),
    ]


def test_a_phone_has_an_inbox() -> None:
    lost, texts = "+85510999000", ("first", KHMER)
    with playing("kannel") as stub, stub.sender() as sender:
        sender.send([Outgoing("a" * 32, lost, "never")], 5)
        for text in texts:
            sender.send([Outgoing("b" * 32, ONE, text)], 5)
        inboxes = [requests.get(f"{stub.url}/_phone/inbox", {"number": n}, timeout=5).json() for n in (ONE, lost)]
    assert [[message["text"] for message in inbox] for inbox in inboxes] == [["first", KHMER], []]


def test_a_phone_that_cannot_reach_the_gateway_is_told_why() -> None:
    with playing("twilio") as stub:
        assert stub.phone("sms", sender=ONE, text="hi").status_code == 409
        assert stub.phone("sms", sender=ONE).status_code == 400
    with playing("twilio", hooks="http://127.0.0.1:1") as stub:
        assert stub.phone("sms", sender=ONE, text="hi").status_code == 502
        assert stub.phone("ussd", sender=ONE, session="1", text="").status_code == 404


def test_who_said_stop_gets_nothing_from_twilio_until_start() -> None:
    with WireServer(Reply(200)) as gateway, playing("twilio", hooks=gateway.url) as stub, stub.sender() as sender:
        outcomes: list[Outcome] = []
        for word in ("stop", "START"):
            stub.phone("sms", sender=ONE, text=word)
            outcomes += sender.send([Outgoing("a" * 32, ONE, "hi")], 5)
    assert outcomes[0] == Refused(Reason.OPTED_OUT, False, "HTTP 400, 21610")
    assert isinstance(outcomes[1], Accepted)
    assert [got.form["OptOutType"] for got in gateway.got] == ["STOP", "START"]


def test_the_official_client_pages_through_the_messages() -> None:
    with playing("twilio", receipt_delay=0) as stub:
        client = Client(AC, SECRET)
        client.api.base_url = stub.url
        sent = [client.messages.create(to=ONE, from_="8550", body=f"no. {i}").sid for i in range(7)]
        client.messages.create(to="+85510930003", from_="8550", body="lost")
        assert [message.sid for message in client.messages.stream(to=ONE, page_size=3)] == sent[::-1]
        lost = client.messages.list(to="+85510930003")[0].fetch()
        assert (lost.status, lost.error_code) == ("undelivered", 30003)
        assert client.messages(sent[0]).fetch().status == "delivered"


HTTP_SETTINGS: dict[str, dict[str, Any]] = {
    "JSON by paths": {
        "http_send_as": "json", "http_send_number_field": "messages.0.to", "http_send_text_field": "messages.0.body",
        "http_reference_field": "messages.0.ref", "http_sent_id_field": "data.0.id", "http_id_field": ("data.id",),
        "http_sent_status_field": "data.0.state", "http_accepted_values": ("OK",), "http_later_values": ("BUSY",),
        "http_send_header": "Authorization: Bearer x",
    },
    "words": {
        "http_send_as": "query", "http_sent_status_field": "0", "http_sent_id_field": "1",
        "http_send_number_as": "digits",
        "http_accepted_values": ("1701",), "http_later_values": ("1710",), "http_delivered_values": ("DELIVRD",),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", HTTP_SETTINGS)
def test_an_operators_gateway_is_played_as_the_settings_describe_it(name: str) -> None:
    changes = HTTP_SETTINGS[name]
    with WireServer(Reply(200)) as gateway:
        with playing("http", hooks=gateway.url, settings=settings(**changes)) as stub, stub.sender(**changes) as sender:
            good, busy = sender.send([Outgoing("a" * 32, ONE, "ក"), Outgoing("b" * 32, "+85510999429", "ក")], 5)
            stub.phone("sms", sender=ONE, text="ក")
            assert isinstance(good, Accepted)
            assert stub.log()[0]["id"] == good.provider_id
        assert isinstance(busy, Refused)
        assert busy.for_now
        for got in gateway.got:
            assert understood("http", got, gateway.url, **changes)


def test_an_operators_ussd_gateway_says_when_a_session_begins() -> None:
    changes: dict[str, Any] = {"http_ussd_input": "last", "http_begin_field": "type", "http_begin_values": ("1",)}
    with WireServer(Reply(200)) as gateway:
        with playing("http", hooks=gateway.url, settings=settings(**changes)) as stub:
            stub.phone("ussd", sender=ONE, session="s", text="*855*2#")
            stub.phone("ussd", sender=ONE, session="s", text="5")
        steps = [understood("http", got, gateway.url, **changes) for got in gateway.got]
    assert all(isinstance(step, UssdStep) for step in steps)
    assert [(step.last, step.dialled) for step in steps if isinstance(step, UssdStep)] == [(None, ("2",)), ("5", None)]
