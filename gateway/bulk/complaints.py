"""What can be wrong with a broadcast, each with its sentence. The panel says the same in the reader's language."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gateway.config import Language
from gateway.errors import Told

Value = str | int | date | datetime
Values = Mapping[str, Value]


class Wrong(enum.StrEnum):
    """Why a broadcast cannot go out as it is, or why something cannot be done with it."""

    NO_TITLE = "Give it a title: it is how staff find it again."
    NO_TEXT = "Write the text in at least one language."
    NO_AUDIENCE = "Choose who gets it: a group or a commune."
    NOBODY = "Nobody would get it: those chosen have no contact, or all of them have stopped."
    UNKNOWN = "There is no placeholder {placeholder}. There are {known}."
    LOOSE_BRACE = "A {brace} stands alone. A placeholder is written {example}."
    NO_VALUE = "{n} of them: no {placeholder}. Write {example}, and they read what follows the bar."
    TOO_LONG = "This is {parts} parts long; the most is {most}. Make it shorter."
    NO_TIME = "This is no time. Write it like {example}."
    PAST = "This time is over. The next possible one is {next}."
    QUIET = "Nothing is sent between {evening}:00 and {morning}:00. The next possible time is {next}."
    EXPIRES_FIRST = "It would be too late to send before it begins: choose an end after {start}."
    PAUSED = "It would be too late to send before the pause ends: it cannot leave before {start}."
    TOO_SLOW = "Sending takes until {end}, but it ends at {expires}. Choose a later end, or fewer people."
    OWN = "You wrote this, or changed it last. Somebody else must approve it."
    CHANGED = "Somebody changed this meanwhile. Look at it again before you go on."
    COUNT = "Meanwhile it is for {n} people, in {parts} parts. Look at it again before you go on."
    NO_NUMBER = "This is no number of a mobile phone that we send to. Write it like {example}."
    STOPPED = "This number has stopped. Send ON from it to {to} first."
    NOTHING_LEFT = "There is nothing left to cancel: all of it was sent, or ended."
    OVER = "It is too late: what this is about has ended."
    STAGE = "This cannot be done any more, or not yet: look at how far it is."


@dataclass(frozen=True)
class Complaint:
    """Something that is wrong, and with what."""

    wrong: Wrong
    values: Values = field(default_factory=dict)
    about: str = ""
    """`title`, `audience`, `start`, `expires`; nothing where it is about the whole."""
    language: Language | None = None
    """Whose text it is about."""

    def english(self, zone: ZoneInfo) -> str:
        """The sentence with its values."""
        said = self.wrong.format(**{name: _said(value, zone) for name, value in self.values.items()})
        return f"{self.language}: {said}" if self.language else said


class NotPossible(Told):
    """A broadcast cannot go on; `complaints` say why. Nothing was changed, if it came out of a transaction."""

    def __init__(self, complaints: tuple[Complaint, ...], zone: ZoneInfo) -> None:
        super().__init__(" ".join(one.english(zone) for one in complaints))
        self.complaints = complaints


def _said(value: Value, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)
