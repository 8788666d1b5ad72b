"""What Africa's Talking posts: SMS, delivery reports, opt-outs. Source of the forms: WIRE.md."""

from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.config import Settings
from gateway.providers.africastalking import LONGEST_SMS, AfricasTalking
from gateway.providers.base import Call, Delivery, InboundSms, Malformed, OptOut, Reason, Receipt, UssdEnd, UssdStep

OURS = "africastalking"
ONE = "+85510000001"
KHMER = "១ ២ ៥ អរគុណ"
TOKENS = ("n" * 40, "o" * 40)

SMS = {
    "id": "8f21", "from": ONE, "to": "8550", "text": "1 2 5", "date": "2017-05-03T06:04:45Z",
    "linkId": "SampleLink", "cost": "KES 0", "networkCode": "45606",
}  # fmt: skip
RECEIPT = {"id": "ATXid_1", "status": "Success", "phoneNumber": ONE, "networkCode": "45606", "retryCount": "0"}
OPT_OUT = {"senderId": "MATI", "phoneNumber": ONE}


@pytest.fixture
def provider() -> AfricasTalking:
    return AfricasTalking(Settings.model_construct(africastalking_webhook_tokens=TOKENS))


def call(fields: dict[str, Any]) -> Call:
    """A post with the fields; those that are None are left out."""
    return Call(urlencode({name: value for name, value in fields.items() if value is not None}).encode())


@pytest.mark.parametrize(
    ("change", "sms"),
    [
        ({}, InboundSms(OURS, "8f21", ONE, "1 2 5")),
        ({"date": "2017-05-03 06:04:45"}, InboundSms(OURS, "8f21", ONE, "1 2 5")),
        ({"linkId": None, "cost": None, "networkCode": None}, InboundSms(OURS, "8f21", ONE, "1 2 5")),
        ({"somethingNew": "x"}, InboundSms(OURS, "8f21", ONE, "1 2 5")),
        ({"from": " 85510000001"}, InboundSms(OURS, "8f21", ONE, "1 2 5")),  # a + that was not encoded
        ({"from": "85510000001"}, InboundSms(OURS, "8f21", ONE, "1 2 5")),
        ({"from": "0085510000001"}, InboundSms(OURS, "8f21", ONE, "1 2 5")),
        ({"from": "+254711000001"}, InboundSms(OURS, "8f21", "+254711000001", "1 2 5")),
        ({"from": "SmartPromo"}, InboundSms(OURS, "8f21", None, "1 2 5")),
        ({"from": "8550"}, InboundSms(OURS, "8f21", None, "1 2 5")),
        ({"from": ""}, InboundSms(OURS, "8f21", None, "1 2 5")),
        ({"text": ""}, InboundSms(OURS, "8f21", ONE, "")),
        ({"text": KHMER}, InboundSms(OURS, "8f21", ONE, KHMER)),
        ({"text": "ក" * 4000}, InboundSms(OURS, "8f21", ONE, "ក" * 4000)),
    ],
)
def test_an_sms(provider: AfricasTalking, change: dict[str, Any], sms: InboundSms) -> None:
    assert provider.parse("sms", call(SMS | change)) == sms


@pytest.mark.parametrize(
    ("status", "failure", "delivery", "reason"),
    [
        ("Sent", None, Delivery.ON_THE_WAY, None),
        ("Submitted", None, Delivery.ON_THE_WAY, None),
        ("Buffered", "", Delivery.ON_THE_WAY, None),
        ("Success", "", Delivery.DELIVERED, None),
        ("Success", "DeliveryFailure", Delivery.DELIVERED, None),
        ("Rejected", None, Delivery.FAILED, Reason.FILTERED),
        ("Failed", None, Delivery.FAILED, Reason.UNCLEAR),
        ("AbsentSubscriber", None, Delivery.FAILED, Reason.UNREACHABLE),
        ("Expired", None, Delivery.FAILED, Reason.EXPIRED),
        ("Failed", "InsufficientCredit", Delivery.FAILED, Reason.NO_BALANCE),
        ("Failed", "InvalidLinkId", Delivery.FAILED, Reason.SETUP),
        ("Failed", "UserIsInactive", Delivery.FAILED, Reason.UNREACHABLE),
        ("Rejected", "UserInBlackList", Delivery.FAILED, Reason.OPTED_OUT),
        ("Failed", "UserAccountSuspended", Delivery.FAILED, Reason.UNREACHABLE),
        ("Failed", "NotNetworkSubcriber", Delivery.FAILED, Reason.NO_ROUTE),
        ("Failed", "UserNotSubscribedToProduct", Delivery.FAILED, Reason.NOT_PERMITTED),
        ("Failed", "UserDoesNotExist", Delivery.FAILED, Reason.BAD_NUMBER),
        ("Failed", "DeliveryFailure", Delivery.FAILED, Reason.UNCLEAR),
        ("Rejected", "DoNotDisturbRejection", Delivery.FAILED, Reason.NOT_PERMITTED),
        ("Rejected", "SomethingNew", Delivery.FAILED, Reason.FILTERED),
        ("Pondering", None, None, None),
        ("Pondering", "UserInBlackList", None, None),
    ],
)
def test_a_delivery_report(
    provider: AfricasTalking, status: str, failure: str | None, delivery: Delivery | None, reason: Reason | None
) -> None:
    said = f"{status}, {failure}" if failure else status
    receipt = provider.parse("receipt", call(RECEIPT | {"status": status, "failureReason": failure}))
    assert receipt == Receipt(OURS, "ATXid_1", delivery, said, reason)


