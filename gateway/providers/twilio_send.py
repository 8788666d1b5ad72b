"""Sending through Twilio. Source: WIRE.md, Twilio, Send; the official SDK's `rest.Client`.

One request a message, side by side. Our id goes along in the address of the callback, so that a message whose
answer was lost is known again by its receipts; where none comes, `look_up` asks.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import structlog
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from gateway.config import Settings, is_loopback
from gateway.providers import twilio
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
from gateway.providers.one_by_one import OneByOne
from gateway.providers.wire import Answer, Wire

log = structlog.get_logger()

PAGE = 100
MOST_LISTED = 2000
"""Messages read in one look-up; when it takes more to come to the time in question, nothing is concluded."""
CLOCKS_DIFFER = timedelta(minutes=2)

FOR_NOW = {Reason.THROTTLED, Reason.NO_BALANCE, Reason.GATEWAY_DOWN}
"""Reasons that pass: the message may be sent again later."""
STATUSES: dict[range, Refused | Unknown] = {
    range(301, 302): Refused(Reason.SETUP, for_now=False),  # moved: the BASE_URL is wrong
    range(307, 309): Refused(Reason.SETUP, for_now=False),
    range(408, 409): Unknown(Reason.NO_ANSWER),  # what stands before a service may say it of the service
    range(429, 430): Refused(Reason.THROTTLED, for_now=True),
    range(400, 500): Refused(Reason.SETUP, for_now=False),
}
"""The HTTP status of an answer without a code that we know; the first range counts.

The rest, 5xx among them, is in doubt, whatever its body says: nothing proves that the message was not taken.
"""

_SID = re.compile(r"[0-9A-Za-z-]{1,64}")
_SETTINGS = ("account_sid", "auth_token", "base_url", "from", "messaging_service_sid")
_NO_ENVIRONMENT = {"TWILIO_REGION": "", "TWILIO_EDGE": ""}
"""In place of the process's environment, where the SDK would look for another host and other secrets."""


