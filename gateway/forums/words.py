"""What is said of a forum by SMS (DOMAIN.md, Wording), in the three languages.

Where the fullest sentence needs a second part and a shorter one does not, the shorter one is sent; nothing is cut.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from gateway.config import LANGUAGES, Language
from gateway.forums.facts import Forum, named
from gateway.menus import days
from gateway.menus.forums import see_you
from gateway.menus.phrases import Phrase, Words
from gateway.menus.wording import render
from gateway.models.forums import in_each, read_by
from gateway.text import SMS, fits, in_gsm7, plain

_ = Words

Said = dict[Language, str]

_INVITATION = (
    _("{inviter}: {commune} {title}, {date}, {where}. How many will come? Reply 0-8. No more SMS=OFF"),
    _("{inviter}: {commune} {title}, {date}, {where}. How many come? 0-8 OFF=stop"),
)
_REMINDER = (
    _("{inviter} reminds: {commune} {title}, {date}, {where}. How many will come? Reply 0-8."),
    _("{inviter} reminds: {commune} {title}, {date}, {where}. How many come? 0-8"),
)
_MOVED = _("{inviter}: {forum} {old} moved to {date}, {venue}. Your reply stands; send 0 if you cannot come.")
_CANCELLED = _("{inviter}: {forum} {date} is CANCELLED. Please do not travel. We will tell you the new day.")
_OUTCOME = _("{inviter}: {forum} {date}: {outcome}")


def invitation(forum: Forum, zone: ZoneInfo) -> Said:
    """To who hears of it for the first time."""
    return {one: _fitting(one, *_asking(forum, zone, one, _INVITATION)) for one in LANGUAGES}


def reminder(forum: Forum, zone: ZoneInfo) -> Said:
    """To who was told. It says the day, not "tomorrow": a phone may have been off."""
    return {one: _fitting(one, *_asking(forum, zone, one, _REMINDER)) for one in LANGUAGES}


def moved(forum: Forum, zone: ZoneInfo) -> Said:
    """To who was told of another time or place; the forum has the new one already."""
    values: dict[str, Phrase] = {
        "inviter": forum.inviter,
        "old": days.date((forum.moved_from or forum.starts).astimezone(zone)),
        "date": days.moment(forum.starts.astimezone(zone)),
        "venue": named(forum.venue),
    }
    brief, full = _MOVED.given(forum=_("forum"), **values), _MOVED.given(forum=_of(forum), **values)
    # Khmer leaves out the commune, as DOMAIN.md words it
    return {one: _said(_with_number(brief if one == "km" else full, forum, one), one) for one in LANGUAGES}


def cancelled(forum: Forum, zone: ZoneInfo) -> Said:
    """To who was told of it."""
    date = days.day(forum.starts.astimezone(zone))
    notice = _CANCELLED.given(inviter=forum.inviter, forum=_of(forum), date=date)
    return {one: _said(_with_number(notice, forum, one), one) for one in LANGUAGES}


def outcome(forum: Forum, zone: ZoneInfo) -> Said:
    """What came of it, as staff wrote it."""
    date = days.date(forum.starts.astimezone(zone))
    said = _OUTCOME.given(inviter=forum.inviter, forum=_of(forum), date=date, outcome=named(forum.outcome))
    # all of it in the language of what staff wrote: English in a Khmer frame would cost as much as Khmer
    return {one: _said(said, read_by(forum.outcome, one)) for one in LANGUAGES}


def thanks(forum: Forum, zone: ZoneInfo, language: Language) -> Words:
    """The answer to who comes; `language`: that in which it will be read, to see what fits."""
    said = see_you(forum.starts.astimezone(zone), named(forum.venue))
    return _with_number(said, forum, language)


def regrets(forum: Forum, zone: ZoneInfo, language: Language) -> Words:
    """The answer to who does not come."""
    date = days.day(forum.starts.astimezone(zone))
    said = _("Thank you. You do not come: {forum} {date}. If you can after all, send 1-8.", forum=_of(forum), date=date)
    return _with_number(said, forum, language)


def label(forum: Forum, zone: ZoneInfo, language: Language) -> str:
    """Which forum it is, for staff's lists."""
    return " ".join(render(words, language) for words in (_of(forum), days.day(forum.starts.astimezone(zone))))


def _asking(forum: Forum, zone: ZoneInfo, language: Language, sentences: tuple[Words, ...]) -> list[Words]:
    note = _note(forum, language)
    venue = named(forum.venue)
    where: Phrase = _("{venue}. {note}", venue=venue, note=note) if note else venue
    values: dict[str, Phrase] = {
        "inviter": forum.inviter, "commune": forum.commune, "title": named(forum.title),
        "date": days.moment(forum.starts.astimezone(zone)), "where": where,
    }  # fmt: skip
    return [sentence.given(**values) for sentence in sentences]


def _note(forum: Forum, language: Language) -> str:
    """On travel and cost. Khmer goes without where it has none of its own: with it, it takes two parts."""
    return forum.note.get("km", "") if language == "km" else in_gsm7(in_each({**forum.note, "km": ""})[language])


def _of(forum: Forum) -> Words:
    return _("{commune} forum", commune=forum.commune)


def _with_number(said: Words, forum: Forum, language: Language) -> Words:
    """With the number to ask, where that takes no second part."""
    longer = _("{sentence} Questions: {number}", sentence=said, number=forum.callback)
    return longer if forum.callback and fits(_said(longer, language), SMS) else said


def _fitting(language: Language, *sentences: Words) -> str:
    """The first that fits one part; where none does, the first."""
    said = [_said(sentence, language) for sentence in sentences]
    return next((text for text in said if fits(text, SMS)), said[0])


def _said(sentence: Words, language: Language) -> str:
    return plain(render(sentence, language))
