"""A gateway of an operator's own, as it reaches us; the way out is in `http_send`.

What it calls things and how it tells them is in the settings (`HTTP_…`; docs/providers/http.md has whole examples).
It posts a form or JSON, or puts everything into the address. Of JSON the fields are read by their paths (`data.0.id`).
It signs nothing: a token in the path says who calls.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from gateway.config import Settings
from gateway.privacy import same_token
from gateway.providers.base import (
    LONGEST_PATH,
    LONGEST_SMS,
    Call,
    Delivery,
    Event,
    InboundSms,
    Malformed,
    Provider,
    Reason,
    Receipt,
    UssdEnd,
    UssdStep,
    field,
    form,
    json_object,
    number,
    query,
    sender,
)

MOST_INPUTS = 100
DEEPEST = 6
"""Levels of JSON that are read; what lies deeper is no field of ours."""

_BARE = (str, int, float)
_OUR_ID = re.compile("[0-9a-f]{32}")
_LIKE_A_NUMBER = re.compile("[0-9]{8}")


class Http(Provider):
    """USSD by the whole path or the last input, SMS, and what became of those that we sent."""

    name = "http"
    events = ("ussd", "sms", "receipt")
    methods = ("GET", "POST")
    token_in_path = True

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.http_webhook_tokens
        self._set = settings
        self._code = settings.ussd_code.strip("*#")

    def verify(self, call: Call) -> bool:
        """By the token in the path; two may be valid at once."""
        return same_token(call.token, self._tokens)

    def parse(self, event: str, call: Call) -> Event:
        """What one of the `events` says."""
        fields = flat(_given(call))
        match event:
            case "sms":
                return self._sms(fields, call.token)
            case "receipt":
                return self._receipt(fields)
            case _:
                return self._ussd(fields, call.token)

    def ussd_answer(self, text: str, ends: bool, call: Call) -> tuple[str, str]:
        """A word before the screen, or JSON with what the gateway wants to have repeated."""
        state = self._set.http_close_value if ends else self._set.http_continue_value
        if self._set.http_ussd_answer == "prefix":
            return f"{state} {text}", "text/plain; charset=utf-8"
        try:
            given = _given(call)
        except Malformed:
            given = {}
        answer = {name: given[name] for name in self._set.http_echo_fields if isinstance(given.get(name), _BARE)}
        answer |= {self._set.http_answer_text_field: text, self._set.http_answer_state_field: bare(state)}
        body = json.dumps(nested(answer), ensure_ascii=False)
        return body.encode("utf-8", "replace").decode(), "application/json"  # a field may hold half a character

    def _ussd(self, fields: Mapping[str, str], token: str) -> UssdStep | UssdEnd:
        told = _optional(fields, self._set.http_begin_field)
        given = field(fields, _first(fields, self._set.http_session_field))
        session = _without_number(given, token)
        if told and _among(told, self._set.http_end_values):
            return UssdEnd(self.name, session, False, told)
        caller = number(fields, _first(fields, self._set.http_number_field))
        typed = _first(fields, self._set.http_text_field)
        text = field({typed: "", **fields}, typed, LONGEST_PATH, empty=True).strip()
        dialled = self._dialled(text)
        if self._set.http_ussd_input == "path":
            path = tuple(text.split(self._set.http_ussd_separator)) if dialled is None and text else dialled or ()
            if len(path) > MOST_INPUTS:
                raise Malformed(f"{typed} has more than {MOST_INPUTS} inputs")
            return UssdStep(self.name, session, caller, path=path)
        id_ = _optional(fields, _first(fields, self._set.http_id_field))
        request = _without_number(id_, token) if id_ not in ("", given) else None
        if not self._set.http_begin_field:
            if dialled is not None:
                return UssdStep(self.name, session, caller, request=request, dialled=dialled)
            return UssdStep(self.name, session, caller, last=text or None, request=request, dialled=())
        if told and _among(told, self._set.http_begin_values):
            return UssdStep(self.name, session, caller, request=request, dialled=dialled or ())
        return UssdStep(self.name, session, caller, last=text, request=request)

    def _dialled(self, text: str) -> tuple[str, ...] | None:
        """What was dialled along with the code: 2 and 5 of `*855*2*5#`. None: the text is no code."""
        inside = text.strip("*#")
        if inside == self._code:
            return ()
        if inside.startswith(f"{self._code}*"):
            return tuple(inside.removeprefix(f"{self._code}*").split("*")[:MOST_INPUTS])
        return () if text.startswith("*") else None  # another code leads here: nothing of it is an input

    def _sms(self, fields: Mapping[str, str], token: str) -> InboundSms:
        id_ = field(fields, _first(fields, self._set.http_id_field))
        who = sender(fields, _first(fields, self._set.http_number_field))
        text = field(fields, _first(fields, self._set.http_text_field), LONGEST_SMS, empty=True)
        return InboundSms(self.name, _without_number(id_, token), who, text)

    def _receipt(self, fields: Mapping[str, str]) -> Receipt:
        status = field(fields, self._set.http_status_field)
        references = (_optional(fields, name) for name in self._set.http_reference_field)
        ours = next((id_ for id_ in references if _OUR_ID.fullmatch(id_)), None)
        theirs = _first(fields, self._set.http_id_field)
        id_ = ours if ours and theirs not in fields else field(fields, theirs)
        if _among(status, self._set.http_delivered_values):
            return Receipt(self.name, id_, Delivery.DELIVERED, status, message=ours)
        if _among(status, self._set.http_failed_values):
            return Receipt(self.name, id_, Delivery.FAILED, status, Reason.UNCLEAR, ours)
        return Receipt(self.name, id_, None, status, message=ours)


def _given(call: Call) -> dict[str, object]:
    """The fields as they came: JSON, a form, or those of the address. Raises Malformed."""
    if not call.body:
        return dict(query(call))
    return json_object(call) if call.content_type.startswith("application/json") else dict(form(call))


def _first(fields: Mapping[str, str], names: Sequence[str]) -> str:
    """The first of the names that the fields have; else the first of all, which is then missed."""
    return next((name for name in names if name in fields), names[0])


def _optional(fields: Mapping[str, str], name: str) -> str:
    """A field's text; empty when the settings name none or the request has none. Raises Malformed."""
    return field({name: "", **fields}, name, empty=True) if name else ""


