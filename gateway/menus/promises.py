"""What was promised, in the menu: how far the council says it is, and whether villagers saw it done."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import date
from typing import Any

from gateway.menus.effects import Check, Discard, Identify
from gateway.menus.engine import End, Feed
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.promised import Promise
from gateway.menus.rating import WHO
from gateway.menus.screens import Choose, Option
from gateway.menus.visit import Commune, Visit
from gateway.text import Limit, cut

_ = Words

CHOICES = (
    Option("1", _("Yes, done"), "1"),
    Option("2", _("Partly"), "2"),
    Option("3", _("No"), "3"),
    Option("4", _("Don't know"), "4"),
)
"""What a villager says. An SMS asks with the same digits: they never change."""
KEYS = frozenset(option.key for option in CHOICES)
STANDINGS: Mapping[str, Words] = {
    "planned": _("planned"),
    "under way": _("under way"),
    "done": _("done"),
    "dropped": _("dropped"),
}
"""How far something is, by `models.promises.Standing`."""
_IN_LIST = Limit(40, 22)
"""Of an activity so much stands in a list, so that a screen holds two or three."""
_FAR = 183
"""Days: a date farther off than that is said with its year."""


def promised(visit: Visit, commune: Commune) -> Generator[Any, str, End]:
    """The promises to a commune; one after the other those that are asked about."""
    left = {str(one.id): one for one in visit.promises(commune)}
    if not left:
        return End(_("Nothing is written down here yet."))
    title, who = _("What was promised:"), None
    while True:
        chosen, *others = left
        if others:
            chosen = yield Choose(title, tuple(Option(key, in_list(one.activity)) for key, one in left.items()))
        who = yield from _show(visit, left.pop(chosen), who)
        left = {key: one for key, one in left.items() if one.check is not None}
        if who is None or not left or visit.facts.channel == "sms":
            return _thanks(visit, who)
        title = _("Received. And this?")


def answer_sms(visit: Visit) -> Generator[Any, str, End]:
    """The answer to an SMS that asked about one promise; the digit came with it."""
    promise = visit.asked
    if promise is None:
        return End(_("This question is over. Thank you."))
    if visit.facts.dialled:  # not where a talk goes on over a deploy
        yield Feed(digits=visit.facts.dialled)
    return _thanks(visit, (yield from _show(visit, promise, None)))


def _show(visit: Visit, promise: Promise, who: str | None) -> Generator[Any, str, str | None]:
    """One promise, and whether it was done. Returns who said so; None who is under 15: nothing of theirs is kept."""
    about, brief = (say(promise, visit.today) for say in (full, without_day))
    if promise.check is None:
        # its day is over where villagers were asked; else it is what one wants to know
        yield Choose(about, (), shorter=brief if promise.counts else None)
        return who  # nobody comes here: there is nothing to choose
    asks = (_("{about} Was it done?", about=one) for one in (about, brief))
    choice = yield Choose(next(asks), CHOICES, shorter=next(asks))
    yield Check(promise.check, int(choice), who)
    if who is None:
        who = yield Choose(_("You are:"), WHO)
        if who == "under-15":
            yield Discard(None, ())
            return None
        yield Identify(None, who)
    return who


def _thanks(visit: Visit, who: str | None) -> End:
    if who is None:
        return End(_("Thank you!"))
    if visit.facts.channel == "sms":  # it stays on the phone: it must not tell the next reader what was said
        return End(_("Thank you! Received. Shared phone? Delete this and the SMS you sent."))
    return End(_("Thank you! Received."))


# how a promise is said ----------------------------------------------------------------------------


def full(promise: Promise, today: date) -> Words:
    """All there is to know of it: what, until when, how far."""
    day = day_of(promise.due, today)
    return _("{activity}, by {day}. {standing}.", activity=promise.activity, day=day, standing=stands(promise))


def without_day(promise: Promise, _today: date) -> Words:
    """The same without its day, where there is no room for it."""
    return _("{activity}. {standing}.", activity=promise.activity, standing=stands(promise))


def stands(promise: Promise) -> Words:
    """How far the council says it is, and what villagers say."""
    return standing_words(STANDINGS[promise.standing], promise.counts)


def standing_words(standing: Phrase, counts: Sequence[int] | None) -> Words:
    """`Council: done; villagers: 61% yes of 34`; without counts only what the council says.

    `counts` are those of who saw it done, partly and not. Who does not know is not among them.
    """
    if counts is None:
        return _("Council: {standing}", standing=standing)
    percent, n = str(share(counts[0], sum(counts))), str(sum(counts))
    return _("Council: {standing}; villagers: {percent}% yes of {n}", standing=standing, percent=percent, n=n)


def share(count: int, n: int) -> int:
    """In whole percent. What some said is not 0, and what not all said is not 100."""
    return count and min(99, max(1, round(100 * count / n)))


def day_of(day: date, today: date) -> str:
    """`30/11`, as it is written here; with the year where another one could be meant."""
    return f"{day:%d/%m}" if abs((day - today).days) <= _FAR else f"{day:%d/%m/%y}"


def in_list(activity: Name) -> Name:
    """The beginning of an activity, which tells it from others."""
    return Name(*(_beginning(text) for text in (activity.km, activity.latn, activity.en)))


def _beginning(text: str) -> str:
    head, rest = cut(text, _IN_LIST)
    return f"{head}.." if rest else head
