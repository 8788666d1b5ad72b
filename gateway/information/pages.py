"""Information pages as staff write them: fees, hours, papers, budgets, notices; for a commune or for all.

Every change is published as an edition, so that a talk that goes on keeps what it began with. A page that phones have
no room for is refused, with how much it is too long.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select, update

from gateway.config import LANGUAGES, Language
from gateway.information import sizes, words
from gateway.information.made import Figures, Texts, as_kept, everywhere, from_kept
from gateway.information.sizes import LONGEST, MOST_PARTS, MOST_SCREENS, Size, size
from gateway.models.editions import publish
from gateway.models.information import About, information, words_of
from gateway.scorecard.rated import clean
from gateway.text import fold, in_gsm7, is_gsm7, units

TITLE: Mapping[Language, int] = {"km": 26, "km-Latn": 48, "en": 48}
"""Signs of a title: two stand on one screen of the menu's list."""
SOURCE: Mapping[Language, int] = {"km": 40, "km-Latn": 70, "en": 70}
"""Signs of a source."""


class Standing(enum.StrEnum):
    """How it is with a page on a day."""

    VALID = "valid"
    TO_COME = "to come"
    OVER = "over"
    ARCHIVED = "archived"


class Flaw(enum.Enum):
    """What can be wrong with a page; of a word: `words.Flaw`."""

    MISSING = enum.auto()
    SCRIPT = enum.auto()
    TITLE = enum.auto()
    SOURCE = enum.auto()
    LONG = enum.auto()
    SCREENS = enum.auto()
    PARTS = enum.auto()
    MANY_WORDS = enum.auto()
    TAKEN = enum.auto()
    NO_COMMUNE = enum.auto()
    ENDS_FIRST = enum.auto()


@dataclass(frozen=True)
class Fault:
    """A flaw with the values that its sentence needs."""

    flaw: Flaw | words.Flaw
    values: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A page that is not kept; `faults` by field: `title-km`, `body-en`, `words-km`, `commune`, `valid_until`."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        super().__init__(", ".join(f"{name}: {fault.flaw.name}" for name, fault in faults.items()))
        self.faults = faults


@dataclass(frozen=True)
class Page:
    """A page. The texts of a budget or a notice are made from its figures (`gateway.information.made`)."""

    about: About
    title: Texts
    body: Texts
    source: Texts
    """By language; where one was left empty another stands in."""
    valid_from: date
    valid_until: date | None = None
    """Its last day."""
    commune: str | None = None
    """None: for all."""
    service: str | None = None
    words: Mapping[Language, tuple[str, ...]] = field(default_factory=dict)
    figures: Figures | None = None
    archived: bool = False
    id: int = 0
    changed: datetime | None = None

    def standing(self, day: date) -> Standing:
        """How it is with it on a day."""
        if self.archived:
            return Standing.ARCHIVED
        if day < self.valid_from:
            return Standing.TO_COME
        return Standing.VALID if self.valid_until is None or day <= self.valid_until else Standing.OVER

    def size(self, language: Language) -> Size:
        """What it takes on a phone; of a text that is far too long, its beginning."""
        source = everywhere(self.source)[language]
        return size(language, *(text[:LONGEST] for text in (self.title[language], self.body[language], source)))


@dataclass(frozen=True)
class Wanted:
    """Which pages a list shows."""

    commune: str | None = None
    """"" for pages for all; None: any."""
    service: str | None = None
    about: About | None = None
    standing: Standing | None = None
    """None: whatever is not archived."""
    mine: frozenset[str] | None = None
    """The communes whose pages may be seen; None: every commune's, and those for all."""


# changes ------------------------------------------------------------------------------------------


def add(db: Connection, page: Page, author: int | None, now: datetime) -> int:
    """Adds a page and returns its id; that of the one that is there already where it is the same. Raises Refused."""
    columns = _columns(page)
    if there := _same(db, columns):
        return there
    _must_be_good(db, page)
    values = columns | {"author": author, "created": now, "changed": now}
    made = db.execute(information.insert().values(values)).inserted_primary_key
    assert made is not None
    publish(db, now)
    return int(made[0])


