"""The information pages of an edition: fees, hours, papers, budgets, notices. Read when somebody asks for them.

A country's budgets are megabytes: an edition has the pages of each commune as one text, and only those of the commune
that is asked about are taken apart.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.menus.phrases import Name
from gateway.text import fold, in_gsm7

EVERYWHERE = ""
"""Stands for all communes, where a commune's code stands."""


@dataclass(frozen=True)
class InfoPage:
    """An information page; `words` by which it is asked for, in the order of the languages."""

    id: int
    commune: str
    """EVERYWHERE: it is for all."""
    service: str | None
    about: str
    title: Name
    body: Name
    source: Name
    words: tuple[tuple[str, ...], ...]
    valid_from: date
    valid_until: date | None
    """Its last day."""

    def is_valid(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def is_asked_for(self, word: str) -> bool:
        """Whether a word, folded, is one of its own; in whatever language."""
        return any(fold(one) == word for ones in self.words for one in ones)


class Shelf:
    """The pages of an edition."""

    def __init__(self, texts: Mapping[str, str], words: Iterable[str] = ()) -> None:
        """`texts`: by commune, its pages as JSON; `words`: all by which any page is asked for, folded."""
        self._texts = texts
        self._words = frozenset(words)
        self._of = functools.lru_cache(maxsize=64)(self._read)

    @property
    def has_local_pages(self) -> bool:
        """Whether any commune has a page of its own."""
        return any(commune != EVERYWHERE for commune in self._texts)

    def knows(self, word: str) -> bool:
        """Whether a page of any commune is asked for by a word, folded."""
        return word in self._words

    def pages(self, commune: str, day: date) -> list[InfoPage]:
        """What somebody of a commune may read on a day: the commune's own pages first, then those for all."""
        codes = dict.fromkeys((commune, EVERYWHERE))
        return [page for code in codes for page in self._of(code) if page.is_valid(day)]

    def _read(self, code: str) -> tuple[InfoPage, ...]:
        return tuple(_page(code, *row) for row in json.loads(self._texts.get(code, "[]")))


def _page(
    commune: str, id_: int, service: str | None, about: str, texts: Sequence[Sequence[str]],
    words: Sequence[Sequence[str]], first: str, last: str | None,
) -> InfoPage:  # fmt: skip
    """A page as an edition has it."""
    title, body, source = (Name(km, in_gsm7(latn), in_gsm7(en)) for km, latn, en in texts)
    days = (date.fromisoformat(first), date.fromisoformat(last) if last else None)
    return InfoPage(id_, commune, service, about, title, body, source, tuple(map(tuple, words)), *days)


def asked_for(pages: Iterable[InfoPage], word: str) -> InfoPage | None:
    """The page that a word, folded, means: of several the first, so that a commune's own goes before one for all."""
    return next((page for page in pages if page.is_asked_for(word)), None)
