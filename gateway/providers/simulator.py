"""The simulator: the handset in the browser and in the terminal speak to it, nobody else.

JSON. USSD sends the last input only: `{"session", "number", "input", "position"}`; `input` is null when dialling,
`dialled` the path dialled at once; the answer is `{"text", "ends"}`. SMS: `{"id", "from", "to", "text"}`. The inbox:
`{"number", "shown": [ids]}`, answered with `{"messages": [{"id", "text", "at"}]}`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.config import Settings
from gateway.phones import NotANumber, e164
from gateway.providers.base import (
    LONGEST_PATH,
    Accepted,
    Call,
    Event,
    InboundSms,
    InboxCheck,
    Malformed,
    Outcome,
    Outgoing,
    Provider,
    Sender,
    UssdStep,
    field,
    json_object,
    number,
)

LONGEST_SMS = 2000
MOST_SHOWN = 50


class Simulator(Provider):
    """Open to this machine alone, or to who is logged in to the panel."""

    name = "simulator"
    events = ("ussd", "sms", "inbox")
    token_in_path = False
    for_staff = True

    def __init__(self, settings: Settings) -> None:
        """It has no secrets."""

    def verify(self, call: Call) -> bool:
        """From loopback to a loopback address, or by staff (CONTRACT.md, Webhooks)."""
        return call.from_this_machine or call.by_staff

    def parse(self, event: str, call: Call) -> Event:
        """A step of a session, an SMS, or a look into the inbox."""
        fields = json_object(call)
        if event == "inbox":
            return InboxCheck(number(fields, "number"), _shown(fields.get("shown", [])))
        if event == "sms":
            text = field(fields, "text", LONGEST_SMS, empty=True)
            return InboundSms(self.name, field(fields, "id"), _sender(field(fields, "from")), text)
        session, caller = field(fields, "session"), number(fields, "number")
        if fields.get("input") is None:
            dialled = field(fields, "dialled", LONGEST_PATH, empty=True) if fields.get("dialled") else ""
            return UssdStep(self.name, session, caller, path=tuple(dialled.split("*")) if dialled else ())
        position = fields.get("position")
        if not isinstance(position, int) or isinstance(position, bool) or not 0 < position < 1000:
            raise Malformed("position is the number of inputs so far")
        last = field(fields, "input", LONGEST_PATH, empty=True)
        return UssdStep(self.name, session, caller, last=last, position=position)

    def ussd_answer(self, text: str, ends: bool, call: Call) -> tuple[str, str]:
        """As JSON."""
        return json.dumps({"text": text, "ends": ends}, ensure_ascii=False), "application/json"


class SimulatorSender(Sender):
    """Takes every message; the handset finds it in its inbox."""

    name = "simulator"

    def __init__(self, settings: Settings) -> None:
        """It needs nothing."""

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        """Accepted, all of them."""
        return [Accepted(f"sim-{message.id}") for message in batch]


def _sender(text: str) -> str | None:
    try:
        return e164(text)
    except NotANumber:
        return None


def _shown(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_SHOWN or not all(isinstance(item, str) for item in value):
        raise Malformed(f"shown is a list of at most {MOST_SHOWN} ids")
    return tuple(value)
