"""What every provider speaks: requests as they come in, and the values they are parsed into.

A provider knows its own wire and nothing else: no database, no queue, no menu.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from urllib.parse import parse_qsl

from gateway.config import Settings
from gateway.phones import NotANumber, e164


class Malformed(ValueError):
    """A request that does not have its provider's form. The message says why and repeats nothing of it."""


@dataclass(frozen=True)
class Call:
    """A webhook request as it came in."""

    body: bytes
    content_type: str = "application/x-www-form-urlencoded"
    query: str = ""
    """The query of the address, as it came, without `?`."""
    url: str = ""
    """The whole address that the provider called, built on `PUBLIC_URL`: signatures are computed from it."""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Names in lower case."""
    token: str = ""
    """The token in the path, where the provider has one."""
    from_this_machine: bool = False
    """Whether it came from loopback while the gateway's public address is loopback too."""
    by_staff: bool = False
    """Whether a panel login stands behind it."""


@dataclass(frozen=True)
class UssdStep:
    """One request of a USSD session.

    A provider that repeats the whole path gives `path`; one that sends the last input alone gives `last`
    (None when nothing was typed) and, where it can, `position` or `request`, by which a repeat is known.
    """

    provider: str
    session: str
    number: str
    """E.164."""
    path: tuple[str, ...] | None = None
    last: str | None = None
    position: int | None = None
    """The number of inputs so far."""
    request: str | None = None
    """The provider's id of this request, which another request of the session does not have."""
    dialled: tuple[str, ...] | None = None
    """With `last`: it may be the session's first request, and then these were dialled along with the code."""


@dataclass(frozen=True)
class UssdEnd:
    """A provider's word that a session is over. `completed`: the caller saw its last screen."""

    provider: str
    session: str
    completed: bool
    reason: str


@dataclass(frozen=True)
class InboundSms:
    """An SMS from a phone."""

    provider: str
    id: str
    """The provider's id of it: a repeat has the same."""
    number: str | None
    """E.164; None for a sender that is no phone number, such as an advert's name."""
    text: str


@dataclass(frozen=True)
class Receipt:
    """A provider's word on a message that we sent; `message` is our id, where it gives that back."""

    provider: str
    provider_id: str
    status: Delivery | None
    """None: a status that nobody listed; it is recorded and changes nothing."""
    said: str
    """The provider's own word for it."""
    reason: Reason | None = None
    """Why it failed; None on a failure whose reason can be asked for (`Sender.look_up`)."""
    message: str | None = None


@dataclass(frozen=True)
class OptOut:
    """A provider's word that a number wants no more messages."""

    provider: str
    number: str


@dataclass(frozen=True)
class InboxCheck:
    """The simulator's handset asks for its messages, and says which of them it has shown."""

    number: str
    shown: tuple[str, ...]


Event = UssdStep | UssdEnd | InboundSms | Receipt | OptOut | InboxCheck


class Delivery(enum.StrEnum):
    """What a receipt says."""

    ON_THE_WAY = "on the way"
    DELIVERED = "delivered"
    FAILED = "failed"


class Reason(enum.StrEnum):
    """Why a message was refused, failed or is in doubt: the closed vocabulary of all providers."""

    BAD_NUMBER = "bad number"
    NOT_MOBILE = "not a mobile number"
    OPTED_OUT = "opted out"
    NOT_PERMITTED = "not permitted"
    TOO_LONG = "too long"
    SETUP = "wrong setup at the provider"
    NO_BALANCE = "no balance"
    THROTTLED = "throttled"
    GATEWAY_DOWN = "gateway down"
    NO_ROUTE = "no route"
    UNREACHABLE = "phone not reachable"
    FILTERED = "filtered by the network"
    EXPIRED = "expired at the provider"
    NO_ANSWER = "no answer in time"
    CUT_OFF = "connection cut"
    UNCLEAR = "unclear answer"
    WORKER_LOST = "worker lost while sending"


@dataclass(frozen=True)
class Accepted:
    """The provider took the message."""

    provider_id: str


@dataclass(frozen=True)
class Refused:
    """The provider did not take it; `for_now`: it may later, and the message may be sent again."""

    reason: Reason
    for_now: bool
    said: str = ""
    after: float | None = None
    """Seconds that the provider asks us to wait before that."""


@dataclass(frozen=True)
class Unknown:
    """It may or may not have taken it: never sent again by itself."""

    reason: Reason
    said: str = ""


Outcome = Accepted | Refused | Unknown


def with_wait(outcome: Outcome, wait: float | None) -> Outcome:
    """The outcome with the seconds that the provider asks us to wait, where the message may be sent again."""
    return dataclasses.replace(outcome, after=wait) if isinstance(outcome, Refused) and outcome.for_now else outcome


class GoesOut(Protocol):
    """Is told that a message goes out now."""

    def __call__(self, noted: bool = False) -> memoryview | None:
        """`noted`: the system will note what it sends (noted.py), in the memory that is given back."""


def _nobody(noted: bool = False) -> None:
    """Where nobody wants to know."""


@dataclass(frozen=True)
class Outgoing:
    """A message to send."""

    id: str
    """Ours."""
    number: str
    """E.164."""
    text: str
    goes_out: GoesOut = dataclasses.field(default=_nobody, compare=False, repr=False)
    """Called just before the first byte of its request goes out, by a sender that `tells`; an OSError keeps it back."""


