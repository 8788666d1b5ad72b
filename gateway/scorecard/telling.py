"""The results of a commune's round as a text to paste into a messaging group (DOMAIN.md, table, row 14)."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from gateway.scorecard.publishing import Published
from gateway.scorecard.results import IndicatorResult, Results, ServiceResult
from gateway.scorecard.tallies import Figures
from gateway.wording import Sentence, Wording

_ = Sentence


def text(
    told: Published, results: Results, minimum: int, *, language: str, zone: ZoneInfo, address: str, today: date
) -> str:
    """Line by line what the public page says, with its address; until that is public the text says so first."""
    say, public = Wording(language, zone), told.standing.public
    lines = [
        say(_("{commune}, round {n}", commune=told.name, n=str(told.number))),
        say(_("{first} to {last}", first=say.date(told.first), last=say.date(told.last))),
        "",
        say(_("% satisfied = scores 4 and 5 of the scale 1-5, of n raters. ± is the margin, in points.")),
        *(line for service in results.services for line in _service(say, service, told.number)),
        "",
    ]
    if public and today < public:
        lines.insert(0, say(_("NOT PUBLIC until {day}: for the council only.", day=say.date(public))))
    if any(service.figures is None for service in results.services):
        lines.append(say(_("not shown = fewer than {n} different phones, or all gave the same answer.",
                           n=str(minimum))))  # fmt: skip
    lines.append(say(_("Answers that were too few at a time, or came later, are in no figure.")))
    lines.append(f"{address}/results/{told.commune}/{told.number}?lang={language}")
    return "\n".join(lines)


def _service(say: Wording, service: ServiceResult, number: int) -> list[str]:
    name = f"{service.number} {say(service.name)}: "
    if service.figures is None:
        return [name + say(_("not shown"))]
    line = name + _share(say, service.figures)
    if service.change:
        change = _("{n} points since round {round} (±{margin})", n=say.points(service.change.points),
                   round=str(number - 1), margin=say.number(service.change.margin))  # fmt: skip
        line += ", " + say(change)
    return [line, *(f"  - {say(one.text)}: {_share(say, one.figures)}" for one in _shown(service))]


def _shown(service: ServiceResult) -> list[IndicatorResult]:
    return [one for one in service.indicators if one.figures]


def _share(say: Wording, figures: Figures | None) -> str:
    assert figures
    return say(
        _(
            "{share} ±{margin} (n {n}, {female} female)",
            share=say.percent(figures.percent),
            margin=say.number(round(figures.margin * 100)),
            n=say.number(figures.n),
            female=say.number(figures.female),
        )
    )
