"""The first time: what this is and who can see what, the language, the commune."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from gateway.config import Language
from gateway.menus.effects import Speak
from gateway.menus.phrases import Name, Words
from gateway.menus.screens import LOCAL_KEYS, Choose, Option
from gateway.menus.visit import Commune, Visit

_ = Words

PROMISE = _("Rate commune services. The commune never sees your number; your phone company can see you used this.")
FLAT = len(LOCAL_KEYS)
"""Up to so many communes stand in one list, numbered as on posters; more are found by province and district."""


def welcome(visit: Visit) -> Generator[Any, str, None]:
    """Until the caller goes on: the promise, in the language of their choice."""
    while True:
        title = PROMISE
        if visit.facts.cost:
            title = _("{welcome} Cost: {cost}.", welcome=title, cost=visit.facts.cost)
        if not visit.programme.has_round:
            title = _("No rating is open now. {welcome}", welcome=title)
        choice = yield Choose(
            title, (Option("on", _("Go on")), Option("km-Latn", _("Khmer abc")), Option("en", _("English")))
        )
        if choice == "on":
            return
        yield Speak("en" if choice == "en" else "km-Latn")


def choose_commune(visit: Visit) -> Generator[Any, str, Commune]:
    """Where the caller lives: from one list, or by province and district where there are many."""
    communes = list(visit.programme.communes.values())
    if len(communes) > 1 and all(commune.number <= FLAT for commune in communes):
        options = tuple(Option(c.code, c.name, key=str(c.number)) for c in communes)
        return visit.programme.communes[(yield Choose(_("Commune:"), options))]
    for digits, question in ((2, _("Province:")), (4, _("District:"))):
        choices = sorted({commune.code[:digits] for commune in communes})
        code = choices[0] if len(choices) == 1 else (yield Choose(question, _places(visit, choices)))
        communes = [commune for commune in communes if commune.code[:digits] == code]
    if len(communes) == 1:
        return communes[0]
    return visit.programme.communes[(yield Choose(_("Commune:"), tuple(Option(c.code, c.name) for c in communes)))]


def choose_language() -> Generator[Any, str, None]:
    """One of the three languages, each named in itself."""
    names: dict[Language, Name] = {
        "km": Name("ខ្មែរ", "Khmer", "Khmer"),
        "km-Latn": Name("Khmer abc", "Khmer abc", "Khmer abc"),
        "en": Name("English", "English", "English"),
    }
    choice = yield Choose(_("Language:"), tuple(Option(code, name) for code, name in names.items()))
    yield Speak(next(code for code in names if code == choice))


def _places(visit: Visit, codes: list[str]) -> tuple[Option, ...]:
    return tuple(Option(code, visit.programme.above[code]) for code in codes)
