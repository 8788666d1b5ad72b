"""`mati broadcast`: a text from a file to a group, as a draft for somebody's approval or only as figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from gateway.bulk import broadcasts
from gateway.bulk.complaints import NotPossible
from gateway.bulk.letters import Audience, Texts
from gateway.bulk.previews import Plan, Preview, preview, tidy
from gateway.config import LANGUAGES, Language, Settings
from gateway.contacts import groups
from gateway.errors import Told
from gateway.models.messages import Kind
from gateway.text import fold

TITLE = 60
"""Characters of the text that stand as the title of a broadcast that has no other."""
_HEADING = re.compile(r"^\[([^\]\n]*)\][ \t]*$", re.MULTILINE)


class NoSuchGroup(Told):
    """No group has this name; the message names those that exist."""


class UnknownLanguage(Told):
    """A section of the file is headed by something else than a language."""


def texts_in(file: str, default: Language) -> Texts:
    """The texts of a file: one for everybody, or sections headed `[km]`, `[km-Latn]`, `[en]`.

    Raises UnknownLanguage.
    """
    first, *rest = _HEADING.split(file.removeprefix("\ufeff").replace("\r\n", "\n"))
    if not rest:
        return tidy({default: first})
    if first.strip():
        raise UnknownLanguage(f"text stands before the first heading; put {_HEADINGS} above it")
    sections = dict[str, str]()
    for heading, text in zip(rest[::2], rest[1::2], strict=True):
        language = next((one for one in LANGUAGES if one.lower() == heading.strip().lower()), None)
        if language is None:
            raise UnknownLanguage(f"[{heading}] is no language; sections are headed {_HEADINGS}")
        if language in sections:
            raise UnknownLanguage(f"[{language}] stands twice; give one text a language")
        sections[language] = text
    return tidy(sections)


def plan(db: Connection, group: str, texts: Texts, start: datetime | None) -> Plan:
    """What is to be sent to a group. Raises NoSuchGroup."""
    found = groups.named(db).get(fold(group))
    if found is None:
        names = [one.name for one in groups.listed(db)]
        exist = f"there are: {', '.join(names)}" if names else "there is none yet; make one at /admin/contacts"
        raise NoSuchGroup(f"there is no group {group.strip()!r}; {exist}")
    first = " ".join(next(iter(texts.values()), "").split())
    title = first if len(first) <= TITLE else first[: TITLE - 1].rstrip() + "…"
    return Plan(Kind.ANNOUNCEMENT, title, texts, Audience(groups=(found,)), start)


def put_before_staff(db: Connection, settings: Settings, what: Plan, now: datetime) -> int:
    """A draft that waits for approval by any member of staff; returns its id. Raises NotPossible."""
    made = broadcasts.draft(
        db, kind=what.kind, title=what.title, texts=what.texts, audience=what.audience, author=None, now=now,
        start=what.start,
    )  # fmt: skip
    broadcasts.submit(db, settings, made, now)
    return made


def dry_run(db: Connection, settings: Settings, what: Plan, now: datetime, say: Callable[[str], object]) -> None:
    """Says what would be sent. Then raises NotPossible when something stands against it."""
    found, _ = preview(db, settings, what, now)
    for line in _lines(found, settings):
        say(line)
    if found.complaints:
        raise NotPossible(found.complaints, settings.zone)


def _lines(found: Preview, settings: Settings) -> Iterator[str]:
    zone = settings.zone
    yield f"recipients  {found.recipients}{f', and {found.stopped} left out who have stopped' * bool(found.stopped)}"
    for language, share in found.languages.items():
        assert share.shortest  # it has recipients
        assert share.longest
        worded = found.worded[language]
        instead = f" (no text of their own: they get {worded})" if worded != language else ""
        fewest, most = share.shortest[1].parts, share.longest[1].parts
        parts = f"{fewest} part{'s' * (fewest != 1)}" if fewest == most else f"{fewest} to {most} parts"
        encodings = ", ".join(f"{count} {name}" for name, count in share.encodings.most_common())
        yield f"{language:<10}  {share.recipients}: {encodings}, {parts} each, {_money(found, share.parts)}{instead}"
    for (operator, provider), share in sorted(found.routes.items()):
        yield f"{operator or 'other':<10}  {share.recipients} by {provider}, {_money(found, share.parts)}"
    for language, cost in found.costs.items():
        for stray in cost.strays:
            put = (
                "leave it out" if stray.instead is None else f"write {stray.instead!r}" if stray.instead else "drop it"
            )
            times = f", {stray.times} times" if stray.times > 1 else ""
            yield f"stray       {language}, character {stray.at}{times}: {stray.text} ({stray.name}): {put}"
        if cost.strays:
            yield f"            {language}: {cost.parts} parts with them, {cost.parts_then} without"
        if cost.over:
            yield f"border      {language}: its last {cost.over} characters make part {cost.parts}"
    yield f"parts       {_money(found, found.parts)}"
    yield f"begins      {found.start.astimezone(zone):%Y-%m-%d %H:%M}, if it is approved by then"
    night = " (with a night between: nothing is sent then)" if found.sleeps else ""
    yield f"ends        about {found.ends.astimezone(zone):%Y-%m-%d %H:%M}{night}"
    if found.paused:
        yield f"pause       {found.paused[0]} to {found.paused[1]}: nothing of this kind leaves before its end"


def _money(found: Preview, parts: int) -> str:
    cost = f", {found.cost_of(parts):.2f}" if found.price else ""
    return f"{parts} part{'s' * (parts != 1)}{cost}"


_HEADINGS = ", ".join(f"[{language}]" for language in LANGUAGES)