def edit(db: Connection, page: Page, now: datetime) -> None:
    """Keeps a page as it is now; who reads it just then reads on what they began. Raises Refused."""
    _must_be_good(db, page)
    db.execute(update(information).where(information.c.id == page.id).values(_columns(page) | {"changed": now}))
    publish(db, now)


def archive(db: Connection, page: Page, now: datetime, *, away: bool) -> None:
    """Takes a page out of the menus, or brings it back. Raises Refused where its words are another's by now."""
    if not away and (faults := dict(_taken(db, page))):
        raise Refused(faults)
    change = {"archived": away, "changed": now}
    db.execute(update(information).where(information.c.id == page.id).values(change))
    publish(db, now)


def faults_of(db: Connection, page: Page) -> dict[str, Fault]:
    """What is wrong with a page, by field."""
    faults: dict[str, Fault] = {}
    for name, fault in _of_the_words(db, page):
        faults.setdefault(name, fault)
    for language in LANGUAGES:
        faults |= dict(_of_the_texts(page, language))
    if page.about is About.BUDGET and page.commune is None:
        faults["commune"] = Fault(Flaw.NO_COMMUNE)
    if page.valid_until is not None and page.valid_until < page.valid_from:
        faults["valid_until"] = Fault(Flaw.ENDS_FIRST)
    return faults


# what is there ------------------------------------------------------------------------------------


def find(db: Connection, page_id: int) -> Page | None:
    """A page by its id."""
    row = db.execute(select(information).where(information.c.id == page_id)).first()
    return _page(row) if row else None


def listed(db: Connection, wanted: Wanted, day: date, first: int, most: int) -> list[Page]:
    """Pages of a list from the first on. Those for all come first, then those of each commune."""
    i = information.c
    order = (i.commune.is_not(None), i.commune, i.about, i.valid_from.desc(), i.id)
    rows = db.execute(select(information).where(*_which(wanted, day)).order_by(*order).offset(first).limit(most))
    return [_page(row) for row in rows]


def count(db: Connection, wanted: Wanted, day: date) -> int:
    """How many pages a list has."""
    return db.scalar(select(func.count()).select_from(information).where(*_which(wanted, day))) or 0


def by_id(db: Connection, ids: list[int]) -> dict[int, Page]:
    """Some pages."""
    return {row.id: _page(row) for row in db.execute(select(information).where(information.c.id.in_(ids)))}


def is_any(db: Connection, mine: frozenset[str] | None) -> bool:
    """Whether there is a page at all that somebody may see."""
    return db.execute(select(information.c.id).where(of(mine)).limit(1)).first() is not None


def of(mine: frozenset[str] | None) -> ColumnElement[bool]:
    """Which pages somebody may see who sees these communes alone; a page for all is of all communes."""
    return information.c.commune.in_(mine) if mine is not None else information.c.id.is_not(None)


# inside -------------------------------------------------------------------------------------------


def _must_be_good(db: Connection, page: Page) -> None:
    if faults := faults_of(db, page):
        raise Refused(faults)


def _of_the_words(db: Connection, page: Page) -> Iterator[tuple[str, Fault]]:
    yield from _taken(db, page)
    for language, ones in page.words.items():
        if len(ones) > words.MOST:
            yield f"words-{language}", Fault(Flaw.MANY_WORDS, {"most": str(words.MOST)})
        for word in ones:
            if flaw := words.flaw_of(word):
                yield f"words-{language}", Fault(flaw, {"word": word})


def _taken(db: Connection, page: Page) -> Iterator[tuple[str, Fault]]:
    """Words by which another page of the same commune, or for all, is asked for at the same time."""
    i = information.c
    here = i.commune.is_(None) if page.commune is None else i.commune == page.commune
    then = or_(i.valid_until.is_(None), i.valid_until >= page.valid_from)
    then &= i.valid_from <= page.valid_until if page.valid_until else i.id.is_not(None)
    others: dict[str, Row[Any]] = {}
    for row in db.execute(select(information).where(here, then, ~i.archived, i.id != page.id)):
        others |= {fold(word): row for ones in words_of(row).values() for word in ones}
    for language, ones in page.words.items():
        for word in ones:
            if other := others.get(fold(word)):
                title = json.loads(other.title)[language]
                yield f"words-{language}", Fault(Flaw.TAKEN, {"word": word, "title": title})


