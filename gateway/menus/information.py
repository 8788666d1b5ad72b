"""Information pages: in the menu, and by SMS, as a list or by a page's own word."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from gateway.menus.effects import Read
from gateway.menus.engine import End
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.screens import Choose, Option
from gateway.menus.shelf import EVERYWHERE, InfoPage, asked_for
from gateway.menus.visit import Commune, Visit
from gateway.menus.welcome import choose_commune

_ = Words

SHELVES: dict[str, Words] = {"about budget": _("Budget"), "about notice": _("Notices")}
"""Pages that stand together in the list whatever service they are about."""
MOST_WORDS = 6
"""Words that are named to who sent another: a long list would hardly be read."""


def told(title: Phrase, body: Phrase, source: Phrase) -> Words:
    """A whole page, as it stands on phones. Its source is the last thing on it."""
    return _("{title}: {body} Source: {source}", title=title, body=body, source=source)


def browse(visit: Visit, commune: str) -> Generator[Any, str, End]:
    """The pages that somebody of a commune may read, by what they are about; then the one that was chosen."""
    pages = visit.information(commune)
    if not pages:
        return End(_("There is no information page yet."))
    shelves: dict[str, list[InfoPage]] = {}
    for page in pages:
        shelves.setdefault(_shelf(page), []).append(page)
    if len(shelves) > 1:
        labels = {shelf: _label(visit, shelf, there) for shelf, there in shelves.items()}
        order = sorted(shelves, key=lambda shelf: _place(visit, shelf))
        chosen = yield Choose(_("Information:"), tuple(Option(shelf, labels[shelf]) for shelf in order))
        pages = shelves[chosen]
    return (yield from _choose(visit, pages))


def ask(visit: Visit) -> Generator[Any, str, End]:
    """What INFO asks for. Who has no commune yet names it for this once, where it matters."""
    commune, word = visit.commune, visit.facts.word
    pages = visit.information(commune.code if commune else EVERYWHERE)
    if commune is None and not (word and asked_for(pages, word)):
        shelf = visit.programme.shelf
        if shelf.knows(word) if word else shelf.has_local_pages:
            named: Commune = yield from choose_commune(visit)
            commune, pages = named, visit.information(named.code)
    if not word:
        return (yield from browse(visit, commune.code if commune else EVERYWHERE))
    page = asked_for(pages, word)
    if page is None:
        return End(_no_such(pages))
    return (yield from _show(visit, page))


def _choose(visit: Visit, pages: Sequence[InfoPage]) -> Generator[Any, str, End]:
    by_id = {str(page.id): page for page in pages}
    chosen, *others = by_id
    if others:
        chosen = yield Choose(_("Information:"), tuple(Option(key, page.title) for key, page in by_id.items()))
    return (yield from _show(visit, by_id[chosen]))


def _show(visit: Visit, page: InfoPage) -> Generator[Any, str, End]:
    """The page. By SMS whole, since each `9` would cost its reader an SMS; on USSD screen by screen."""
    yield Read(page.id)
    text = told(page.title, page.body, page.source)
    if visit.facts.channel == "ussd":
        yield Choose(text, ())
    return End(text)


def _shelf(page: InfoPage) -> str:
    """Where a page stands in the list: with its kind, with its service, or alone."""
    kind = f"about {page.about}"
    return kind if kind in SHELVES else page.service or f"page {page.id}"


def _label(visit: Visit, shelf: str, pages: Sequence[InfoPage]) -> Phrase:
    service = visit.programme.service(shelf)
    if len(pages) > 1 and (name := SHELVES.get(shelf) or (service and service.name)):
        return name
    return pages[0].title


def _place(visit: Visit, shelf: str) -> int:
    """Services first, by their numbers; then pages about none; then what is bought and spent."""
    if shelf in SHELVES:
        return 200 + list(SHELVES).index(shelf)
    service = visit.programme.service(shelf)
    return service.number if service else 100


def _no_such(pages: Sequence[InfoPage]) -> Words:
    """What can be asked for: a word a page, in the reader's language or else in one that their phone can show."""
    words = [tuple(ones[0] if ones else "" for ones in page.words) for page in pages]
    named = (
        [km or latn or en for km, latn, en in words],
        [latn or en for km, latn, en in words],
        [en or latn for km, latn, en in words],
    )
    each = [", ".join([one for one in dict.fromkeys(column) if one][:MOST_WORDS]) for column in named]
    if not all(each):
        return _("There is no page of that name. For the list send INFO.")
    return _("There is no page of that name. Send INFO and one of: {words}", words=Name(*each))
