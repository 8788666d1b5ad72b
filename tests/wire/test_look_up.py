"""What Twilio and Somleng are asked afterwards: what became of a message, and why."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from gateway.providers import all_senders
from gateway.providers.base import Delivery, Doubtful, Reason, Receipt
from gateway.providers.twilio_send import CLOCKS_DIFFER, MOST_LISTED, PAGE, TwilioSender
from tests.wire.harness import captured
from tests.wire.server import Got, Reply, WireServer
from tests.wire.twilio_speakers import HTML, LONG_KHMER, ONE, OURS, SOMLENG, TOKEN, TWILIO, TWO, Service

SENT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
DOUBT = Doubtful(OURS, ONE, LONG_KHMER, SENT, SENT + timedelta(seconds=30))
SECOND = timedelta(seconds=1)

both = pytest.mark.parametrize("of", [TWILIO, SOMLENG], ids=lambda of: of.name)


class Answers:
    """A service that knows some messages, newest first; `pages` counts what it was asked."""

    def __init__(self, of: Service, *records: dict[str, Any], size: int = PAGE) -> None:
        self.of, self.records, self.size = of, records, size
        self.pages: list[str] = []

    def __call__(self, got: Got) -> Reply:
        self.pages.append(got.path)
        start = int(got.query.get("Page", "0")) * self.size
        more = start + self.size < len(self.records)
        following = f"{self.of.messages_path}?Page={start // self.size + 1}&PageSize={self.size}"
        listed = {
            "messages": self.records[start : start + self.size], "page": start // self.size, "page_size": self.size,
            "uri": got.path, "first_page_uri": self.of.messages_path, "previous_page_uri": None,
            "next_page_uri": following if more else None,
        }  # fmt: skip
        return Reply(200, json.dumps(listed))


def record(of: Service, sid: str = "one", after: timedelta = SECOND, **change: Any) -> dict[str, Any]:
    """A record of a message that was created so long after we sent ours; it is ours but for what is changed."""
    return of.record(sid=sid, body=LONG_KHMER, date_created=format_datetime(SENT + after), **change)


def look_up(
    of: Service, script: Callable[[Got], Reply] | Reply, *doubtful: Doubtful, seconds: float = 5
) -> list[Receipt]:
    """Asks, and sees to it that no secret and no number comes into the log."""
    with WireServer(script) as server, captured() as lines:
        sender = of.sender(of.settings({"base_url": server.url}))
        try:
            found = sender.look_up(doubtful, seconds)
        finally:
            sender.close()
        assert all(got.method == "GET" for got in server.got)
    assert not any(secret in line for secret in of.secrets for line in lines)
    return found


# why it failed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "status", "code", "delivery", "reason"),
    [
        (SOMLENG, "failed", "S1001", Delivery.FAILED, Reason.EXPIRED),
        (SOMLENG, "failed", "S1002", Delivery.FAILED, Reason.GATEWAY_DOWN),
        (SOMLENG, "failed", "S1005", Delivery.FAILED, Reason.NO_BALANCE),
        (SOMLENG, "failed", "21606", Delivery.FAILED, Reason.SETUP),
        (SOMLENG, "failed", "30006", Delivery.FAILED, Reason.NO_ROUTE),
        (SOMLENG, "failed", "30008", Delivery.FAILED, Reason.UNCLEAR),
        (SOMLENG, "failed", "S9999", Delivery.FAILED, Reason.UNCLEAR),
        (SOMLENG, "failed", None, Delivery.FAILED, Reason.UNCLEAR),  # nobody knows more: it is not asked again
        (SOMLENG, "canceled", None, Delivery.FAILED, Reason.UNCLEAR),
        (SOMLENG, "delivered", None, Delivery.DELIVERED, None),
        (SOMLENG, "sending", None, Delivery.ON_THE_WAY, None),
        (SOMLENG, "pondering", None, Delivery.ON_THE_WAY, None),  # it is there, so it was taken
        (TWILIO, "undelivered", 30003, Delivery.FAILED, Reason.UNREACHABLE),
        (TWILIO, "failed", 21610, Delivery.FAILED, Reason.OPTED_OUT),
        (TWILIO, "read", None, Delivery.DELIVERED, None),
    ],
)
def test_a_message_whose_id_is_known(
    of: Service, status: str, code: Any, delivery: Delivery, reason: Reason | None
) -> None:
    asked = []

    def script(got: Got) -> Reply:
        asked.append((got.path, got.headers["authorization"][:6]))
        return Reply(200, json.dumps(record(of, of.sid, status=status, error_code=code)))

    found = look_up(of, script, replace(DOUBT, provider_id=of.sid))
    said = f"{status}, {code}" if code else status
    assert found == [Receipt(of.name, of.sid, delivery, said, reason, OURS)]
    assert asked == [(of.messages_path.replace(".json", f"/{of.sid}.json"), "Basic ")]


@both
@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, json.dumps({"code": 20404, "message": f"no {ONE}, {TOKEN}", "status": 404})),
        Reply(401),
        Reply(429),
        Reply(500),
        Reply(302, HTML, {"Location": "/login"}),
        Reply(200, HTML),
        Reply(200),
        Reply(200, "[]"),
        Reply(200, "{}"),
        Reply(200, '{"sid": "another", "status": "delivered"}'),
        Reply(200, '{"date_created": 7}'),
        Reply(200, "{}", cut=0),
        Reply(hang_up=True),
    ],
)
def test_an_answer_that_says_nothing(of: Service, reply: Reply) -> None:
    assert look_up(of, reply, replace(DOUBT, provider_id=of.sid), DOUBT) == []


@both
@pytest.mark.parametrize("reply", [Reply(200, delay=60), Reply(200, HTML, drip=0.1), Reply(200, drip_head=0.1)])
def test_all_that_is_asked_keeps_one_deadline(of: Service, reply: Reply) -> None:
    start = time.monotonic()
    known = replace(DOUBT, provider_id=of.sid)
    assert look_up(of, reply, known, known, DOUBT, replace(DOUBT, number=TWO), seconds=0.4) == []
    assert time.monotonic() - start < 1.2


@both
def test_an_id_that_leads_elsewhere_is_not_asked_for(of: Service) -> None:
    asked = Answers(of)
    assert look_up(of, asked, replace(DOUBT, provider_id="../../Accounts")) == []
    assert asked.pages == []


# whether it was taken -----------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"after": -CLOCKS_DIFFER},  # their clock is slow
        {"after": CLOCKS_DIFFER + 30 * SECOND},
        {"to": ONE[1:]},
        {"to": "+855 10 000 001"},
        {"body": f" {LONG_KHMER}\n"},
        {"direction": "outbound-reply"},
        {"status": "delivered"},
    ],
    ids=str,
)
def test_the_one_message_of_this_text_to_this_number_at_this_time_is_ours(of: Service, change: dict[str, Any]) -> None:
    (found,) = look_up(of, Answers(of, mine(of, change)), DOUBT)
    assert (found.provider, found.provider_id, found.message) == (of.name, "one", OURS)
    assert found.status is (Delivery.DELIVERED if change.get("status") else Delivery.ON_THE_WAY)


@both
@pytest.mark.parametrize(
    "change",
    [
        {"after": -CLOCKS_DIFFER - SECOND},
        {"after": CLOCKS_DIFFER + 31 * SECOND},
        {"to": TWO},
        {"to": None},
        {"body": "Hello"},
        {"body": ""},
        {"body": None},
        {"direction": "inbound"},
        {"sid": None},
        {"sid": 7},
        {"sid": "another"},
    ],
    ids=str,
)
def test_another_message_is_not(of: Service, change: dict[str, Any]) -> None:
    assert look_up(of, Answers(of, mine(of, change)), replace(DOUBT, others=frozenset({"another"}))) == []


def mine(of: Service, change: dict[str, Any]) -> dict[str, Any]:
    after = change.get("after", SECOND)
    return record(of, after=after) | {name: value for name, value in change.items() if name != "after"}


@both
def test_two_that_it_may_be_leave_it_in_doubt(of: Service) -> None:
    two = record(of, "two", 2 * SECOND), record(of, "one")
    assert look_up(of, Answers(of, *two), DOUBT) == []
    (found,) = look_up(of, Answers(of, *two), replace(DOUBT, others=frozenset({"two", "three"})))
    assert found.provider_id == "one"


@both
def test_one_that_two_of_ours_may_be_leaves_both_in_doubt(of: Service) -> None:
    assert look_up(of, Answers(of, record(of)), DOUBT, replace(DOUBT, id="f" * 32)) == []


@both
def test_several_are_told_apart(of: Service) -> None:
    to_two = replace(DOUBT, id="b" * 32, number=TWO)
    other_text = replace(DOUBT, id="c" * 32, text="Hello")
    nowhere = replace(DOUBT, id="d" * 32, text="Nobody has it")
    known = replace(DOUBT, id="e" * 32, provider_id="five")

    def script(got: Got) -> Reply:
        if got.path.endswith("/five.json"):
            return Reply(200, json.dumps(record(of, "five", status="failed", error_code=30008)))
        return lists(got)

    lists = Answers(of, record(of, "three") | {"body": "Hello"}, record(of, "two") | {"to": TWO}, record(of, "one"))
    found = look_up(of, script, DOUBT, to_two, other_text, nowhere, known)
    assert {receipt.message: receipt.provider_id for receipt in found} == {
        OURS: "one", to_two.id: "two", other_text.id: "three", known.id: "five",
    }  # fmt: skip
    if of is TWILIO:  # a list for each number
        assert [path.partition("?")[2] for path in lists.pages] == [
            f"To=%2B{ONE[1:]}&PageSize={PAGE}", f"To=%2B{TWO[1:]}&PageSize={PAGE}",
        ]  # fmt: skip
    else:  # one for all: it knows no other
        assert [path.partition("?")[2] for path in lists.pages] == [f"PageSize={PAGE}"]


@both
def test_no_more_pages_are_read_than_go_back_to_that_time(of: Service) -> None:
    later = [record(of, f"later{i}", (10_000 - i) * SECOND) for i in range(3)]
    before = [record(of, f"before{i}", -CLOCKS_DIFFER - (i + 1) * SECOND) for i in range(5)]
    lists = Answers(of, *later, record(of), *before, size=2)
    (found,) = look_up(of, lists, DOUBT)
    assert found.provider_id == "one"
    assert len(lists.pages) == 3


@both
def test_a_list_without_end_concludes_nothing(of: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.providers.twilio_send.MOST_LISTED", 4)
    many = [record(of, f"later{i}", (10_000 - i) * SECOND) for i in range(5)]
    assert look_up(of, Answers(of, record(of), *many, size=2), DOUBT) == []
    assert MOST_LISTED >= 10 * PAGE


@both
def test_a_record_without_a_date_does_not_stop_the_others(of: Service) -> None:
    (found,) = look_up(of, Answers(of, of.record(date_created=None, body=LONG_KHMER), record(of)), DOUBT)
    assert found.provider_id == "one"


@both
def test_nothing_in_doubt_asks_nobody(of: Service) -> None:
    lists = Answers(of)
    assert look_up(of, lists) == []
    assert lists.pages == []


def test_who_cannot_be_asked_says_nothing() -> None:
    for sender in all_senders(TWILIO.settings({"africastalking_username": "mati", "africastalking_api_key": "x"})):
        if not isinstance(sender, TwilioSender):
            assert sender.look_up([DOUBT], 1) == []
        sender.close()