def _of_the_texts(page: Page, language: Language) -> Iterator[tuple[str, Fault]]:
    source = everywhere(page.source)[language]
    texts = {"title": page.title[language], "body": page.body[language], "source": source}
    good = True
    for name, text in texts.items():
        if fault := _of_one(name, text, language):
            good = False
            yield f"{name}-{language}", fault
    if not good:
        return
    taken = page.size(language)
    if not taken.fits:
        is_screens = len(taken.screens) > MOST_SCREENS
        n, most = (len(taken.screens), MOST_SCREENS) if is_screens else (taken.sms.parts, MOST_PARTS)
        values = {"n": str(n), "most": str(most), "over": str(taken.over)}
        yield f"body-{language}", Fault(Flaw.SCREENS if is_screens else Flaw.PARTS, values)


def _of_one(name: str, text: str, language: Language) -> Fault | None:
    if not text:
        return Fault(Flaw.MISSING)
    shown = text if language == "km" else in_gsm7(text)
    if language != "km" and not is_gsm7(shown):
        return Fault(Flaw.SCRIPT)
    most = {"title": TITLE, "source": SOURCE}.get(name)
    if most and units(shown) > most[language]:
        flaw = Flaw.TITLE if name == "title" else Flaw.SOURCE
        return Fault(flaw, {"over": str(units(shown) - most[language])})
    return Fault(Flaw.LONG, {"most": str(sizes.LONGEST)}) if len(text) > sizes.LONGEST else None


def _which(wanted: Wanted, day: date) -> Iterator[ColumnElement[bool]]:
    i = information.c
    yield i.archived if wanted.standing is Standing.ARCHIVED else ~i.archived
    yield of(wanted.mine)
    if wanted.commune is not None:
        yield i.commune == wanted.commune if wanted.commune else i.commune.is_(None)
    if wanted.service is not None:
        yield i.service_id == wanted.service
    if wanted.about is not None:
        yield i.about == wanted.about
    if wanted.standing is Standing.TO_COME:
        yield i.valid_from > day
    elif wanted.standing is Standing.OVER:
        yield i.valid_until < day
    elif wanted.standing is Standing.VALID:
        yield i.valid_from <= day
        yield or_(i.valid_until.is_(None), i.valid_until >= day)


def _same(db: Connection, columns: Mapping[str, Any]) -> int | None:
    """A page that says the same: a form that was sent twice makes one."""
    found = select(information.c.id).where(*(information.c[name] == value for name, value in columns.items()))
    return db.scalar(found.order_by(information.c.id).limit(1))


def _columns(page: Page) -> dict[str, Any]:
    kept = {one: clean(text) for one, text in page.source.items() if clean(text)}
    figures = as_kept(page.figures) if page.figures else None
    return {
        "commune": page.commune, "service_id": page.service, "about": page.about, "words": _json(page.words),
        "title": _json(page.title), "body": _json(page.body), "source": _json(kept),
        "figures": _json(figures) if figures else None,
        "valid_from": page.valid_from, "valid_until": page.valid_until, "archived": page.archived,
    }  # fmt: skip


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _page(row: Row[Any]) -> Page:
    title, body = ({one: json.loads(texts).get(one, "") for one in LANGUAGES} for texts in (row.title, row.body))
    return Page(
        id=row.id, commune=row.commune, service=row.service_id, about=About(row.about), title=title, body=body,
        source=json.loads(row.source), archived=row.archived, changed=row.changed,
        words={one: tuple(ones) for one, ones in words_of(row).items()},
        figures=from_kept(json.loads(row.figures)) if row.figures else None,
        valid_from=row.valid_from, valid_until=row.valid_until,
    )  # fmt: skip
