"""An operator's own gateway, played as the gateway's `HTTP_…` settings describe it. Source: docs/providers/http.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from uuid import uuid4

from gateway.config import Settings
from gateway.stub.hooks import Callback, form
from gateway.stub.ledger import Ledger
from gateway.stub.provider import SERVICE, UNDELIVERED, Played, Sms, Taken, code_of
from gateway.stub.setup import Setup
from gateway.stub.wire import JSON, Answer, Request, as_json, as_text

ANSWERS: dict[str, tuple[int, str]] = {
    "400": (400, "invalid number"),
    "401": (401, "unauthorized"),
    "402": (402, "no balance"),
    "403": (403, "not permitted"),
    "429": (429, "too many requests"),
    "503": (503, "try again later"),
}
"""Refusals: the HTTP status and the text of each code, where the settings name no value for them."""
PASSING = ("402", "429", "503")
FATES = {UNDELIVERED: "failed"}

_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")


class Http(Played):
    """A form, JSON, or fields in the address; JSON or words back; a token in the webhooks' paths; USSD."""

    settings = "HTTP_SEND_URL={url}/send"
    failing = "429"
    fates = FATES
    repeats = 5

    def __init__(self, setup: Setup, ledger: Ledger) -> None:
        super().__init__(setup, ledger)
        self._set = setup.settings or Settings.model_construct()
        name, _, value = self._set.http_send_header.partition(":")
        self._header = (name.lower(), value.strip())
        self._sessions: set[str] = set()

    def read(self, request: Request) -> Sequence[Sms] | Answer:
        """A message, at any address."""
        if self._header[0] and request.headers.get(self._header[0]) != self._header[1]:
            return self._refused("401")
        fields = {**request.fields, **request.form, **dict(_leaves(request.json, ()))}
        number, text = self._set.http_send_number_field, self._set.http_send_text_field
        for name in (number, text):
            if not fields.get(name):
                return as_json(400, {"error": f"{name} is missing"})
        return [Sms(fields[number], fields[text], "", fields.get("".join(self._set.http_reference_field[:1]), ""))]

    def refusal(self, sms: Sms) -> str:
        """For no number, or by its code."""
        if not _NUMBER.fullmatch(sms.number):
            return "400"
        return code if (code := code_of(sms.number)) in ANSWERS else ""

    def new_id(self, sms: Sms) -> str:
        """A UUID."""
        return str(uuid4())

    def said(self, request: Request, wanted: Sequence[Sms], results: Sequence[Taken | str]) -> Answer:
        """Of one message."""
        (result,) = results
        if not isinstance(result, Taken):
            return self._refused(result)
        return self._words({self._set.http_sent_id_field: result.id}, self._set.http_accepted_values, "accepted")

    def throttled(self, request: Request) -> Answer:
        """For now."""
        return self._refused("429")

    def receipts(self, taken: Taken) -> list[Callback]:
        """On the way, then where it ended."""
        ends = self._set.http_failed_values if taken.code else self._set.http_delivered_values
        fields = {self._set.http_id_field[0]: taken.id}
        for name in self._set.http_reference_field[-1:]:
            fields[name] = taken.sms.ours
        name = self._set.http_status_field
        return [self._posted("receipt", {**fields, name: status}) for status in ("sent", *ends[:1])]

    def sms(self, sender: str, text: str) -> Callback:
        """With an id."""
        names = self._set
        fields = {names.http_id_field[0]: uuid4().hex, names.http_number_field[0]: sender, "to": SERVICE}
        return self._posted("sms", {**fields, names.http_text_field[0]: text})

    def ussd(self, sender: str, session: str, text: str) -> Callback:
        """With what was typed: the last input or all of them, as HTTP_USSD_INPUT says."""
        names = self._set
        fields = {
            names.http_session_field[0]: session,
            names.http_number_field[0]: sender,
            names.http_text_field[0]: text,
            names.http_id_field[0]: uuid4().hex,
        }
        if names.http_begin_field:
            begins = names.http_begin_values[:1]
            fields[names.http_begin_field] = (*begins, "")[0] if session not in self._sessions else "continue"
        self._sessions.add(session)
        return self._posted("ussd", fields)

    def _refused(self, code: str) -> Answer:
        values = self._set.http_later_values if code in PASSING else self._set.http_refused_values
        status, error = ANSWERS[code]
        if self._set.http_sent_status_field and values and status != 401:
            return self._words({}, values, error)
        return as_json(status, {"error": error})

    def _words(self, fields: Mapping[str, str], values: Sequence[str], otherwise: str) -> Answer:
        """A 200 with these fields and a status: words by their places when the settings read it so, else JSON."""
        told = dict(fields)
        if self._set.http_sent_status_field:
            told[self._set.http_sent_status_field] = next(iter(values), otherwise)
        if told and all(name.isdecimal() for name in told):
            return as_text(200, " ".join(told.get(str(place), "-") for place in range(max(map(int, told)) + 1)))
        return as_json(200, _nested(told))

    def _posted(self, event: str, fields: Mapping[str, str]) -> Callback:
        """As a form; as JSON where a name is a path."""
        path = f"/hooks/http/{self.setup.token}/{event}"
        if not any("." in name for name in fields):
            return form(path, fields)
        return Callback(path, json.dumps(_nested(fields)).encode(), JSON)


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The texts and numbers in a JSON value by their paths, such as `messages.0.to`."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*path, str(name)))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _leaves(part, (*path, str(place)))
    elif isinstance(value, str | int):
        yield ".".join(path), str(value)


def _nested(fields: Mapping[str, str]) -> object:
    """JSON with these values at these paths."""
    if set(fields) == {""}:
        return fields[""]
    parts: dict[str, dict[str, str]] = {}
    for name, value in fields.items():
        first, _, rest = name.partition(".")
        parts.setdefault(first, {})[rest] = value
    whole = {first: _nested(inner) for first, inner in parts.items()}
    return [whole[name] for name in sorted(whole, key=int)] if all(map(str.isdecimal, whole)) else whole
