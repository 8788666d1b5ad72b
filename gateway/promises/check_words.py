"""What is said of a promise by SMS, in the three languages: was it done?

Khmer takes two parts at most, Latin letters one: where the fullest sentence takes more, a shorter one is sent. For that
`rules.ACTIVITY` limits an activity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gateway.bulk.poll_words import shortened
from gateway.config import LANGUAGES, Language
from gateway.forums.facts import named
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.promises import day_of
from gateway.menus.wording import render
from gateway.models.forums import read_by
from gateway.text import plain, segments

_ = Words

PARTS: Mapping[Language, int] = {"km": 2, "km-Latn": 1, "en": 1}
_ASKED = (
    _(
        "{inviter}: promised in {commune}: {activity}, by {day}. Was it done? 1=yes 2=partly 3=no 4=don't know."
        " OFF=stop"
    ),
    _("{inviter}: {activity}, by {day}. Was it done? 1=yes 2=partly 3=no 4=don't know OFF=stop"),
    _("{inviter}: {activity}. Done? 1=yes 2=partly 3=no 4=don't know OFF=stop"),
)
_HINT = _("{activity} Was it done? Reply 1 yes, 2 partly, 3 no, 4 don't know.")


@dataclass(frozen=True)
class Asked:
    """A promise, as an SMS asks about it."""

    inviter: str
    """Who asks, as people know it."""
    commune: Name
    activity: Mapping[str, str]
    due: date


def question(asked: Asked, today: date) -> dict[Language, str]:
    """The question in each language; the text of one that staff left empty is that of another, frame and all."""
    return {one: _question(asked, read_by(asked.activity, one), today) for one in LANGUAGES}


def hint(activity: Name) -> Words:
    """For what is no answer, in one part: it names the promise, a long one by its beginning."""
    around = _HINT.given(activity="")
    each = (shortened(render(activity, one), render(around, one)) for one in LANGUAGES)
    return _HINT.given(activity=Name(*each))


def _question(asked: Asked, language: Language, today: date) -> str:
    values: dict[str, Phrase] = {
        "inviter": asked.inviter, "commune": asked.commune, "activity": named(asked.activity),
        "day": day_of(asked.due, today),
    }  # fmt: skip
    said = [plain(render(sentence.given(**values), language)) for sentence in _ASKED]
    return next((text for text in said if segments(text).parts <= PARTS[language]), said[-1])
