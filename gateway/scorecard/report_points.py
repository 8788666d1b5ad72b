"""Points for the forum: what stands out of a round, each a sentence that a councillor can read aloud.

Only what is more than its margin is called a difference; what may be chance is said to be so.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.menus.phrases import Phrase, Words
from gateway.scorecard.report_words import is_beyond, percent
from gateway.scorecard.results import Results, ServiceResult
from gateway.scorecard.tallies import Figures, change

_ = Words

MOST = 3
"""So many sentences of a kind: a forum has an afternoon."""


def points_of(results: Results) -> tuple[Words, ...]:
    """The points of a round, in the order in which they are read."""
    shown = [(service, service.figures) for service in results.services if service.figures]
    if not shown:
        return (_("No service can be shown in this round, so the figures give no points."),)
    return (*_extremes(shown), *_changes(results), *_questions(shown), *_communes(results))


def _extremes(shown: Sequence[tuple[ServiceResult, Figures]]) -> list[Words]:
    lowest, low = min(shown, key=lambda one: one[1].satisfied)
    highest, high = max(shown, key=lambda one: one[1].satisfied)
    if len(shown) == 1:
        return [_("{service}: {percent} of {n} respondents were satisfied.", **_said(lowest, low))]
    if not is_beyond(change(high, low)):
        return [
            _(
                "From {low} satisfied ({lowest}) to {high} ({highest}): the difference is within the margin, so it may"
                " be chance.",
                low=percent(low),
                lowest=lowest.name,
                high=percent(high),
                highest=highest.name,
            )
        ]
    return [
        _("{service} is lowest: {percent} of {n} respondents were satisfied.", **_said(lowest, low)),
        _("{service} is highest: {percent} of {n} respondents were satisfied.", **_said(highest, high)),
    ]


def _said(service: ServiceResult, figures: Figures) -> dict[str, Phrase]:
    return {"service": service.name, "percent": percent(figures), "n": str(figures.n)}


def _changes(results: Results) -> list[Words]:
    changed = [(service, service.change) for service in results.services if service.change]
    beyond = sorted((one for one in changed if is_beyond(one[1])), key=lambda one: -abs(one[1].points))
    if changed and not beyond:
        return [_("Since the round before no service changed by more than its margin.")]
    said = []
    for service, moved in beyond[:MOST]:
        values: dict[str, Phrase] = {
            "service": service.name,
            "points": str(abs(moved.points)),
            "margin": str(moved.margin),
        }
        if moved.points > 0:
            better = _(
                "{service}: {points} points better than in the round before, more than the margin of {margin}. What"
                " helped?",
                **values,
            )
            said.append(better)
        else:
            worse = _(
                "{service}: {points} points worse than in the round before, more than the margin of {margin}. What"
                " happened?",
                **values,
            )
            said.append(worse)
    return said


def _questions(shown: Sequence[tuple[ServiceResult, Figures]]) -> list[Words]:
    """Extra questions that came out otherwise than their service as a whole."""
    found = [
        (service, whole, question, question.figures, change(question.figures, whole))
        for service, whole in shown
        for question in service.indicators
        if question.figures
    ]
    beyond = sorted((one for one in found if is_beyond(one[4])), key=lambda one: -abs(one[4].points))
    return [
        _(
            '{service}, "{question}": {percent} of {n} respondents were satisfied, {whole} with the service as a'
            " whole.",
            service=service.name,
            question=question.text,
            percent=percent(figures),
            n=str(figures.n),
            whole=percent(whole),
        )
        for service, whole, question, figures, _moved in beyond[:MOST]
    ]


def _communes(results: Results) -> list[Words]:
    """Services that one commune of a group has better than another."""
    found = []
    for service in results.services:
        if service.by_commune and len(service.by_commune) > 1:
            low_code, low = min(service.by_commune.items(), key=lambda one: one[1].satisfied)
            high_code, high = max(service.by_commune.items(), key=lambda one: one[1].satisfied)
            found.append((service, low_code, low, high_code, high, change(high, low)))
    beyond = sorted((one for one in found if is_beyond(one[5])), key=lambda one: -one[5].points)
    return [
        _(
            "{service}: {low} satisfied in {lowest}, {high} in {highest}. What do they do otherwise?",
            service=service.name,
            low=percent(low),
            lowest=results.communes[low_code],
            high=percent(high),
            highest=results.communes[high_code],
        )
        for service, low_code, low, high_code, high, _gap in beyond[:MOST]
    ]
