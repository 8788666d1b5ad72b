"""What a weekly letter to a council says (DOMAIN.md, Wording), from lines that are frozen with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from gateway.config import Language
from gateway.menus.phrases import Name, Words
from gateway.menus.wording import render
from gateway.scorecard.tallies import Figures
from gateway.text import in_gsm7

_ = Words


@dataclass(frozen=True)
class Line:
    """What a letter says of one service."""

    service: str
    name: Name
    """As the letter calls it."""
    figures: Figures | None
    """None: not shown."""
    change: int | None
    """In points; None: it was not shown before."""


def to_json(lines: Sequence[Line]) -> str:
    """As kept with the letter."""
    return json.dumps([asdict(line) for line in lines], ensure_ascii=False)


def from_json(text: str) -> list[Line]:
    """Back from the row."""
    return [
        Line(
            service=values["service"],
            name=Name(**values["name"]),
            figures=_figures(values["figures"]) if values["figures"] else None,
            change=values["change"],
        )
        for values in json.loads(text)
    ]


def days(week: date) -> str:
    """A week, given by its Monday: `3-9/3`, `28/2-6/3`."""
    last = week + timedelta(days=6)
    first = f"{week.day}" if week.month == last.month else f"{week.day}/{week.month}"
    return f"{first}-{last.day}/{last.month}"


def letter(commune: Name, week: date, lines: Sequence[Line], language: Language) -> str:
    """The letter itself: a line a service, those that are not shown at the end."""
    shown = [line for line in lines if line.figures]
    if not shown:
        nothing = _(
            "{commune} {week}: no service can be shown. One is shown when enough phones rated it and their answers"
            " differ.",
            commune=commune,
            week=days(week),
        )
        return _said([nothing], language)
    return _said(
        [
            _("{commune} {week} % satisfied (raters,change)", commune=commune, week=days(week)),
            *(_share(line, language) for line in shown),
            *(_("{service}: not shown", service=line.name) for line in lines if not line.figures),
            _("1=details"),
        ],
        language,
    )


def details(commune: Name, week: date, lines: Sequence[Line], language: Language) -> str:
    """The counts behind a letter, and how to reply to it."""
    shown = [line for line in lines if line.figures]
    if not shown:
        return _said([letter(commune, week, lines, language), _("Reply to staff: 2 and your words")], language)
    return _said(
        [
            _(
                "{commune} {week}: how many gave 1,2,3,4,5 (raters,women). Satisfied=4+5",
                commune=commune,
                week=days(week),
            ),
            *(_counts(line, language) for line in shown),
            _("Reply to staff: 2 and your words"),
        ],
        language,
    )


def _figures(values: dict[str, Any]) -> Figures:
    return Figures(**values | {"counts": tuple(values["counts"])})


def _said(phrases: Sequence[Words | str], language: Language) -> str:
    text = "\n".join(render(phrase, language) for phrase in phrases)
    return text if language == "km" else in_gsm7(text)  # one accent of a name would double the parts


def _share(line: Line, language: Language) -> str:
    assert line.figures
    change = render(_("new"), language) if line.change is None else f"{line.change:+d}" if line.change else "0"
    return f"{render(line.name, language)} {line.figures.percent} ({line.figures.n},{change})"


def _counts(line: Line, language: Language) -> str:
    assert line.figures
    counts = ",".join(str(count) for count in line.figures.counts)
    return f"{render(line.name, language)} {counts} ({line.figures.n},{line.figures.female})"
