"""What a broadcast would do: who gets it, in how many parts, at what cost, until when, and what stands against it.

Counted from the very messages that would be written, so that it is what will be sent.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.bulk import hours, placeholders, strays
from gateway.bulk.complaints import Complaint, Values, Wrong
from gateway.bulk.letters import (
    Addressed,
    Audience,
    Recipient,
    Said,
    Size,
    Texts,
    composer,
    count_stopped,
    recipients_of,
    worded_in,
)
from gateway.config import LANGUAGES, Language, Settings
from gateway.models.installation import pause
from gateway.models.messages import PAUSED, Kind
from gateway.routing import chooser
from gateway.text import Segments, plain
from gateway.workers.policy import QUIET_FROM, QUIET_TO

MOST_PARTS = 10
"""No text is longer: it would hardly be read, and phone companies cut longer ones."""
LASTS = timedelta(days=3)
"""So long after its start a message is still sent, where nothing else was said."""


@dataclass(frozen=True)
class Plan:
    """A broadcast that is being planned. No `start`: at once; no `expires`: `LASTS` after it can leave."""

    kind: Kind
    title: str
    texts: Texts
    audience: Audience
    start: datetime | None = None
    expires: datetime | None = None


@dataclass
class Share:
    """The recipients of one language, or of one phone company."""

    recipients: int = 0
    parts: int = 0
    encodings: Counter[str] = field(default_factory=Counter)
    """Messages by alphabet; kept of languages, as are the shortest and the longest message."""
    shortest: Said | None = None
    longest: Said | None = None

    def count(self, size: Segments) -> None:
        """Counts one message in."""
        self.recipients += 1
        self.parts += size.parts

    def add(self, said: Said) -> None:
        """Counts one message in, and looks at it."""
        size = said[1]
        self.count(size)
        self.encodings[size.encoding] += 1
        if self.longest is None or self.shortest is None:
            self.longest = self.shortest = said
        elif size is not self.longest[1]:
            self.longest = max(self.longest, said, key=_room)
            self.shortest = min(self.shortest, said, key=_room)


@dataclass(frozen=True)
class Preview:
    """What would happen if it were approved now."""

    recipients: int
    parts: int
    price: float
    """A part."""
    stopped: int
    """Left out: they asked for no more messages."""
    languages: Mapping[Language, Share]
    """By the language of the recipients."""
    worded: Mapping[Language, Language]
    """The language of the text that those of a language get."""
    routes: Mapping[tuple[str, str], Share]
    """By phone company (empty: not known) and provider."""
    costs: Mapping[Language, strays.Cost]
    """By the language of the text, as somebody invented would read it."""
    saved: Mapping[Language, int]
    """Parts that the cheaper text of a language would save."""
    start: datetime
    expires: datetime
    ends: datetime
    seconds: float
    paused: tuple[date, date] | None
    """The pause that keeps it back at first."""
    complaints: tuple[Complaint, ...]

    @property
    def size(self) -> Size:
        """Recipients and parts."""
        return Size(self.recipients, self.parts)

    @property
    def cost(self) -> float:
        """Of all parts."""
        return self.parts * self.price

    @property
    def sleeps(self) -> bool:
        """Whether the quiet hours begin before it is through."""
        return self.ends.date() > self.start.date()

    def cost_of(self, parts: int) -> float:
        """Of so many parts."""
        return parts * self.price


def cost_of(language: Language, text: str) -> strays.Cost:
    """What a text costs as it would be read by somebody invented."""
    return strays.cost(text, lambda text: placeholders.fill(text, placeholders.EXAMPLES[language]))


def tidy(texts: Mapping[Any, str]) -> dict[Language, str]:
    """Texts as they are kept: without space around, tabs as spaces, one kind of line end, none that says nothing."""
    cleaned = {one: texts.get(one, "").replace("\r\n", "\n").replace("\t", " ").strip() for one in LANGUAGES}
    return {language: text for language, text in cleaned.items() if plain(text).strip()}


def preview(db: Connection, settings: Settings, plan: Plan, now: datetime) -> tuple[Preview, list[Addressed]]:
    """What a plan would do now, and what it would say to whom."""
    people = recipients_of(db, plan.audience, settings)
    counts = _Counts(db, settings, plan, people, now)
    kept = pause(db) if plan.kind in PAUSED else None
    start = hours.next_possible(plan.start or now, settings.zone, kept)
    found = Preview(
        recipients=len(people),
        parts=sum(share.parts for share in counts.languages.values()),
        price=settings.price_per_segment,
        stopped=count_stopped(db, plan.audience),
        languages={one: counts.languages[one] for one in LANGUAGES if one in counts.languages},
        worded=counts.worded,
        routes=counts.routes,
        costs=counts.costs,
        saved=counts.saved,
        start=start,
        expires=plan.expires or start + LASTS,
        ends=hours.until(start, counts.seconds, settings.zone, kept),
        seconds=counts.seconds,
        paused=kept if start > hours.next_possible(plan.start or now, settings.zone) else None,
        complaints=(),
    )
    complaints = (*_of_the_words(plan, found, counts.lacking), *_of_the_time(plan, found, settings, now))
    return replace(found, complaints=complaints), counts.addressed


class _Counts:
    """The messages of a plan, written and counted, but kept nowhere."""

    def __init__(
        self, db: Connection, settings: Settings, plan: Plan, people: Sequence[Recipient], now: datetime
    ) -> None:
        self.languages: dict[Language, Share] = defaultdict(Share)
        self.routes: dict[tuple[str, str], Share] = defaultdict(Share)
        self.lacking: Counter[tuple[Language, str]] = Counter()
        """Recipients without a value, by the language of their text and the placeholder."""
        self.worded = {one: worded_in(plan.texts, one, settings) for one in LANGUAGES}
        self.costs = {language: cost_of(language, text) for language, text in plan.texts.items()}
        provider = functools.cache(chooser(db, settings, now))
        said = composer(plan.texts, settings)
        self.addressed: list[Addressed] = [(one, said(one)) for one in people]
        needed = {one: placeholders.needed(text) for one, text in plan.texts.items()}
        for one, message in self.addressed:
            text_language = self.worded[one.language]
            self.languages[one.language].add(message)
            self.routes[one.operator or "", provider(one.operator, None)].count(message[1])
            if names := needed.get(text_language):
                values = one.values(text_language)
                self.lacking.update((text_language, name) for name in names if not values.get(name))
        self.saved = dict(self._saved(settings, plan, people))
        self.seconds = self._seconds(settings)

    def _saved(self, settings: Settings, plan: Plan, people: Sequence[Recipient]) -> Iterator[tuple[Language, int]]:
        for language, cost in self.costs.items():
            if cost.cheaper:
                said = composer({language: cost.cheaper}, settings)
                theirs = [one for one in people if self.worded[one.language] == language]
                before = sum(share.parts for one, share in self.languages.items() if self.worded[one] == language)
                yield language, before - sum(said(one)[1].parts for one in theirs)

    def _seconds(self, settings: Settings) -> float:
        parts: Counter[str] = Counter()
        for (_, provider), share in self.routes.items():
            parts[provider] += share.parts
        return max((count / getattr(settings, f"{provider}_rate") for provider, count in parts.items()), default=0.0)


def _of_the_words(plan: Plan, found: Preview, lacking: Counter[tuple[Language, str]]) -> Iterator[Complaint]:
    if not plan.title.strip():
        yield Complaint(Wrong.NO_TITLE, about="title")
    if not plan.texts:
        yield Complaint(Wrong.NO_TEXT)
    if plan.audience == Audience():
        yield Complaint(Wrong.NO_AUDIENCE, about="audience")
    elif not found.recipients:
        yield Complaint(Wrong.NOBODY, about="audience")
    known = " ".join(f"{{{name}}}" for name in placeholders.KNOWN)
    for language, text in sorted(plan.texts.items(), key=lambda text: LANGUAGES.index(text[0])):
        for strange in dict.fromkeys(placeholders.unknown(text)):
            yield Complaint(Wrong.UNKNOWN, {"placeholder": strange, "known": known}, language=language)
        if brace := placeholders.loose_brace(text):
            yield Complaint(Wrong.LOOSE_BRACE, {"brace": brace, "example": "{name}"}, language=language)
        for name in placeholders.KNOWN:
            if count := lacking[language, name]:
                example = f"{{{name}|{_STAND_IN[name]}}}"
                values: Values = {"n": count, "placeholder": f"{{{name}}}", "example": example}
                yield Complaint(Wrong.NO_VALUE, values, language=language)
        theirs = (share.longest for one, share in found.languages.items() if found.worded[one] == language)
        parts = max((longest[1].parts for longest in theirs if longest), default=found.costs[language].parts)
        if parts > MOST_PARTS:
            yield Complaint(Wrong.TOO_LONG, {"parts": parts, "most": MOST_PARTS}, language=language)


def _of_the_time(plan: Plan, found: Preview, settings: Settings, now: datetime) -> Iterator[Complaint]:
    offered = hours.offered(now, settings.zone)
    if plan.start and plan.start < now.replace(second=0, microsecond=0):
        yield Complaint(Wrong.PAST, {"next": offered}, about="start")
    elif plan.start and (possible := hours.next_possible(plan.start, settings.zone)) != plan.start:
        values: Values = {"evening": QUIET_FROM, "morning": QUIET_TO, "next": possible}
        yield Complaint(Wrong.QUIET, values, about="start")
    if found.expires <= found.start:
        wrong = Wrong.PAUSED if found.paused else Wrong.EXPIRES_FIRST
        yield Complaint(wrong, {"start": found.start}, about="expires")
    elif found.ends > found.expires:
        yield Complaint(Wrong.TOO_SLOW, {"end": found.ends, "expires": found.expires}, about="expires")


def _room(said: Said) -> tuple[int, int]:
    """By what messages are longer or shorter: parts, then what they fill."""
    return said[1].parts, said[1].length


_STAND_IN = {"name": "neighbour", "commune": "your commune", "address": "your place"}
