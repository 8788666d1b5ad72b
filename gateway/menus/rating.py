"""A rating: the score, stored the moment it is given; then, once, who gave it; then at most two extra questions."""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Any

from gateway.menus.effects import Discard, Identify, Save
from gateway.menus.engine import End
from gateway.menus.phrases import Name, Words
from gateway.menus.screens import Choose, Option
from gateway.menus.visit import Commune, Service, Visit

_ = Words

SCORES = (
    Option("1", _("Very dissatisfied"), "1"),
    Option("2", _("Dissatisfied"), "2", implied=True),
    Option("3", _("Acceptable"), "3"),
    Option("4", _("Satisfied"), "4", implied=True),
    Option("5", _("Very satisfied"), "5"),
)
"""The scale of the I-SAF scorecard (DOMAIN.md, Services)."""

LOW = 2
"""Up to this score one is told how to say why: on the last screen of a call, which nobody finds there later."""
SKIP = "skip"
AGAIN = (
    *(Option(one.value, one.label, one.key, implied=one.value in "234") for one in SCORES),
    Option(SKIP, _("Skip"), "6"),
)
"""The scale once more, for an extra question: who comes to one has just read it whole."""

WHO = (
    Option("woman-15-30", _("Woman 15-30"), "1"),
    Option("woman-31", _("Woman over 30"), "2"),
    Option("man-15-30", _("Man 15-30"), "3"),
    Option("man-31", _("Man over 30"), "4"),
    Option("under-15", _("Under 15"), "5"),
    Option("other", _("Other"), "6"),
    Option("unsaid", _("No answer"), "7"),
)
"""Youth is 15 to 30 (DOMAIN.md, table, row 5). The digits are printed on posters (`1 2 5 1`): they never change."""


ASK_WHO = Choose(_("You are:"), WHO)


def rate(visit: Visit, commune: Commune, service: Service) -> Generator[Any, str, End]:
    """Score, who, the extra questions, thanks. Whoever is under 15 is thanked, and nothing of theirs is kept."""
    if commune.round_id is None:
        return End(_("No rating is open now."))
    score = yield give_score(service.name)
    yield Save(commune.round_id, commune.code, service.id, int(score))
    who = yield ASK_WHO
    if who == "under-15":
        yield Discard(commune.round_id, (service.id,))
        return End(_("Thank you!"))
    yield Identify(commune.round_id, who)
    for question in visit.drawn(commune, service):
        answer = yield ask(question.text)
        if answer != SKIP:
            yield Save(commune.round_id, commune.code, service.id, int(answer), question.id, who)
    if visit.facts.channel == "sms":  # it stays on the phone: it must not tell the next reader what was rated
        return End(_("Thank you! Received. Shared phone? Delete this and the SMS you sent."))
    if int(score) <= LOW and service.id in visit.programme.comments and visit.facts.sms:
        why = _(
            "{thanks} Want to say why? SMS to {number}: COMMENT {service} and your words",
            thanks=_("Thank you! Received."), number=visit.facts.sms, service=str(service.number),
        )  # fmt: skip
        return End(why, shorter=_("Thank you! Received."))
    return End(_("Thank you! Received."))


@functools.lru_cache(maxsize=64)
def give_score(service: Name) -> Choose:
    """How satisfied one is with a service."""
    return Choose(_("{service}", service=service), SCORES)


@functools.lru_cache(maxsize=256)
def ask(text: Name) -> Choose:
    """An extra question about a service."""
    return Choose(_("{question} 1-5:", question=text), AGAIN)
