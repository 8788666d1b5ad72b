"""Sending through a gateway of an operator's own: one request a message, made as the settings say (`HTTP_SEND_…`)."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl

from gateway.config import Settings
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Unknown
from gateway.providers.http import bare, flat, nested
from gateway.providers.one_by_one import OneByOne
from gateway.providers.wire import Answer

STATUSES: dict[range, Refused | Unknown] = {
    range(301, 302): Refused(Reason.SETUP, for_now=True),  # moved: HTTP_SEND_URL is wrong
    range(307, 309): Refused(Reason.SETUP, for_now=True),
    range(402, 403): Refused(Reason.NO_BALANCE, for_now=True),
    range(408, 409): Unknown(Reason.NO_ANSWER),  # what stands before a service may say it of the service
    range(413, 415): Refused(Reason.TOO_LONG, for_now=False),
    range(429, 430): Refused(Reason.THROTTLED, for_now=True),
    range(400, 500): Refused(Reason.SETUP, for_now=True),  # 401, 403: wrong login; an operator can mend it
}
"""The HTTP status of an answer that is no 2xx; the first range counts.

The rest, 5xx among them, is in doubt: nothing says that the message was not taken.
"""

_ID = re.compile("[!-~]{1,200}")
_WORDS = re.compile(r"[^\s:;,|=]+")
_TOLD = re.compile("[A-Za-z_-]{1,30}|[0-9]{1,5}")
_MOST_TEXT = 500


class HttpSender(OneByOne):
    """Sends a form, JSON, or a GET with everything in the address."""

    name = "http"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._set = settings
        self._url = settings.http_send_url or ""
        self._extra = dict(parse_qsl(settings.http_send_extra, keep_blank_values=True))
        if settings.http_sender:
            self._extra[settings.http_send_sender_field] = settings.http_sender
        name, _, value = settings.http_send_header.partition(":")
        self._headers = {"Accept": "application/json, */*;q=0.5"} | ({name: value.strip()} if name else {})

    def request(self, message: Outgoing, seconds: float) -> Answer:
        """Sends what the settings name, beside what is always the same."""
        to = message.number if self._set.http_send_number_as == "plus" else message.number.removeprefix("+")
        fields = {self._set.http_send_number_field: to, self._set.http_send_text_field: message.text}
        for name in self._set.http_reference_field[:1]:
            fields[name] = message.id
        if self._set.http_send_as == "json":
            extra = {name: bare(value) for name, value in self._extra.items()}
            return self._wire.request("POST", self._url, seconds, json=nested(extra | fields), headers=self._headers)
        given = self._extra | fields
        if self._set.http_send_as == "query":
            return self._wire.request("GET", self._url, seconds, params=given, headers=self._headers)
        return self._wire.request("POST", self._url, seconds, data=given, headers=self._headers)

    def outcome(self, message: Outgoing, answer: Answer) -> Outcome:
        """By the HTTP status, then by what their answer says, then by the id in it."""
        said = f"HTTP {answer.status}"
        if not 200 <= answer.status < 300:
            meanings = (outcome for statuses, outcome in STATUSES.items() if answer.status in statuses)
            return replace(next(meanings, Unknown(Reason.UNCLEAR)), said=said)
        fields = _fields(answer)
        status = fields.get(self._set.http_sent_status_field, "")
        if self._set.http_sent_status_field:
            if _TOLD.fullmatch(status):  # never anything else: it goes to the log
                said = f"{said} {status}"
            meaning = self._meaning(status)
            if meaning is not None:
                return replace(meaning, said=said)
        id_ = fields.get(self._set.http_sent_id_field, "")
        if _ID.fullmatch(id_):
            return Accepted(id_)
        return (
            Accepted(message.id) if self._set.http_sent_status_field else Unknown(Reason.UNCLEAR, f"{said} without id")
        )

    def _meaning(self, status: str) -> Refused | Unknown | None:
        """What a status of their answer means; None: the message was taken."""
        meanings: tuple[tuple[tuple[str, ...], Refused | None], ...] = (
            (self._set.http_accepted_values, None),
            (self._set.http_refused_values, Refused(Reason.UNCLEAR, for_now=False)),
            (self._set.http_later_values, Refused(Reason.UNCLEAR, for_now=True)),
        )
        found = (meaning for values, meaning in meanings if status.casefold() in map(str.casefold, values))
        return next(found, Unknown(Reason.UNCLEAR))


def _fields(answer: Answer) -> dict[str, str]:
    """The fields of their JSON; of a plain text its words, by their places from 0."""
    body = answer.json()
    if isinstance(body, dict | list):
        return flat(body)
    words = _WORDS.findall(answer.body.decode("utf-8", "replace")[:_MOST_TEXT])
    return {str(place): word for place, word in enumerate(words)}
