"""Somleng, a Cambodian service that speaks as Twilio does. Source: WIRE.md, Somleng; its published source code.

What differs: its statuses; codes of its own (`S1001`); a callback that never says why a message failed, so that
`look_up` fetches the reason; and a list of messages that cannot be cut down to a number.
"""

from __future__ import annotations

from gateway.providers import twilio, twilio_send
from gateway.providers.base import Delivery, Reason

STATUSES: dict[str, Delivery] = {
    "accepted": Delivery.ON_THE_WAY,
    "scheduled": Delivery.ON_THE_WAY,
    "queued": Delivery.ON_THE_WAY,
    "sending": Delivery.ON_THE_WAY,
    "sent": Delivery.ON_THE_WAY,
    "delivered": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}
"""The status of a message that we sent; `received` is said of those that come in."""

ERRORS: dict[str, Reason] = {
    **twilio.ERRORS,
    "20422": Reason.SETUP,  # a parameter is invalid; the text alone says which
    "30006": Reason.NO_ROUTE,  # no gateway of theirs serves the number
    "30037": Reason.SETUP,  # messaging is off
    "S1001": Reason.EXPIRED,
    "S1002": Reason.GATEWAY_DOWN,  # the operator's gateway is disconnected
    "S1004": Reason.SETUP,  # the carrier's account with them is not in order
    "S1005": Reason.NO_BALANCE,
    "S1006": Reason.SETUP,  # not subscribed
    "S1007": Reason.NOT_PERMITTED,  # the destination is blocked
}
"""Error codes, as they come in an answer and with a message that is fetched."""


class Somleng(twilio.Twilio):
    """SMS, and what became of those that we sent; signed as by Twilio."""

    name = "somleng"
    words = twilio.Vocabulary(STATUSES, ERRORS)


class SomlengSender(twilio_send.TwilioSender):
    """Sends as Twilio's does."""

    name = "somleng"
    words = Somleng.words
    home = "https://api.somleng.org"
    lists_by_number = False
