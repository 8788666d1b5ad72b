"""Public forums in the menu: what is planned, how many come, and news of them by SMS."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any

from gateway.menus import days
from gateway.menus.effects import Attend, Subscribe, Unsubscribe
from gateway.menus.engine import End
from gateway.menus.phrases import Name, Words
from gateway.menus.screens import LOCAL_KEYS, Choose, Option
from gateway.menus.visit import Commune, Forum, Visit

_ = Words

HEADS = tuple(Option(heads, "", key=heads) for heads in LOCAL_KEYS)
"""The title of the question names them all. More than eight is said to whoever answers the call-back number."""


def attend(visit: Visit, commune: Commune) -> Generator[Any, str, End]:
    """The forums that are planned in a commune; whether one comes, and with how many."""
    planned = {str(forum.id): forum for forum in visit.forums(commune)}
    if not planned:
        return End(_("No forum is planned now."))
    chosen, *others = planned
    if others:
        chosen = yield Choose(_("Forums:"), tuple(Option(key, _in_list(forum)) for key, forum in planned.items()))
    forum = planned[chosen]
    comes = Option("come", _("We come"), key="1"), Option("not", _("We do not come"), key="2")
    if (yield Choose(_about(forum, commune), comes)) == "not":
        yield Attend(forum.id, forum.revision, 0)
        name = _("{commune} forum", commune=commune.name)
        return End(_("Thank you. You do not come: {forum} {date}.", forum=name, date=days.day(forum.starts)))
    heads = yield Choose(_("How many will come? 1-8"), HEADS)
    yield Attend(forum.id, forum.revision, int(heads))
    date, time = days.day(forum.starts), days.hour(forum.starts)
    shorter = _("Thank you! See you {date}, {time}.", date=date, time=time)
    return End(see_you(forum.starts, forum.venue), shorter)


def news(commune: Commune) -> Generator[Any, str, End]:
    """Whether this phone gets SMS about forums. The same is shown whether or not it does: phones are shared."""
    title = _("SMS about forums to this phone? We keep its number for that, apart from ratings.")
    if (yield Choose(title, (Option("yes", _("Yes")), Option("no", _("No"))))) == "yes":
        return (yield from subscribe(commune))
    yield Unsubscribe()
    return End(_("This phone gets no SMS about forums."))


def subscribe(commune: Commune) -> Generator[Any, str, End]:
    """From now on news of the commune's forums; and how to stop them."""
    yield Subscribe(commune.code)
    return End(_("You will get SMS about forums in {commune}. No more: send OFF.", commune=commune.name))


def see_you(starts: datetime, venue: Name) -> Words:
    """The thanks of who comes; `starts` is local time."""
    # a common noun takes its article, a name does not: "at the commune hall", "at Wat Ponley"
    english = f"the {venue.en}" if venue.en[:1].islower() else venue.en
    place = Name(venue.km, venue.latn, english)
    return _(
        "Thank you! See you {date}, {time}, at {venue}.", date=days.day(starts), time=days.hour(starts), venue=place
    )


def _in_list(forum: Forum) -> Words:
    return _("{date}: {title}", date=days.moment(forum.starts), title=forum.title)


def _about(forum: Forum, commune: Commune) -> Words:
    """What there is to know of it; first what one must know to come."""
    about = _("{commune} {title}, {date}, {venue}.", commune=commune.name, title=forum.title, venue=forum.venue,
              date=days.moment(forum.starts))  # fmt: skip
    if forum.note.en:
        about = _("{about} {note}.", about=about, note=forum.note)
    if forum.callback:
        about = _("{sentence} Questions: {number}", sentence=about, number=forum.callback)
    return about
