"""Somleng's table: what differs from Twilio's. What it is asked afterwards: `test_look_up`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.providers.base import Delivery, Reason, Refused
from gateway.providers.somleng import ERRORS, STATUSES, Somleng
from tests.wire.harness import In, Out, take_in
from tests.wire.twilio_speakers import KHMER, OURS, PUBLIC, SOMLENG, TWILIO, common_in, common_out

CASES_IN = [
    *common_in(SOMLENG),
    SOMLENG.sms_case("all that it sends", KHMER, MessagingServiceSid="8c1e", ReferralNumMedia="0"),
    SOMLENG.receipt_case("accepted", SOMLENG.status("accepted"), Delivery.ON_THE_WAY, "accepted"),
    SOMLENG.receipt_case("scheduled", SOMLENG.status("scheduled"), Delivery.ON_THE_WAY, "scheduled"),
    SOMLENG.receipt_case("sending", SOMLENG.status("sending"), Delivery.ON_THE_WAY, "sending"),
    SOMLENG.receipt_case("failed, with the text", SOMLENG.status("failed", Body="Hello"), Delivery.FAILED, "failed"),
    SOMLENG.receipt_case("it knows no undelivered", SOMLENG.status("undelivered"), None, "undelivered"),
    SOMLENG.receipt_case("it knows no read", SOMLENG.status("read"), None, "read"),
    # it says so one day
    SOMLENG.receipt_case("failed, with a code", SOMLENG.status("failed", ErrorCode="S1001"), Delivery.FAILED,
                         "failed, S1001", Reason.EXPIRED),
]  # fmt: skip


def refused(code: int | str, reason: Reason, for_now: bool = False) -> Out:
    return SOMLENG.error_case(code, Refused(reason, for_now, f"HTTP 422, {code}"))


CASES_OUT = [
    *common_out(SOMLENG),
    refused(20422, Reason.SETUP),
    refused("21606", Reason.SETUP),
    refused("21701", Reason.SETUP),
    refused("21703", Reason.SETUP),
    refused("21704", Reason.SETUP),
    refused("30002", Reason.SETUP),
    refused("30006", Reason.NO_ROUTE),
    refused("30008", Reason.UNCLEAR),
    refused("30037", Reason.SETUP),
    refused("S1001", Reason.EXPIRED),
    refused("S1002", Reason.GATEWAY_DOWN, True),
    refused("S1004", Reason.SETUP),
    refused("S1005", Reason.NO_BALANCE, True),
    refused("S1006", Reason.SETUP),
    refused("S1007", Reason.NOT_PERMITTED),
]


@pytest.mark.parametrize("case", CASES_IN, ids=lambda case: case.label)
def test_in(case: In) -> None:
    settings = SOMLENG.settings(case.settings)
    take_in(case, Somleng(settings), settings, SOMLENG.secrets)


@pytest.mark.parametrize("case", CASES_OUT, ids=lambda case: case.label)
def test_out(case: Out) -> None:
    SOMLENG.send_case(case)


def test_each_word_of_its_own_is_tried() -> None:
    said = {getattr(event, "said", "") for case in CASES_IN for event in case.events}
    assert said >= STATUSES.keys()
    labels = " ".join(case.label for case in CASES_OUT)
    own = [code for code, reason in ERRORS.items() if TWILIO.provider.words.errors.get(code) != reason]
    assert [code for code in own if code not in labels] == []
    assert len(own) == 9


def test_it_goes_to_its_host_whatever_is_set_for_twilio(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("EDGE", "sydney"), ("REGION", "au1"), ("ACCOUNT_SID", "AC0"), ("AUTH_TOKEN", "0")):
        monkeypatch.setenv(f"TWILIO_{name}", value)
    callback = f"{PUBLIC}/hooks/somleng/receipt?m={OURS}"
    asked = SOMLENG.where_it_goes(monkeypatch, {"twilio_base_url": "https://relay.example"})
    assert asked == [(f"https://api.somleng.org{SOMLENG.messages_path}", callback)]


def test_twilio_s_token_opens_nothing_here() -> None:
    settings = SOMLENG.settings({"auth_token": "", "twilio_auth_token": "5d41402abc4b2a76b9719d911017c592"})
    case = replace(SOMLENG.sms_case("signed with Twilio's token", "1 2 5"), status=403, events=(), answer=None)
    take_in(case, Somleng(settings), settings, SOMLENG.secrets)
