"""The lines of the tallies: names of parts, widths of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from gateway.menus.phrases import Phrase, Words
from gateway.scorecard.breakdowns import By, Part, ServiceFigures
from gateway.scorecard.tallies import Figures, monday

_ = Words

NAMES: Mapping[By | None, Words] = {
    None: _("Services"),
    By.WHO: _("Who"),
    By.WEEK: _("Weeks"),
    By.CHANNEL: _("Phones and assisted"),
    By.COMMUNE: _("Communes"),
    By.DISTRICT: _("Districts"),
    By.PROVINCE: _("Provinces"),
    By.ROUND: _("Rounds"),
}
"""The breakdowns, as one chooses them."""
PARTS: Mapping[str, Words] = {
    "woman-15-30": _("Women 15–30"),
    "woman-31": _("Women over 30"),
    "man-15-30": _("Men 15–30"),
    "man-31": _("Men over 30"),
    "other": _("Others"),
    "unsaid": _("Did not say"),
    "ussd": _("Phone, by dialling"),
    "sms": _("Phone, by SMS"),
    "assisted": _("Recorded by a volunteer"),
}
"""What parts are called that are no places and no questions."""


@dataclass(frozen=True)
class Line:
    """A service or a part of it on the page, with the widths of its bar."""

    part: Part
    name: Phrase
    week: date | None
    """The Monday, where it is a week."""
    widths: tuple[int, ...]
    widths_before: tuple[int, ...] = ()
    round: int | None = None
    """Its number, where it is one of the rounds."""
    parts: list[Line] = field(default_factory=list)
    service: ServiceFigures | None = None


def line(service: ServiceFigures, by: By | None) -> Line:
    """A service with its parts."""
    parts = [_line(part, by) for part in service.parts]
    return replace(_line(service, None), parts=parts, service=service)


def _line(part: Part, by: By | None) -> Line:
    return Line(
        part,
        name_of(part, by),
        monday(part.key) if by is By.WEEK else None,
        widths_of(part.figures),
        widths_of(part.before),
        int(part.key) if by is By.ROUND else None,
    )


def name_of(part: Part, by: By | None = None) -> Phrase:
    """What a part is called."""
    if by is By.ROUND:
        return _("Round {n}", n=part.key)
    return part.name or PARTS.get(part.key) or part.key


def widths_of(figures: Figures | None) -> tuple[int, ...]:
    """Of their bar."""
    return widths(figures.counts) if figures else ()


def widths(counts: Sequence[int]) -> tuple[int, ...]:
    """The parts of a bar, in about hundredths; what is not nothing can be seen."""
    n = sum(counts)
    return tuple(max(1, round(100 * count / n)) if count else 0 for count in counts)
