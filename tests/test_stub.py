"""The stub of the providers: the gateway's own senders against it, its faults, its receipts, its phone."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from twilio.request_validator import RequestValidator

from gateway.providers import wire
from gateway.providers.base import (
    Accepted,
    Delivery,
    Doubtful,
    Outcome,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Unknown,
)
from gateway.stub import receipts
from tests.playing import SECRET, SENDERS, Playing, playing, understood, until
from tests.wire.server import Reply, WireServer

KHMER = "សូមអរគុណ! លេខ ១ ដល់ ៥"
PHONE = "+85510000001"
UNDELIVERED = "+85510999000"
OK = Reply(200, "", {"Content-Type": "text/plain"})

every_provider = pytest.mark.parametrize("provider", SENDERS)


def batch(count: int, text: str = KHMER, first: int = 0) -> list[Outgoing]:
    return [Outgoing(f"{i:032x}", f"+8551{i:07d}", text) for i in range(first, first + count)]


def send(stub: Playing, messages: list[Outgoing], hooks: str = "http://127.0.0.1:1") -> list[Outcome]:
    with stub.sender(hooks) as sender:
        return sender.send(messages, 10)


@every_provider
def test_messages_are_taken_and_written_down_without_numbers(provider: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with playing(provider, log=log) as stub:
        outcomes = send(stub, [*batch(5), *batch(1, text="once more")])
        lines = stub.log()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes[:5])
    taken = 5 if provider == "android" else 6  # the phone knows our id
    assert [line["n"] for line in lines] == list(range(1, taken + 1))
    assert [json.loads(line) for line in log.read_text().splitlines()] == lines
    assert {line["length"] for line in lines} <= {len(KHMER), len("once more")}
    assert len({line["number"] for line in lines}) == 5
    assert "8551000000" not in log.read_text()
    if provider != "kannel":  # it gives no id back
        assert {line["id"] for line in lines} >= {o.provider_id for o in outcomes if isinstance(o, Accepted)}
    if provider != "africastalking":  # it has no room for our id
        assert {line["ours"] for line in lines} == {message.id for message in batch(5)}


@every_provider
def test_what_fails_is_refused_for_now(provider: str) -> None:
    with playing(provider, fail=0.4, seed=7) as stub:
        outcomes = send(stub, batch(30))
        counted = stub.summary()
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused) and outcome.for_now]
    taken = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    assert len(refused) + len(taken) == 30
    assert counted == {"accepted": len(taken), "failed": len(refused)}
    assert 4 <= len(refused) <= 20


def test_the_same_seed_brings_the_same_faults() -> None:
    said = []
    for _ in range(2):
        with playing("africastalking", fail=0.5, seed=11) as stub:
            said.append([type(outcome) for outcome in send(stub, batch(30))])
    assert said[0] == said[1]


@every_provider
def test_a_dropped_reply_leaves_the_message_in_doubt_but_taken(provider: str) -> None:
    with playing(provider, drop_reply=1) as stub:
        outcomes = send(stub, batch(6))
        assert stub.summary() == {"accepted": 6, "dropped": 6}
    assert outcomes == [Unknown(Reason.CUT_OFF, "connection cut")] * 6


@every_provider
def test_a_500_after_it_was_taken_leaves_the_message_in_doubt(provider: str) -> None:
    with playing(provider, error_after=1) as stub:
        outcomes = send(stub, batch(6))
        assert stub.summary() == {"accepted": 6, "errored": 6}
    assert {type(outcome) for outcome in outcomes} == {Unknown}


@every_provider
def test_an_answer_that_drips_is_not_waited_for(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.7)
    with playing(provider, drip=1) as stub, stub.sender() as sender:
        began = time.monotonic()
        outcomes = sender.send(batch(2), 30)
        assert time.monotonic() - began < 3
        assert stub.summary() == {"accepted": 2, "dripped": 2}
    assert outcomes == [Unknown(Reason.NO_ANSWER, "no answer in time")] * 2


@every_provider
def test_an_answer_that_begins_late_is_waited_for(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.2)
    with playing(provider, latency=0.6) as stub, stub.sender() as sender:
        assert [type(outcome) for outcome in sender.send(batch(2), 30)] == [Accepted, Accepted]


@every_provider
def test_what_is_over_the_rate_is_refused_for_now(provider: str) -> None:
    with playing(provider, throttle=5) as stub:
        outcomes = send(stub, [Outgoing(m.id, m.number, f"{m.id} {m.text}") for m in batch(20)])
        counted = stub.summary()
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused) and outcome.for_now]
    assert 5 <= counted["accepted"] < 20
    assert len(refused) == counted["throttled"] == 20 - counted["accepted"]


@every_provider
def test_receipts_are_the_providers_own(provider: str) -> None:
    with WireServer(OK) as gateway, playing(provider, hooks=gateway.url) as stub:
        outcomes = send(stub, [*batch(3), Outgoing("f" * 32, UNDELIVERED, "x")], gateway.url)
        until(lambda: stub.summary().get("receipts_waiting") is None)
        counted = stub.summary()
        said = [understood(provider, got, gateway.url) for got in gateway.got]
    assert counted["receipts_sent"] == len(said)
    ends: dict[str, Delivery | None] = {}
    for receipt in said:
        assert isinstance(receipt, Receipt)
        ends[receipt.provider_id] = receipt.status  # the last one
    ids = [outcome.provider_id for outcome in outcomes if isinstance(outcome, Accepted)]
    assert [ends[id_] for id_ in ids] == [Delivery.DELIVERED] * 3 + [Delivery.FAILED]
    if provider == "twilio":
        validator = RequestValidator(SECRET)
        for got in gateway.got:
            signature = got.headers["x-twilio-signature"]
            assert validator.validate(gateway.url + got.path, got.form, signature)
            assert not validator.validate(gateway.url + got.path + "0", got.form, signature)


@every_provider
def test_receipts_come_several_times_and_out_of_order_when_asked(provider: str) -> None:
    options = {"receipt_copies": 3, "reorder": True, "seed": 3}
    with WireServer(OK) as gateway, playing(provider, hooks=gateway.url, **options) as stub:
        send(stub, batch(10), gateway.url)
        until(lambda: stub.summary().get("receipts_waiting") is None)
        said = [understood(provider, got, gateway.url) for got in gateway.got]
    by_message: dict[str, list[Delivery | None]] = {}
    for receipt in said:
        assert isinstance(receipt, Receipt)
        by_message.setdefault(receipt.provider_id, []).append(receipt.status)
    assert len(by_message) == 10
    for told in by_message.values():
        assert all(count % 3 == 0 for count in Counter(told).values())
    assert any(told[-1] is not Delivery.DELIVERED for told in by_message.values())


@pytest.mark.parametrize(
    ("provider", "counts"),
    [
        ("africastalking", {"receipts_sent": 2, "receipts_repeated": 2}),
        ("kannel", {"receipts_sent": 2, "receipts_repeated": 2}),
        ("http", {"receipts_sent": 2, "receipts_repeated": 2}),
        ("android", {"receipts_sent": 2, "receipts_repeated": 2}),
        ("twilio", {"receipts_failed": 2}),
        ("somleng", {"receipts_failed": 2, "receipts_sent": 1}),
    ],
)
def test_a_receipt_that_was_not_taken_comes_again_from_those_who_do_so(
    provider: str, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "FIRST_PAUSE", 0.01)
    answers = iter([Reply(503), Reply(404)])
    with WireServer(lambda _: next(answers, OK)) as gateway, playing(provider, hooks=gateway.url) as stub:
        send(stub, batch(1), gateway.url)
        until(lambda: stub.summary().get("receipts_waiting") is None)
        assert stub.summary() == {"accepted": 1, **counts}


@pytest.mark.parametrize("provider", ["twilio", "somleng", "android"])
def test_a_message_in_doubt_can_be_looked_up(provider: str) -> None:
    message, now = batch(1)[0], datetime.now(UTC)
    with playing(provider, drop_reply=1, receipt_delay=60) as stub, stub.sender() as sender:
        sender.send([message], 5)
        minute = timedelta(minutes=1)
        doubt = Doubtful(message.id, message.number, message.text, now - minute, now + minute)
        (found,) = sender.look_up([doubt], 5)
    assert found.status is Delivery.ON_THE_WAY
    assert found.message == message.id


def test_a_message_that_was_taken_twice_is_counted() -> None:
    with playing("twilio") as stub:
        send(stub, batch(3))
        send(stub, batch(1))
        send(stub, [Outgoing("e" * 32, batch(1)[0].number, KHMER)])
        assert stub.summary() == {"accepted": 5, "duplicate_ids": 1, "duplicate_texts": 2}
        first, again, anew = (line for line in stub.log() if line["ours"] in (batch(1)[0].id, "e" * 32))
        assert (again["same_id_as"], again["same_text_as"], anew["same_text_as"]) == (first["n"],) * 3
        assert "same_id_as" not in anew
    with playing("android") as stub:
        send(stub, batch(1))
        assert send(stub, batch(1)) == [Accepted(batch(1)[0].id)]
        assert stub.summary() == {"accepted": 1, "refused": 1}


def test_an_answer_takes_as_long_as_asked() -> None:
    with playing("http", latency=0.2) as stub:
        began = time.monotonic()
        assert requests.post(f"{stub.url}/send", {"to": "+85510000001", "text": "x"}, timeout=5).ok
        assert 0.2 <= time.monotonic() - began < 1
        assert requests.get(f"{stub.url}/_nothing", timeout=5).status_code == 404


def test_numbers_are_shown_when_asked() -> None:
    with playing("kannel", show_numbers=True) as stub:
        send(stub, batch(1))
        assert stub.log()[0]["number"] == batch(1)[0].number
