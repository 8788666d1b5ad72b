"""What the Citizens' Rating Report says: its headings, explanations, and the sentence of a service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date

from gateway.menus.phrases import Name, Words
from gateway.scorecard.results import ServiceResult
from gateway.scorecard.tallies import Change, Figures

_ = Words

UNITS: Mapping[str, Words] = {
    "Commune": _("{name} commune"),
    "Quarter": _("Sangkat {name}"),
    "District": _("{name} district"),
    "Municipality": _("{name} municipality"),
    "Section": _("Khan {name}"),
    "Province": _("{name} province"),
    "Capital": _("{name} capital"),
}
"""Places by what they are (places.csv, unit)."""

LABELS: Mapping[str, Words] = {
    "title": _("Citizens' Rating Report"),
    "asked": _("What was asked"),
    "scale": _("People were asked how satisfied they are with each service, from 1 to 5:"),
    "how": _(
        "They answered on a phone by USSD or SMS, or a trained volunteer entered what they said (assisted). Nobody had"
        " to give a name."
    ),
    "extra": _("Some were also asked extra questions about a service, on the same scale; a call asks two of them."),
    "who": _("Who answered"),
    "free": _("To say one's sex and age was free. Women, and people aged 15-30, are those who said so."),
    "service": _("Service"),
    "services": _("The services"),
    "respondents": _("Respondents (n)"),
    "numbers": _("Phone numbers"),
    "female": _("Women"),
    "young": _("Aged 15-30"),
    "satisfied": _("satisfied"),
    "score": _("Score"),
    "count": _("Count"),
    "share": _("Share"),
    "mean": _("Mean"),
    "median": _("Median"),
    "change": _("Change in points"),
    "extras": _("Questions about this service"),
    "side": _("The communes beside each other"),
    "commune": _("Commune"),
    "hidden": _("not shown"),
    "points": _("Points for the forum"),
    "meanings": _("What the words mean"),
    "missing": _("What is not shown, and why"),
    "file_round": _("Round"),
    "file_from": _("From"),
    "file_to": _("To"),
    "file_number": _("Service number"),
    "file_overall": _("the service as a whole"),
    "file_all": _("all communes together"),
    "file_code": _("Commune code"),
    "percent": _("% satisfied"),
    "question": _("Question"),
    "file_satisfied": _("% satisfied (4 or 5)"),
    "file_share": _("Share in %"),
    "file_margin": _("Margin in points"),
    "file_change_margin": _("Margin of the change"),
    "file_figures": _("Figures"),
    "file_scores": _("Scores"),
    "file_notes": _("Notes"),
}
"""Headings and fixed sentences by where they stand; those that begin with `file_` are for spreadsheets."""

DEFINITIONS = (
    _("Satisfied: a score of 4 or 5. The share is of all who scored that service (n)."),
    _("n: respondents. A respondent is a phone number and who used it, so a family's phone can serve several people."),
    _("Phone numbers: how many different ones. Whoever a volunteer entered counts as one number."),
    _(
        "Margin: so many points higher or lower the share among all people may be, in 19 of 20 cases. It is wide where"
        " few answered."
    ),
    _(
        "Change: this percentage less that of the round before, in points. A change within its margin may be chance."
        " A change that is more than its margin is hardly chance."
    ),
    _("Mean: the average score. Median: the score in the middle, when all are put in order."),
)


def title_of(round_number: int) -> Words:
    """`Round 2`."""
    return _("Round {n}", n=str(round_number))


def period(first: date, last: date, language: str) -> Words:
    """From when to when people were asked."""
    return _("From {first} to {last}", first=day(first, language), last=day(last, language))


def day(date_: date, language: str) -> str:
    """A day with the month's name; in Khmer in Latin letters as villagers read it, 12/03/2026."""
    return f"{date_:%d/%m/%Y}" if language == "km-Latn" else format_date(date_, "d MMM y", locale=language)


def percent(figures: Figures) -> str:
    """`60%`, as everywhere."""
    return f"{figures.percent}%"


def margin(figures: Figures) -> int:
    """The margin in whole points."""
    return round(figures.margin * 100)


def points(change: Change) -> str:
    """A change with its sign."""
    return f"{change.points:+d}".replace("-", "−") if change.points else "0"


def sentence(service: ServiceResult) -> Words:
    """How many were satisfied, in this round and the one before (DOMAIN.md, table, row 4)."""
    now, before = service.figures, service.before
    assert now
    said = {"percent": percent(now), "n": str(now.n), "female": str(now.female)}
    if before is None:
        return _("{percent} of {n} respondents ({female} female) were satisfied", **said)
    then = {"before": percent(before), "n_before": str(before.n), "female_before": str(before.female)}
    return _(
        "{percent} of {n} respondents ({female} female) were satisfied; {before} of {n_before} ({female_before} female)"
        " in the round before",
        **said,
        **then,
    )


def change_of(service: ServiceResult, first_round: bool) -> Words:
    """What became of the share since the round before, and whether it may be chance."""
    change = service.change
    if change is None and first_round:
        return _("This was the first round, so there is no change yet.")
    if change is None:
        return _("There is nothing to compare with from the round before.")
    said = {"points": points(change), "margin": str(change.margin)}
    if is_beyond(change):
        return _("{points} points since the round before: more than the margin of {margin} points.", **said)
    return _(
        "{points} points since the round before: within the margin of {margin} points, so it may be chance.", **said
    )


def is_beyond(change: Change) -> bool:
    """Whether a change is more than its margin."""
    return abs(change.points) > change.margin


def why_hidden(minimum: int) -> Words:
    """What a figure must have to be shown; the same wording whatever is missing."""
    return _(
        "A figure is shown when it stands on at least {n} different phone numbers and the answers are not all the"
        " same. Where it says 'not shown', one of these is missing; which one is never told.",
        n=str(minimum),
    )


LEFT_INSIDE = _(
    "Answers that were too few, or came after figures had been told, are in no figure. They stay inside for good,"
    " so that nobody is found out by comparing."
)
INVENTED = _("Demonstration: all figures are invented.")
SUMS = _("What stands for all communes together is the sum of the communes that are shown.")
OTHER_COMMUNES = _("The communes shown are not the same as in the round before: compare with care.")
NOBODY_KNOWS = _(
    "Nobody can tell who gave which answer: what linked answers to phones was destroyed when the round closed. Phone"
    " companies can see that a number called."
)


def services_hidden(names: list[Name]) -> Words:
    """Which services have no figures."""
    listed: Words | Name = names[0]
    for name in names[1:]:
        listed = _("{first} and {second}", first=listed, second=name)
    return _("Not shown in this round: {services}.", services=listed)
