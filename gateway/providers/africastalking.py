"""Africa's Talking. Source: WIRE.md, Africa's Talking.

It signs nothing: a token in the path says who calls.
"""

from __future__ import annotations

from gateway.config import Settings
from gateway.privacy import same_token
from gateway.providers.base import (
    LONGEST_PATH,
    Call,
    Event,
    Malformed,
    Provider,
    UssdEnd,
    UssdStep,
    field,
    form,
    number,
)


class AfricasTalking(Provider):
    """USSD by the whole path, and the notice of a session's end."""

    name = "africastalking"
    events = ("ussd", "ussd-end")
    token_in_path = True

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.africastalking_webhook_tokens

    def verify(self, call: Call) -> bool:
        """By the token in the path; two may be valid at once."""
        return same_token(call.token, self._tokens)

    def parse(self, event: str, call: Call) -> Event:
        """The step or the end of a session."""
        fields = form(call)
        session = field(fields, "sessionId")
        if event == "ussd-end":
            status = field(fields, "status")
            return UssdEnd(self.name, session, status == "Success", status)
        text = field(fields, "text", LONGEST_PATH, empty=True)
        path = tuple(text.split("*")) if text else ()
        if len(path) > 100:
            raise Malformed("text has more than 100 inputs")
        return UssdStep(self.name, session, number(fields, "phoneNumber"), path=path)

    def ussd_answer(self, text: str, ends: bool) -> tuple[str, str]:
        """`CON` goes on, `END` closes."""
        return f"{'END' if ends else 'CON'} {text}", "text/plain; charset=utf-8"
