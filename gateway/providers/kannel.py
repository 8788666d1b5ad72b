"""Kannel, as it reaches us; the way out is in `kannel_send`. Source: WIRE.md, Kannel; Kannel 1.4.5, as Debian has it.

Kannel calls the addresses it was given. An SMS's text is percent-encoded bytes of its own alphabet: `charset` (`%C`)
says UTF-8 of a GSM text (`coding` 0), 8-BIT of bare bytes (1), UTF-16BE of Khmer (2). A receipt's `answer` is what the
operator's centre wrote, with a piece of the message in bytes of any kind: no more is kept of it than a known form.
Whatever is not answered 200 or 202 it calls again, with the same fields (`http-request-retry` in kannel.conf).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from gateway.config import Settings
from gateway.privacy import same_token
from gateway.providers.base import (
    LONGEST_SMS,
    Call,
    Delivery,
    Event,
    InboundSms,
    Malformed,
    Provider,
    Reason,
    Receipt,
    field,
    sender,
)

MOST_FIELDS = 100

CHARSETS: dict[str, str] = {
    "UTF-8": "utf-8",
    "UTF-16BE": "utf-16-be",
    "8-BIT": "latin-1",  # bytes that nobody named: every one of them is a character here
    "ISO-8859-1": "latin-1",  # this and the next: an operator's centre set up with `alt-charset`
    "WINDOWS-1252": "cp1252",
}
"""What `charset` (`%C`) says a text is in."""
CODINGS: dict[str, str] = {"": "UTF-8", "-1": "UTF-8", "0": "UTF-8", "1": "8-BIT", "2": "UTF-16BE"}
"""The charset of a `coding` (`%c`) that comes without one."""

BITS: dict[int, Delivery] = {
    1: Delivery.DELIVERED,
    2: Delivery.FAILED,
    4: Delivery.ON_THE_WAY,  # buffered at the centre
    8: Delivery.ON_THE_WAY,  # the centre took it
    16: Delivery.FAILED,  # the centre did not
}
"""A receipt's `status` (`%d`) is one of these or several."""
FAILURES: dict[int, Reason] = {34: Reason.EXPIRED, 66: Reason.UNCLEAR}
"""Those that go beyond the bits: expired, unknown."""
REASONS: dict[str, Reason] = {
    "UNDELIV": Reason.UNREACHABLE,
    "EXPIRED": Reason.EXPIRED,
    "REJECTD": Reason.FILTERED,
    "0x00000001": Reason.TOO_LONG,  # SMPP 3.4, 5.1.3: invalid message length
    "0x0000000a": Reason.SETUP,  # invalid source address: KANNEL_SENDER
    "0x0000000b": Reason.BAD_NUMBER,  # invalid destination address
    "0x00000048": Reason.SETUP,  # this and the next three: type and plan of source and destination
    "0x00000049": Reason.SETUP,
    "0x00000050": Reason.SETUP,
    "0x00000051": Reason.SETUP,
    "Retries Exceeded": Reason.EXPIRED,  # this and the rest: Kannel's own words
    "validity expired": Reason.EXPIRED,
    "receiver in black-list": Reason.NOT_PERMITTED,
    "receiver not in white-list": Reason.NOT_PERMITTED,
}
"""Why a message failed: the centre's word in the `answer` (`%A`); any other is unclear."""

_WORD = re.compile(rb"\bstat:([A-Za-z]{1,10})\b|^NACK/(0x[0-9a-f]{8}\b|[A-Za-z -]{1,30}$)")
_STATUS = re.compile("[0-9]{1,3}")
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Kannel(Provider):
    """SMS and delivery reports. It signs nothing: a token in the path says who calls."""

    name = "kannel"
    events = ("sms", "receipt")
    methods = ("GET", "POST")
    token_in_path = True

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.kannel_webhook_tokens

    def verify(self, call: Call) -> bool:
        """By the token in the path; two may be valid at once."""
        return same_token(call.token, self._tokens)

    def parse(self, event: str, call: Call) -> Event:
        """What one of the `events` says."""
        fields = _fields(call)
        said = {name: value.decode("utf-8", "replace") for name, value in fields.items()}
        return self._receipt(fields, said) if event == "receipt" else self._sms(call.token, fields, said)

    def _sms(self, token: str, fields: Mapping[str, bytes], said: dict[str, str]) -> InboundSms:
        number = sender(said, "from")
        if "text" in fields:
            said["text"] = _text(fields["text"], said.get("charset", ""), said.get("coding", ""))
        text = field(said, "text", LONGEST_SMS, empty=True)
        return InboundSms(self.name, _id(token, fields, said), number, text)

    def _receipt(self, fields: Mapping[str, bytes], said: Mapping[str, str]) -> Receipt:
        message, status = field(said, "m"), field(said, "status")
        known = _STATUS.fullmatch(status)
        delivery = _delivery(int(status)) if known else None
        found = _WORD.search(fields.get("answer", b""))
        word = (found[1] or found[2]).decode() if found else ""
        reason = None
        if delivery is Delivery.FAILED:
            reason = REASONS.get(word) or FAILURES.get(int(status), Reason.UNCLEAR)
        told = " ".join(filter(None, (status if known else "no number", word)))
        return Receipt(self.name, message, delivery, told, reason, message)


def _fields(call: Call) -> dict[str, bytes]:
    """The fields of the address, and of a form that is posted to it: bytes, for each has its own alphabet."""
    if not call.query.isascii():
        raise Malformed("the address is not percent-encoded")
    pairs = call.query.encode().split(b"&")
    if call.content_type.startswith("application/x-www-form-urlencoded"):
        pairs += call.body.split(b"&")
    if len(pairs) > MOST_FIELDS:
        raise Malformed("the address has too many fields")
    fields: dict[str, bytes] = {}
    for pair in filter(None, pairs):
        name, _, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.partition(b"="))
        if (key := name.decode("utf-8", "replace")) in fields:
            raise Malformed("a field comes twice")
        fields[key] = value
    return fields


def _text(text: bytes, charset: str, coding: str) -> str:
    """An SMS's text. Raises Malformed for bytes that are not of its alphabet."""
    charset = (charset or CODINGS.get(coding, coding)).upper()
    if charset not in CHARSETS:
        raise Malformed("charset or coding is none that we know")
    try:
        return text.decode(CHARSETS[charset])
    except UnicodeDecodeError:
        raise Malformed(f"text is no {charset}") from None


def _id(token: str, fields: Mapping[str, bytes], said: Mapping[str, str]) -> str:
    """What a repeat of an SMS has and no other SMS has.

    That is Kannel's UUID (`%I`). A Kannel before 1.4.2 counts from 1 again after a restart, or gives none: then it is a
    hash of all the fields, the second it arrived among them. It is keyed, for a bare one would give the number away
    to whoever tries all numbers.
    """
    id_ = said.get("id", "").lower()
    if _UUID.fullmatch(id_):
        return id_
    if not id_.strip() and not said.get("time", "").strip():
        raise Malformed("id and time are empty: nothing tells a repeat from a new SMS")
    told = b"\0".join(fields.get(name, b"") for name in ("id", "smsc", "time", "from", "to", "text"))
    return hashlib.blake2b(told, key=token.encode()[:64], digest_size=16).hexdigest()


def _delivery(status: int) -> Delivery | None:
    """What the bits of a status say together; None when they contradict each other or nobody listed them."""
    known = status in FAILURES or status & ~sum(BITS) == 0
    said = {delivery for bit, delivery in BITS.items() if status & bit and known}
    ends = said - {Delivery.ON_THE_WAY} or said
    return ends.pop() if len(ends) == 1 else None