def _among(value: str, values: Sequence[str]) -> bool:
    return value.strip().casefold() in (each.casefold() for each in values)


def _without_number(id_: str, token: str) -> str:
    """An id to be kept. One that may hold a phone number is hashed, with a key: a bare hash would give it away."""
    return hmac.digest(token.encode(), id_.encode(), "sha256")[:16].hex() if _LIKE_A_NUMBER.search(id_) else id_


# JSON by paths ------------------------------------------------------------------------------------


def flat(value: object) -> dict[str, str]:
    """The texts, numbers, true and false in a JSON value, by their paths: `{"data": [{"id": 7}]}` has `data.0.id`."""
    return dict(_leaves(value, ()))


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool):
        yield ".".join(path), "true" if value else "false"
    elif isinstance(value, str | int):
        yield ".".join(path), str(value)
    elif isinstance(value, dict | list) and len(path) < DEEPEST:
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in parts:
            yield from _leaves(part, (*path, str(name)))


def nested(fields: Mapping[str, object]) -> object:
    """What `flat` reads, the other way round."""
    whole: dict[str, object] = {}
    for name, value in fields.items():
        part = whole
        *path, last = name.split(".")
        for step in path:
            inner = part.get(step)
            if not isinstance(inner, dict):
                part[step] = inner = {}
            part = inner
        part[last] = value
    return _with_lists(whole)


def _with_lists(value: object) -> object:
    if not isinstance(value, dict):
        return value
    parts = {name: _with_lists(part) for name, part in value.items()}
    return list(parts.values()) if parts and all(name.isdecimal() for name in parts) else parts


def bare(value: str) -> object:
    """A setting's value for JSON: true, false and whole numbers are no text there."""
    return json.loads(value) if re.fullmatch("true|false|0|[1-9][0-9]{0,8}", value) else value
