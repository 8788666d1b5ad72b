"""The form of a forum: where, when, who invites, in three languages; every sentence as it will be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flask import request
from sqlalchemy import Connection, select

from admin.figures.tallies import programme
from admin.scope import groups_seen
from gateway.bulk import hours
from gateway.config import LANGUAGES, Language, Settings
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum
from gateway.forums.times import REMINDERS, Skipped, Which
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.wording import render
from gateway.models.contacts import groups
from gateway.phones import NotANumber, e164
from gateway.text import Segments, plain, segments, western_digits

_ = Words

TIMES: Mapping[Which, Words] = {
    Which.WEEK: _("Seven days before, at 09:00"),
    Which.EVE: _("On the eve, at 17:00"),
    Which.MORNING: _("In the morning, at 08:00"),
}
SKIPPED: Mapping[Skipped, Words] = {
    Skipped.EARLY_START: _("It begins less than 90 minutes after 08:00: the eve's reminder is the last."),
    Skipped.TOLD_JUST_BEFORE: _("People hear of it later than this, or less than 12 hours before."),
}
LONGEST = {"title": 60, "venue": 60, "note": 100, "inviter": 30}
"""Signs of a field: with all of them at their longest a sentence has four parts."""
FAR = timedelta(days=300)
"""So far ahead a day and a month still say which year is meant."""
USUAL: Mapping[str, Mapping[Language, str]] = {
    "title": {"km": "វេទិកា", "km-Latn": "vetika", "en": "forum on services"},
    "venue": {"km": "សាលាឃុំ", "km-Latn": "sala khum", "en": "commune hall"},
    "note": {"km-Latn": "Mok oy ban, min chenh thlai dor te", "en": "Free to attend, travel not paid"},
}
"""What stands in a new form (DOMAIN.md, Wording)."""
NOT_EMPTY: Mapping[str, Words] = {
    "title": _("Say what it is, in at least one language."),
    "venue": _("Say where it is, in at least one language."),
}


@dataclass(frozen=True)
class Choice:
    """What can be chosen: communes with their names, groups by what stands for them in the form."""

    communes: Mapping[str, Name]
    groups: Mapping[str, str]

    @classmethod
    def known(cls, db: Connection) -> Choice:
        """What there is now."""
        rows, seen = db.execute(select(groups.c.id, groups.c.name).order_by(groups.c.name)), groups_seen(db)
        may_invite = {str(row.id): row.name for row in rows if seen is None or row.id in seen}
        return cls({one.code: one.name for one in programme(db)}, may_invite)


@dataclass(frozen=True)
class Said:
    """A sentence in one language, as it is sent."""

    text: str
    size: Segments


@dataclass
class Form:
    """What stands in the form, as it was typed."""

    typed: Mapping[str, str] = field(default_factory=dict)
    """By field; texts are `title-km`, `venue-en` and so on."""
    groups: Sequence[str] = ()
    reminders: Sequence[str] = tuple(REMINDERS)
    errors: dict[str, Phrase] = field(default_factory=dict)

    @classmethod
    def sent(cls) -> Form:
        """From the request."""
        beside = ("csrf_token", "do", "version")
        typed = {name: value for name, value in request.form.items() if name not in beside}
        return cls(typed, request.form.getlist("groups"), request.form.getlist("reminders"))

    @property
    def fields(self) -> Mapping[str, Any]:
        """All that can be changed, by field (`editing`)."""
        return {**self.typed, "groups": self.groups, "reminders": self.reminders}

    @classmethod
    def new(cls, communes: Mapping[str, Name], inviter: str) -> Form:
        """Empty, but for what is usual."""
        usual = {f"{what}-{one}": text for what, texts in USUAL.items() for one, text in texts.items()}
        return cls(usual | {"inviter": inviter, "commune": next(iter(communes), "")})

    @classmethod
    def of(cls, forum: Forum, settings: Settings) -> Form:
        """To change a forum, or to plan another one like it."""
        texts = {"title": forum.title, "venue": forum.venue, "note": forum.note}
        typed = {f"{what}-{one}": by.get(one, "") for what, by in texts.items() for one in LANGUAGES}
        starts = f"{forum.starts.astimezone(settings.zone):%Y-%m-%dT%H:%M}"
        typed |= {"commune": forum.code, "inviter": forum.inviter, "callback": forum.callback, "starts": starts}
        return cls(typed, [str(one) for one in forum.groups], forum.reminders)

    def forum(self, choice: Choice, settings: Settings, now: datetime) -> Forum:
        """The forum that was typed, not kept; what is wrong with it stands in `errors`."""
        code = self.typed.get("commune", "")
        if code not in choice.communes:
            self.errors["commune"] = _("Choose a commune of the programme.")
        inviter = self._line("inviter", LONGEST["inviter"])
        if not inviter:
            self.errors.setdefault("inviter", _("Say who invites, as people know it: it stands before each message."))
        return Forum(
            id=0,
            code=code,
            commune=choice.communes.get(code, Name("", "", "")),
            title=self.texts("title"),
            inviter=inviter,
            starts=self.starts(settings, now),
            venue=self.texts("venue"),
            note=self.texts("note"),
            callback=self._callback(settings),
            groups=tuple(int(one) for one in self.groups if one in choice.groups),
            reminders=tuple(one for one in REMINDERS if one in self.reminders),
        )

    def texts(self, what: str) -> dict[str, str]:
        """A text in the languages in which it was written, without the stop at its end."""
        found = {one: self._line(f"{what}-{one}", LONGEST[what]).rstrip(" .។") for one in LANGUAGES}
        if what in NOT_EMPTY and not any(found.values()):
            self.errors[f"{what}-{LANGUAGES[0]}"] = NOT_EMPTY[what]
        return {one: text for one, text in found.items() if text}

    def starts(self, settings: Settings, now: datetime) -> datetime:
        """When it begins."""
        try:
            starts = hours.written(western_digits(self.typed.get("starts", "")), settings.zone)
        except ValueError:
            self.errors["starts"] = _("Give the day and the time.")
            return now
        if starts <= now:
            self.errors["starts"] = _("This time is over. Choose a later one.")
        elif starts > now + FAR:
            self.errors["starts"] = _("At most {n} days ahead: the messages name no year.", n=str(FAR.days))
        return starts

    def _line(self, name: str, longest: int) -> str:
        found = " ".join(plain(" ".join(self.typed.get(name, "").split())).split())
        if "{" in found or "}" in found:
            self.errors[name] = _("No braces here: everybody reads the same.")
        elif len(found) > longest:
            self.errors[name] = _("Too long: at most {n} signs.", n=str(longest))
        return found

    def _callback(self, settings: Settings) -> str:
        """The number to ask, as people dial it; a short one stays as it is."""
        typed = western_digits("".join(self.typed.get("callback", "").split()))
        if not typed or (typed.isascii() and typed.isdigit() and 3 <= len(typed) <= 5):
            return typed
        home = settings.countries[0]
        try:
            number = e164(typed, home)
        except NotANumber:
            self.errors["callback"] = _("This is no phone number. Write it like {example}.", example="012 345 678")
            return ""
        return f"0{number[len(home) + 1 :]}" if number.startswith(f"+{home}") else number


def sentences(forum: Forum, settings: Settings) -> list[tuple[Words, dict[Language, Said]]]:
    """All that is said of a forum, each in three languages, as it will be sent."""
    zone = settings.zone
    moved = replace(forum, moved_from=forum.moved_from or forum.starts)
    thanks = {one: render(forum_words.thanks(forum, zone, one), one) for one in LANGUAGES}
    return [
        (_("Invitation"), measured(forum_words.invitation(forum, zone))),
        (_("Reminder"), measured(forum_words.reminder(forum, zone))),
        (_("Answer to who comes"), measured(thanks)),
        (_("If it is moved"), measured(forum_words.moved(moved, zone))),
        (_("If it is cancelled"), measured(forum_words.cancelled(forum, zone))),
    ]


def measured(texts: Mapping[Language, str]) -> dict[Language, Said]:
    """Texts with their lengths and parts."""
    return {one: Said(plain(text), segments(plain(text))) for one, text in texts.items()}