@dataclass(frozen=True)
class Doubtful:
    """A message that we know too little of: whether it was taken, or why it failed."""

    id: str
    """Ours."""
    number: str
    """E.164."""
    text: str
    since: datetime
    """The earliest that it can have gone out, by our clock."""
    until: datetime
    """The latest."""
    provider_id: str | None = None
    """The provider's id of it, where we have that."""
    others: frozenset[str] = frozenset()
    """The provider's ids of other messages to this number: none of those is this one."""


class Sender(ABC):
    """One provider's side of the wire that goes out. Made from the settings.

    One object a worker; `send` is called by one thread at a time.
    """

    name: ClassVar[str]
    tells: ClassVar[bool] = False
    """Whether it calls `goes_out` of each message; else all of a batch count as gone out once it has them."""

    @abstractmethod
    def __init__(self, settings: Settings) -> None: ...

    @abstractmethod
    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        """Sends at most 32 messages within so many seconds in all; an outcome for each, in their order.

        Never raises: what goes wrong is an outcome.
        """

    def look_up(self, doubtful: Sequence[Doubtful], seconds: float) -> list[Receipt]:
        """Asks the provider about messages within so many seconds in all; a receipt, with our id, for each it knows.

        Silence says nothing: what is not found may have been sent all the same. Never raises.
        """
        return []

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Lets go of connections."""


class Provider(ABC):
    """One provider's side of the wire that reaches us. Made from the settings."""

    name: ClassVar[str]
    events: ClassVar[tuple[str, ...]]
    """The last part of the paths it posts to; empty: it has one address for all."""
    token_in_path: ClassVar[bool]
    for_staff: ClassVar[bool] = False
    """Whether a panel login opens it."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)

    @abstractmethod
    def __init__(self, settings: Settings) -> None: ...

    @abstractmethod
    def verify(self, call: Call) -> bool:
        """Whether the request is the provider's own; False when nothing is set up to tell."""

    @abstractmethod
    def parse(self, event: str, call: Call) -> Event | None:
        """What the request says; None when there is nothing to do. Raises Malformed."""

    def ussd_answer(self, text: str, ends: bool, call: Call) -> tuple[str, str]:
        """Body and content type of the answer to a USSD request; only of a provider that has USSD.

        Never raises, whatever the request was like.
        """
        raise NotImplementedError(f"{self.name} has no USSD")

    def thanks(self) -> tuple[str, str]:
        """Body and content type of the answer to everything else that was taken in."""
        return "", "text/plain; charset=utf-8"


LONGEST_PATH = 2000
LONGEST_ID = 200
LONGEST_SMS = 255 * 153
"""Characters: the most parts an SMS can have, of 153 septets each."""


def query(call: Call) -> dict[str, str]:
    """The fields of the address. Raises Malformed for bytes that are no UTF-8, a field that comes twice."""
    return _pairs(call.query, "the address")


def form(call: Call) -> dict[str, str]:
    """The fields of a form. Raises Malformed for another type, bytes that are no UTF-8, a field that comes twice."""
    if not call.content_type.startswith("application/x-www-form-urlencoded"):
        raise Malformed("expected a form (application/x-www-form-urlencoded)")
    try:
        text = call.body.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the form is no UTF-8 text") from None
    return _pairs(text, "the form")


def _pairs(text: str, where: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except UnicodeDecodeError:
        raise Malformed(f"{where} is no UTF-8 text") from None
    except ValueError:
        raise Malformed(f"{where} has too many fields") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("a field comes twice")
    return fields


def json_object(call: Call) -> dict[str, object]:
    """The fields of a JSON object. Raises Malformed."""
    if not call.content_type.startswith("application/json"):
        raise Malformed("expected JSON (application/json)")
    try:
        value = json.loads(call.body)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Malformed("the body is no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("the body is no JSON object")
    return value


def field(fields: Mapping[str, object], name: str, longest: int = LONGEST_ID, *, empty: bool = False) -> str:
    """A field's text. Raises Malformed when it is missing, too long, no text or (unless allowed) empty."""
    value = fields.get(name)
    if value is None:
        raise Malformed(f"{name} is missing")
    if not isinstance(value, str):
        raise Malformed(f"{name} is no text")
    if len(value) > longest:
        raise Malformed(f"{name} is longer than {longest} characters")
    if "\0" in value or (not value.strip() and not empty):
        raise Malformed(f"{name} is empty")
    if not value.isascii() and any(
        "\ud800" <= char <= "\udfff" for char in value
    ):  # JSON can hold half a character; nothing stores one
        raise Malformed(f"{name} is no text")
    return value


def number(fields: Mapping[str, object], name: str) -> str:
    """A field's phone number as E.164. Raises Malformed."""
    try:
        return e164(field(fields, name, 40))
    except NotANumber as error:
        raise Malformed(f"{name}: {error}") from None


def sender(fields: Mapping[str, object], name: str) -> str | None:
    """Who an SMS is from, as E.164; None for a short code or an advert's name. Raises Malformed."""
    try:
        return e164(field(fields, name, empty=True))
    except NotANumber:
        return None
