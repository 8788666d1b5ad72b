"""The stub of the providers: the gateway's own senders against it, its faults, its receipts, its phone."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from twilio.request_validator import RequestValidator

from gateway.cli import cli
from gateway.providers.base import (
    Accepted,
    Delivery,
    Doubtful,
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
from gateway.stub import receipts
from tests.playing import SECRET, SENDERS, TOKEN, Playing, playing, understood, until
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


@every_provider
def test_a_dropped_reply_leaves_the_message_in_doubt_but_taken(provider: str) -> None:
    with playing(provider, drop_reply=1) as stub:
        outcomes = send(stub, batch(6))
        assert stub.summary() == {"accepted": 6, "dropped": 6}
    assert outcomes == [Unknown(Reason.CUT_OFF, "connection cut")] * 6


@every_provider
def test_what_is_over_the_rate_is_refused_for_now(provider: str) -> None:
    with playing(provider, throttle=5) as stub:
        outcomes = send(stub, [Outgoing(m.id, m.number, f"{m.id} {m.text}") for m in batch(20)])
        counted = stub.summary()
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused) and outcome.for_now]
    assert 5 <= counted["accepted"] <= 12
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
def test_receipts_come_twice_and_out_of_order_when_asked(provider: str) -> None:
    options = {"duplicate_receipts": True, "reorder": True, "seed": 3}
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
        assert all(count % 2 == 0 for count in Counter(told).values())
    assert any(told[-1] is Delivery.ON_THE_WAY for told in by_message.values())


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
        assert (stub.log()[3]["same_id_as"], stub.log()[4]["same_text_as"]) == (1, 1)
    with playing("android") as stub:
        send(stub, batch(1))
        assert send(stub, batch(1)) == [Accepted(batch(1)[0].id)]
        assert stub.summary() == {"accepted": 1, "refused": 1}


@every_provider
def test_a_phone_writes_to_the_gateway(provider: str) -> None:
    with WireServer(Reply(200, "thanks", {"Content-Type": "text/plain"})) as gateway:
        with playing(provider, hooks=gateway.url) as stub:
            answers = [stub.phone("sms", sender=PHONE, text=text) for text in (KHMER, "rate 2 5", "STOP")]
        said = [understood(provider, got, gateway.url) for got in gateway.got]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "thanks")] * 3
    assert [(sms.number, sms.text) for sms in said if isinstance(sms, InboundSms)] == [
        (PHONE, KHMER), (PHONE, "rate 2 5"), (PHONE, "STOP"),
    ]  # fmt: skip


def test_a_phone_dials_and_the_end_is_told() -> None:
    texts = iter(["CON Service:", "END Thank you."])
    with WireServer(lambda got: Reply(200, next(texts) if got.path.endswith("ussd") else "")) as gateway:
        with playing("africastalking", hooks=gateway.url) as stub:
            first = stub.phone("ussd", sender=PHONE, session="s1", text="")
            second = stub.phone("ussd", sender=PHONE, session="s1", text="2*5")
        said = [understood("africastalking", got, gateway.url) for got in gateway.got]
    assert (first.text, second.text) == ("CON Service:", "END Thank you.")
    assert said == [
        UssdStep("africastalking", "ATUid_s1", PHONE, path=()),
        UssdStep("africastalking", "ATUid_s1", PHONE, path=("2", "5")),
        UssdEnd("africastalking", "ATUid_s1", True, "Success"),
    ]


def test_a_phone_that_cannot_reach_the_gateway_is_told_why() -> None:
    with playing("twilio") as stub:
        assert stub.phone("sms", sender=PHONE, text="hi").status_code == 409
        assert stub.phone("sms", sender=PHONE).status_code == 400
    with playing("twilio", hooks="http://127.0.0.1:1") as stub:
        assert stub.phone("sms", sender=PHONE, text="hi").status_code == 502
        assert stub.phone("ussd", sender=PHONE, session="1", text="").status_code == 404


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hooks", "http://mati.example.org", "--token", TOKEN], "--hooks is not on this machine"),
        (["--host", "0.0.0.0"], "--host is not this machine alone"),
        (["--hooks", "http://127.0.0.1:8000"], "it takes --token"),
        (["--fail", "2"], "--fail"),
    ],
)
def test_it_stays_on_this_machine_and_says_what_it_needs(options: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["stub", "africastalking", "--port", "0", *options])
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_plays_until_it_is_stopped_and_then_sums_up(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("mati")), "stub", "http", "--port", "0"]
    logged = [*command, "--log", str(tmp_path / "log")]
    with subprocess.Popen(logged, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        port = int(first.split("127.0.0.1:")[1].split(";")[0])
        print(f"\n{measured(port, 4, 800):,.0f} requests/s taken by the stub, four connections")
        taken = subprocess.run([*command[:-1], str(port)], capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "3,200  accepted" in rest
    assert len((tmp_path / "log").read_text().splitlines()) == 3200
    assert taken.returncode == 1
    assert "cannot be used" in taken.stderr


def measured(port: int, connections: int, each: int) -> float:
    """Requests a second over connections that stay open, from this process."""

    def ask(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rb") as answers:
            for i in range(each):
                body = f"to=%2B8551{number}{i:06d}&text=hello"
                head = f"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nContent-Type: {form}\r\n\r\n"
                line.sendall((head + body).encode())
                length = next(
                    int(line[15:]) for line in iter(answers.readline, b"\r\n") if line.startswith(b"Content-L")
                )
                while answers.readline() != b"\r\n":
                    pass
                answers.read(length)

    form = "application/x-www-form-urlencoded"
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections * each / (time.perf_counter() - began)