class TwilioSender(OneByOne):
    """Sends as the SDK asks, and reads the answer itself: the SDK's errors quote addresses."""

    name = "twilio"
    words: ClassVar[twilio.Vocabulary] = twilio.Twilio.words
    home: ClassVar[str] = "https://api.twilio.com"
    lists_by_number: ClassVar[bool] = True
    """Whether its list of messages can be cut down to one number."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        mine = {what: getattr(settings, f"{self.name}_{what}") for what in _SETTINGS}
        self._account, self._token = mine["account_sid"], mine["auth_token"]
        self._base = mine["base_url"] or self.home
        sender = {"from_": mine["from"], "messaging_service_sid": mine["messaging_service_sid"]}
        self._sender = {name: value for name, value in sender.items() if value}
        # an address that only this machine can reach makes them refuse the message (21609)
        reachable = not settings.is_local or is_loopback(self._base)
        self._callback = f"{settings.address}/hooks/{self.name}/receipt" if reachable else None

    def request(self, message: Outgoing, seconds: float) -> Answer:
        """One message."""
        line = _Line(self._wire, time.monotonic() + seconds)
        try:
            self._client(line).messages.create(
                to=message.number,
                body=message.text,
                smart_encoded=False,  # the text goes out as it was counted, and is known again when we look it up
                status_callback=self._callback and f"{self._callback}?m={message.id}",
                **self._sender,
            )
        except Exception:
            if line.answer is None:
                raise
        assert line.answer is not None  # whatever the SDK thinks of it
        return line.answer

    def outcome(self, message: Outgoing, answer: Answer) -> Outcome:
        """By its error code, else by the HTTP status; accepted with an id only."""
        body = answer.json()
        fields = body if isinstance(body, dict) else {}
        said = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            sid = fields.get("sid")
            well = isinstance(sid, str) and _SID.fullmatch(sid)
            return Accepted(str(sid)) if well else Unknown(Reason.UNCLEAR, f"{said} without an id")
        code = str(fields.get("code"))
        if twilio.CODE.fullmatch(code):
            said = f"{said}, {code}"
        if 400 <= answer.status < 500 and (reason := self.words.errors.get(code)):
            return Refused(reason, reason in FOR_NOW, said)
        meanings = (outcome for statuses, outcome in STATUSES.items() if answer.status in statuses)
        return replace(next(meanings, Unknown(Reason.UNCLEAR)), said=said)

    def look_up(self, doubtful: Sequence[Doubtful], seconds: float) -> list[Receipt]:
        """By the provider's id where we have it, else by the one message of this text to this number at that time."""
        end = time.monotonic() + seconds
        known = [self._fetched(message, end) for message in doubtful if message.provider_id]
        groups: dict[str | None, list[Doubtful]] = {}
        for message in doubtful:
            if not message.provider_id:
                groups.setdefault(message.number if self.lists_by_number else None, []).append(message)
        found = [receipt for number, group in groups.items() for receipt in self._matched(number, group, end)]
        return [receipt for receipt in (*known, *found) if receipt is not None]

    def _client(self, line: _Line) -> Any:
        """The SDK's client for what is asked within one deadline."""
        client = Client(self._account, self._token, http_client=line, environment=_NO_ENVIRONMENT)
        client.api.base_url = self._base
        return client

    def _fetched(self, message: Doubtful, end: float) -> Receipt | None:
        if not _SID.fullmatch(message.provider_id or ""):
            return None
        try:
            record = self._client(_Line(self._wire, end)).messages(message.provider_id).fetch()
            return self._receipt(message, record) if record.sid == message.provider_id else None
        except Exception as problem:  # it is asked for again
            log.warning(f"{self.name}.not_looked_up", message=message.id, error=type(problem).__name__)
            return None

    def _matched(self, number: str | None, doubtful: Sequence[Doubtful], end: float) -> list[Receipt]:
        """What is known of messages without an id: each must match one record, and no record two of them."""
        earliest = min(message.since for message in doubtful) - CLOCKS_DIFFER
        records = []
        try:
            for record in self._client(_Line(self._wire, end)).messages.stream(
                **({"to": number} if number else {}), page_size=PAGE, limit=MOST_LISTED
            ):
                if record.date_created and record.date_created < earliest:  # the newest come first
                    break
                records.append(record)
            if len(records) >= MOST_LISTED:
                log.warning(f"{self.name}.list_too_long", listed=len(records))
                return []
            matches = [[record for record in records if _is(record, message)] for message in doubtful]
            claims = Counter(record.sid for match in matches for record in match)
            pairs = zip(doubtful, matches, strict=True)
            return [
                self._receipt(message, match[0]) for message, match in pairs if len(match) == 1 == claims[match[0].sid]
            ]
        except Exception as problem:
            log.warning(f"{self.name}.not_looked_up", messages=len(doubtful), error=type(problem).__name__)
            return []

    def _receipt(self, message: Doubtful, record: Any) -> Receipt:
        """What its record says of a message; one that is there was taken, whatever its status."""
        code = "" if record.error_code is None else str(record.error_code)
        receipt = self.words.receipt(self.name, record.sid, str(record.status), code, message.id)
        if receipt.status is None:
            return replace(receipt, status=Delivery.ON_THE_WAY)
        unclear = receipt.status is Delivery.FAILED and receipt.reason is None  # they know no more either
        return replace(receipt, reason=Reason.UNCLEAR) if unclear else receipt


class _Line(HttpClient):  # type: ignore[misc]
    """The SDK's way out: our wire, with one deadline for all that it asks."""

    def __init__(self, wire: Wire, end: float) -> None:
        self._wire, self._end = wire, end
        self.answer: Answer | None = None
        """The last one."""

    def request(
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The answer. Raises NotSent, Lost."""
        seconds = self._end - time.monotonic()
        parts = {"params": params, "data": data, "headers": headers, "auth": auth}
        self.answer = self._wire.request(method, uri, seconds, **parts)
        return Response(self.answer.status, self.answer.body.decode("utf-8", "replace"))


def _is(record: Any, message: Doubtful) -> bool:
    """Whether a record of the provider's can be of this message."""
    return (
        isinstance(record.sid, str)
        and record.sid not in message.others
        and record.direction != "inbound"
        and _digits(record.to) == _digits(message.number)
        and (record.body or "").strip() == message.text.strip()
        and record.date_created is not None
        and message.since - CLOCKS_DIFFER <= record.date_created <= message.until + CLOCKS_DIFFER
    )


def _digits(number: str | None) -> str:
    """A number without what a provider may write otherwise: `+`, `00`, spaces."""
    return re.sub("[^0-9]", "", number or "").lstrip("0")
