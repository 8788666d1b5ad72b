"""Africa's Talking, as it reaches us; the way out is in `africastalking_send`. Source: WIRE.md, Africa's Talking.

It signs nothing: a token in the path says who calls.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config import Settings
from gateway.phones import NotANumber, e164
from gateway.privacy import same_token
from gateway.providers.base import (
    LONGEST_PATH,
    Call,
    Delivery,
    Event,
    InboundSms,
    Malformed,
    OptOut,
    Provider,
    Reason,
    Receipt,
    UssdEnd,
    UssdStep,
    field,
    form,
    number,
)

LONGEST_SMS = 255 * 153
"""Characters: the most parts an SMS can have, of 153 septets each."""

STATUSES: dict[str, tuple[Delivery, Reason | None]] = {
    "Sent": (Delivery.ON_THE_WAY, None),
    "Submitted": (Delivery.ON_THE_WAY, None),
    "Buffered": (Delivery.ON_THE_WAY, None),
    "Success": (Delivery.DELIVERED, None),
    "Rejected": (Delivery.FAILED, Reason.FILTERED),
    "Failed": (Delivery.FAILED, Reason.UNCLEAR),
    "AbsentSubscriber": (Delivery.FAILED, Reason.UNREACHABLE),
    "Expired": (Delivery.FAILED, Reason.EXPIRED),
}
"""A delivery report's status, and why where it gives no listed reason."""

FAILURES: dict[str, Reason] = {
    "InsufficientCredit": Reason.NO_BALANCE,
    "InvalidLinkId": Reason.SETUP,
    "UserIsInactive": Reason.UNREACHABLE,
    "UserInBlackList": Reason.OPTED_OUT,
    "UserAccountSuspended": Reason.UNREACHABLE,  # the subscriber's, by the network
    "NotNetworkSubcriber": Reason.NO_ROUTE,  # their spelling
    "UserNotSubscribedToProduct": Reason.NOT_PERMITTED,
    "UserDoesNotExist": Reason.BAD_NUMBER,
    "DeliveryFailure": Reason.UNCLEAR,  # any other
    "DoNotDisturbRejection": Reason.NOT_PERMITTED,  # a country's list, not a word to us
}
"""A delivery report's `failureReason`."""


class AfricasTalking(Provider):
    """USSD by the whole path, the notice of a session's end, SMS, delivery reports and opt-outs."""

    name = "africastalking"
    events = ("ussd", "ussd-end", "sms", "receipt", "optout")
    token_in_path = True

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.africastalking_webhook_tokens

    def verify(self, call: Call) -> bool:
        """By the token in the path; two may be valid at once."""
        return same_token(call.token, self._tokens)

    def parse(self, event: str, call: Call) -> Event:
        """What one of the `events` says."""
        fields = form(call)
        match event:
            case "sms":
                return self._sms(fields)
            case "receipt":
                return self._receipt(fields)
            case "optout":
                return OptOut(self.name, number(fields, "phoneNumber"))
            case "ussd-end":
                status = field(fields, "status")
                return UssdEnd(self.name, field(fields, "sessionId"), status == "Success", status)
            case _:
                return self._ussd(fields)

    def ussd_answer(self, text: str, ends: bool, call: Call) -> tuple[str, str]:
        """`CON` goes on, `END` closes."""
        return f"{'END' if ends else 'CON'} {text}", "text/plain; charset=utf-8"

    def _ussd(self, fields: Mapping[str, str]) -> UssdStep:
        session, text = field(fields, "sessionId"), field(fields, "text", LONGEST_PATH, empty=True)
        path = tuple(text.split("*")) if text else ()
        if len(path) > 100:
            raise Malformed("text has more than 100 inputs")
        return UssdStep(self.name, session, number(fields, "phoneNumber"), path=path)

    def _sms(self, fields: Mapping[str, str]) -> InboundSms:
        sender: str | None
        try:
            sender = e164(field(fields, "from", empty=True))
        except NotANumber:  # a short code, or an advert's name
            sender = None
        return InboundSms(self.name, field(fields, "id"), sender, field(fields, "text", LONGEST_SMS, empty=True))

    def _receipt(self, fields: Mapping[str, str]) -> Receipt:
        message, status = field(fields, "id"), field(fields, "status")
        failure = field(fields, "failureReason", empty=True).strip() if "failureReason" in fields else ""
        delivery, reason = STATUSES.get(status, (None, None))
        if delivery is Delivery.FAILED:
            reason = FAILURES.get(failure, reason)
        return Receipt(self.name, message, delivery, f"{status}, {failure}" if failure else status, reason)
