"""A rating: the score, stored the moment it is given; then, once, who gave it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from gateway.menus.effects import Discard, Identify, Save
from gateway.menus.engine import End
from gateway.menus.phrases import Words
from gateway.menus.screens import Choose, Option
from gateway.menus.visit import Commune, Service

_ = Words

SCORES = (
    Option("1", _("Very dissatisfied")),
    Option("2", _("Dissatisfied"), implied=True),
    Option("3", _("Acceptable")),
    Option("4", _("Satisfied"), implied=True),
    Option("5", _("Very satisfied")),
)
"""The scale of the I-SAF scorecard (DOMAIN.md, Services)."""

WHO = (
    Option("woman-15-30", _("Woman 15-30")),
    Option("woman-31", _("Woman over 30")),
    Option("man-15-30", _("Man 15-30")),
    Option("man-31", _("Man over 30")),
    Option("under-15", _("Under 15")),
    Option("other", _("Other")),
    Option("unsaid", _("No answer")),
)
"""Youth is 15 to 30 (DOMAIN.md, table, row 5)."""


def rate(commune: Commune, service: Service) -> Generator[Any, str, End]:
    """Score, who, thanks. Whoever is under 15 is thanked, and nothing of theirs is kept."""
    if commune.round_id is None:
        return End(_("No rating is open now."))
    score = yield Choose(_("{service}", service=service.name), SCORES)
    yield Save(commune.round_id, commune.code, service.id, int(score))
    who = yield Choose(_("You are:"), WHO)
    if who == "under-15":
        yield Discard(commune.round_id, (service.id,))
        return End(_("Thank you!"))
    yield Identify(commune.round_id, who)
    return End(_("Thank you! Received."))
