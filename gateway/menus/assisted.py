"""A volunteer's call: respondents recorded one after another, or the volunteer's own rating.

No screen says how many there were, or what anybody answered.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from gateway.menus.effects import Describe, Drop, Record, Respondent
from gateway.menus.engine import End
from gateway.menus.phrases import Words
from gateway.menus.rating import SCORES, WHO
from gateway.menus.screens import Choose, Option
from gateway.menus.visit import Commune, Visit

_ = Words

DONE_KEY = "8"


def begin(commune: Commune) -> Generator[Any, str, str]:
    """What a volunteer calls for: `record`, `own` or `menu`. Others never see this."""
    options = (
        Option("record", _("Record a respondent"), key="1"),
        Option("own", _("My own rating"), key="2"),
        Option("menu", _("Menu"), key=DONE_KEY),
    )
    return (yield Choose(_("{commune}:", commune=commune.name), options))


def record(visit: Visit, commune: Commune) -> Generator[Any, str, End]:
    """Respondents, until the volunteer leaves. Each is a rater of their own, told apart by their place in the talk."""
    place = 0
    while True:
        place += 1
        kept = yield from _one(visit, commune, f"ussd {visit.facts.series} {place}")
        title = _("Received.") if kept else _("Under 15: not kept.")
        yield Choose(title, (Option("next", _("Next respondent"), key="1"),), leaves=True)


def _one(visit: Visit, commune: Commune, name: str) -> Generator[Any, str, bool]:
    """One respondent: a service or several, then who they are; whether they are kept."""
    assert visit.facts.volunteer is not None
    assert commune.round_id is not None
    one = Respondent(name, visit.facts.volunteer, commune.round_id, commune.code)
    services = visit.programme.services(commune)
    left = list(services)
    while left:
        options = [Option(service.id, service.name, key=str(service.number)) for service in left]
        if len(left) < len(services):
            options.append(Option("done", _("No, go on"), key=DONE_KEY))
        choice = yield Choose(_("Respondent:") if len(left) == len(services) else _("Another service?"), tuple(options))
        if choice == "done":
            break
        service = next(service for service in left if service.id == choice)
        score = yield Choose(_("{service}", service=service.name), SCORES)
        yield Record(one, service.id, int(score))
        left.remove(service)
    who = yield Choose(_("They are:"), WHO)
    if who == "under-15":
        yield Drop(one)
        return False
    yield Describe(one, who)
    return True
