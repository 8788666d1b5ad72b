"""What everybody may read of a commune's promises: what, until when, how far, and what villagers say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from gateway.menus.phrases import Name, Words
from gateway.menus.promised import STAYS
from gateway.models.installation import is_paused
from gateway.promises.checks import CheckFigures, public_figures, standing_words
from gateway.promises.facts import Wanted, listed


@dataclass(frozen=True)
class Told:
    """A promise, as a public page has it."""

    activity: Name
    due: date
    standing: Words
    """`Council: done; villagers: 61% yes of 34`."""
    figures: CheckFigures | None


def told(db: Connection, commune: str, today: date) -> list[Told]:
    """The promises to a commune that villagers see in the menu, by when they are due. None in a pause."""
    if is_paused(db, today):
        return []
    shown = (one for one in listed(db, wanted=Wanted(commune=commune, shown=True)) if one.due + STAYS >= today)
    found = []
    for one in sorted(shown, key=lambda one: (one.due, one.id)):
        figures = public_figures(db, one.id, today)
        found.append(Told(one.label, one.due, standing_words(one.standing, figures), figures))
    return found