def test_a_delivery_report_needs_no_more_than_its_id_and_status(provider: AfricasTalking) -> None:
    report = call({"id": "ATXid_1", "status": "Sent", "somethingNew": "x"})
    assert provider.parse("receipt", report) == Receipt(OURS, "ATXid_1", Delivery.ON_THE_WAY, "Sent")


@pytest.mark.parametrize(
    "change", [{}, {"phoneNumber": " 85510000001"}, {"phoneNumber": "85510000001"}, {"senderId": None}, {"new": "x"}]
)
def test_an_opt_out(provider: AfricasTalking, change: dict[str, Any]) -> None:
    assert provider.parse("optout", call(OPT_OUT | change)) == OptOut(OURS, ONE)


@pytest.mark.parametrize(
    ("event", "fields", "reason"),
    [
        ("sms", SMS | {"id": None}, "id is missing"),
        ("sms", SMS | {"id": " "}, "id is empty"),
        ("sms", SMS | {"from": None}, "from is missing"),
        ("sms", SMS | {"text": None}, "text is missing"),
        ("sms", SMS | {"text": "x" * (LONGEST_SMS + 1)}, f"text is longer than {LONGEST_SMS} characters"),
        ("sms", SMS | {"from": "x" * 201}, "from is longer than 200 characters"),
        ("receipt", RECEIPT | {"id": None}, "id is missing"),
        ("receipt", RECEIPT | {"status": None}, "status is missing"),
        ("receipt", RECEIPT | {"status": ""}, "status is empty"),
        ("receipt", RECEIPT | {"status": "x" * 201}, "status is longer than 200 characters"),
        ("receipt", RECEIPT | {"failureReason": "x" * 201}, "failureReason is longer than 200 characters"),
        ("optout", OPT_OUT | {"phoneNumber": None}, "phoneNumber is missing"),
        ("optout", OPT_OUT | {"phoneNumber": "MATI"}, "phoneNumber: a phone number has digits only"),
    ],
)
def test_what_is_malformed_says_why_and_repeats_nothing(
    provider: AfricasTalking, event: str, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Malformed) as caught:
        provider.parse(event, call(fields))
    assert str(caught.value) == reason


def test_a_field_that_comes_twice_and_a_body_that_is_no_form(provider: AfricasTalking) -> None:
    for event in provider.events:
        with pytest.raises(Malformed):
            provider.parse(event, Call(b"id=1&id=2&status=Sent"))
        with pytest.raises(Malformed):
            provider.parse(event, Call(b"{}", "application/json"))
        with pytest.raises(Malformed):
            provider.parse(event, Call(b"id=\xff&status=Sent"))


def test_a_session_s_steps_and_end(provider: AfricasTalking) -> None:
    step = {"sessionId": "ATUid_1", "phoneNumber": ONE, "networkCode": "45606", "serviceCode": "*384#", "text": ""}
    assert provider.parse("ussd", call(step)) == UssdStep(OURS, "ATUid_1", ONE, path=())
    assert provider.parse("ussd", call(step | {"text": "2*4"})) == UssdStep(OURS, "ATUid_1", ONE, path=("2", "4"))
    for status in ("Success", "Incomplete", "Failed"):
        end = provider.parse("ussd-end", call(step | {"status": status}))
        assert end == UssdEnd(OURS, "ATUid_1", status == "Success", status)


def test_only_who_knows_a_token_is_heard(provider: AfricasTalking) -> None:
    assert [provider.verify(Call(b"", token=token)) for token in (*TOKENS, "", "n" * 39, "x" * 40)] == [
        True, True, False, False, False,
    ]  # fmt: skip
    closed = AfricasTalking(Settings.model_construct())
    assert not any(closed.verify(Call(b"", token=token)) for token in (*TOKENS, ""))


def test_it_listens_for_all_that_is_posted(provider: AfricasTalking) -> None:
    assert provider.events == ("ussd", "ussd-end", "sms", "receipt", "optout")
