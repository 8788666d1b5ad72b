"""What the pages of services and of questions share: what was typed, what is wrong with it, the row of an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, request
from sqlalchemy import Connection, select

from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.services import indicators, services
from gateway.scorecard import rated
from gateway.scorecard.rated import Flaw, Refused, Wording, clean

_ = Words

FLAWS: Mapping[Flaw, Words] = {
    Flaw.MISSING: _("This is missing."),
    Flaw.SCRIPT: _("Phones that show Latin letters only cannot show this. Write it in Latin letters."),
    Flaw.SCREEN: _("Too long for one screen by {n} signs."),
    Flaw.LETTER: _("Too long for a line of the weekly letter by {n} signs. Give a shorter name for it."),
    Flaw.NUMBER: _("This number is taken, or was once. Choose another."),
    Flaw.FULL: _("There are {most} questions about this service. Archive one first.", most=str(rated.MOST)),
    Flaw.ASKED: _("An open round asks this question, so its words stay. Archive it, and add a new one."),
    Flaw.SURE: _("Tick that you are sure."),
}
LONGEST = 200
"""Signs of a text that are read at all."""


def said(refused: Refused) -> dict[str, Phrase]:
    """What is wrong, by field."""
    return {field: FLAWS[flaw].given(**({"n": str(over)} if over else FLAWS[flaw].values))
            for field, (flaw, over) in refused.flaws.items()}  # fmt: skip


def found(db: Connection, service_id: str) -> Any:
    """The service of an address; else the page that says that nothing is there."""
    return db.execute(select(services).where(services.c.id == service_id)).first() or abort(404)


def asked(db: Connection, service_id: str, question: str) -> Any:
    """The question of an address; else the page that says that nothing is there."""
    mine = (indicators.c.service_id == service_id) & (indicators.c.id == question)
    return db.execute(select(indicators).where(mine)).first() or abort(404)


def name_of(row: Any) -> Name:
    """What a service is called."""
    return Name(row.name_km, row.name_latn, row.name_en)


def kept(row: Any, what: str) -> dict[Language, str]:
    """A row's texts, in the order of the languages, which is that of a name's parts."""
    return {one: getattr(row, f"{what}_{'latn' if one == 'km-Latn' else one}") for one in LANGUAGES}


def texts_in(what: str) -> dict[Language, str]:
    """A text of the form in the languages, as it would be kept."""
    return {one: clean(request.form.get(f"{what}-{one}", "")[:LONGEST]) for one in LANGUAGES}


def wording() -> Wording:
    """The names of a service in the form."""
    return Wording(texts_in("name"), texts_in("short"))
