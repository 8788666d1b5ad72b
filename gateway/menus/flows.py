"""The conversation that begins when somebody dials: welcome, commune, the services to rate, the menu."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from gateway.menus import assisted, information
from gateway.menus.effects import Join, Withdraw
from gateway.menus.engine import End, Feed, Flow
from gateway.menus.forums import attend, news, subscribe
from gateway.menus.phrases import Words
from gateway.menus.promises import answer_sms, promised
from gateway.menus.rating import rate
from gateway.menus.screens import Choose, Option
from gateway.menus.visit import Commune, Service, Visit
from gateway.menus.welcome import choose_commune, choose_language, welcome

_ = Words

MENU_KEY = "8"
VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:12]
"""Tells one deploy's flows from another's: a conversation that began under other flows is replayed by its values."""


def dial(visit: Visit) -> Flow:
    """Everything from the first screen on."""
    if visit.facts.taken_up == "ask":
        if (yield Choose(_("You were cut off."), (Option("on", _("Go on")), Option("anew", _("Start again"))))) == "on":
            yield Feed(values=visit.facts.earlier)
    elif visit.facts.taken_up:
        yield Feed(values=visit.facts.earlier)
    if not visit.programme.communes:
        return End(_("This service is not ready yet. Please try again later."))
    if visit.facts.entry == "language":
        yield from choose_language()
    if visit.facts.entry in ("forums", "news"):
        return (yield from about_forums(visit))
    if visit.facts.entry == "check":
        return (yield from answer_sms(visit))
    if visit.facts.entry == "information":
        return (yield from information.ask(visit))
    asked = (yield from assisted.begin(visit.records)) if visit.records else ""
    if visit.records and asked == "record":
        return (yield from assisted.record(visit, visit.records))
    commune = visit.commune
    if commune is None:
        yield from welcome(visit)
        commune = visit.place or (yield from choose_commune(visit))
        yield Join(commune.code)
    elif visit.facts.place:
        commune = visit.place or (yield from choose_commune(visit))
    if visit.facts.dialled and visit.programme.services(commune):
        yield Feed(digits=visit.facts.dialled)
    return (yield from home(visit, commune, at_menu=asked == "menu"))


def about_forums(visit: Visit) -> Generator[Any, str, End]:
    """What FORUM and START ask for. Who has no commune yet names it for this once: the welcome is still to come."""
    if visit.facts.entry == "forums" and not any(map(visit.forums, visit.programme.communes.values())):
        return End(_("No forum is planned now."))
    commune = visit.commune or (yield from choose_commune(visit))
    return (yield from attend(visit, commune) if visit.facts.entry == "forums" else subscribe(commune))


def home(visit: Visit, commune: Commune, *, at_menu: bool = False) -> Generator[Any, str, End]:
    """The services to rate, with the menu behind 8; the menu itself where no round is open, or who asked for it."""
    while True:
        services = visit.programme.services(commune)
        if services and not at_menu:
            choice = yield choose_service(services)
            if choice != "menu":
                return (yield from rate(visit, commune, next(service for service in services if service.id == choice)))
        at_menu = False
        title = _("Menu:") if services else _("{commune}: no rating is open now.", commune=commune.name)
        came_to = yield from menu(visit, commune, title)
        if isinstance(came_to, End):
            return came_to
        commune = came_to


@functools.lru_cache(maxsize=64)
def choose_service(services: tuple[Service, ...]) -> Choose:
    """What to rate; the menu is behind 8."""
    options = [Option(service.id, service.name, key=str(service.number)) for service in services]
    return Choose(_("Service:"), (*options, Option("menu", _("Menu"), key=MENU_KEY)))


def menu(visit: Visit, commune: Commune, title: Words) -> Generator[Any, str, Commune | End]:
    """What there is beside rating. Returns the commune to go on with, or the end."""
    choice = yield Choose(title, tuple(_entries(visit, commune)))
    if choice == "forums":
        return (yield from attend(visit, commune))
    if choice == "information":
        return (yield from information.browse(visit, commune.code))
    if choice == "promised":
        return (yield from promised(visit, commune))
    if choice == "news":
        return (yield from news(commune))
    if choice == "commune":
        commune = yield from choose_commune(visit)
        yield Join(commune.code)
    elif choice == "language":
        yield from choose_language()
    elif choice == "protection":
        yield Choose(_(
            "The commune gets totals of 10 phones or more, never your number or your words. We keep your number as"
            " a code and destroy its key when the round closes. Who asks for forum news or says they come: we keep"
            " that number, apart from ratings. Your phone company can see that you called and what you pressed. Who"
            " takes your phone can see what is kept on it."
        ), ())  # fmt: skip
    else:
        title = _("Remove all ratings of this phone that are still open?")
        if (yield Choose(title, (Option("yes", _("Yes, remove")), Option("no", _("No"))))) == "yes":
            yield Withdraw()
            return End(_("Done. No rating of this phone is kept in an open round."))
    return commune


def _entries(visit: Visit, commune: Commune) -> Iterator[Option]:
    """Of the menu; only what exists."""
    if visit.forums(commune):
        yield Option("forums", _("Forums"))
    if visit.information(commune.code):
        yield Option("information", _("Information"))
    promises = visit.promises(commune)
    if promises:
        yield Option("promised", _("What was promised"))
    yield Option("news", _("Forum news by SMS"))
    if len(visit.programme.communes) > 1:
        yield Option("commune", _("Other commune"))
    yield Option("language", _("Language"))
    yield Option("protection", _("Who sees what"))
    if visit.programme.has_round or any(one.check is not None for one in promises):
        yield Option("withdraw", _("Withdraw my ratings"))
