"""The simulator: the handset in the browser and in the terminal speak to it, nobody else.

JSON, the last input only: `{"session", "number", "input", "position"}`; `input` is null when dialling, `dialled`
the path dialled at once. The answer is `{"text", "ends"}`.
"""

from __future__ import annotations

import json

from gateway.providers.base import LONGEST_PATH, Call, Event, Malformed, Provider, UssdStep, field, json_object, number


class Simulator(Provider):
    """Open to this machine alone, or to who is logged in to the panel."""

    name = "simulator"
    events = ("ussd",)
    token_in_path = False

    def verify(self, call: Call) -> bool:
        """From loopback to a loopback address, or by staff (CONTRACT.md, Webhooks)."""
        return call.from_this_machine or call.by_staff

    def parse(self, event: str, call: Call) -> Event:
        """A step of a session."""
        fields = json_object(call)
        session, caller = field(fields, "session"), number(fields, "number")
        if fields.get("input") is None:
            dialled = field(fields, "dialled", LONGEST_PATH, empty=True) if fields.get("dialled") else ""
            return UssdStep(self.name, session, caller, path=tuple(dialled.split("*")) if dialled else ())
        position = fields.get("position")
        if not isinstance(position, int) or isinstance(position, bool) or not 0 < position < 1000:
            raise Malformed("position is the number of inputs so far")
        return UssdStep(
            self.name, session, caller, last=field(fields, "input", LONGEST_PATH, empty=True), position=position
        )

    def ussd_answer(self, text: str, ends: bool) -> tuple[str, str]:
        """As JSON."""
        return json.dumps({"text": text, "ends": ends}, ensure_ascii=False), "application/json"
