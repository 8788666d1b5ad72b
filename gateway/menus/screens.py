"""A question fitted to the channel: its text and options on as few screens as its limit allows.

Options are printed `1 Label`, one a line. `0` and `9` are never an option (CONTRACT.md, Villagers' inputs).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway import text
from gateway.menus.phrases import Phrase, Words
from gateway.menus.wording import render

_ = Words

BACK, MORE = "0", "9"
LOCAL_KEYS = "12345678"


@dataclass(frozen=True)
class Option:
    """An answer to choose: the value that the transcript keeps, and its label; one without a label is in the title.

    `key` fixes its digits (a service's number on a poster); without one it is numbered as it stands on its page.
    An `implied` option may go unprinted where room is short, as 2 and 4 on a scale from 1 to 5.
    """

    value: str
    label: Phrase
    key: str | None = None
    implied: bool = False


@dataclass(frozen=True)
class Choose:
    """A question: shown with its options, answered with the value of one of them."""

    title: Phrase
    options: tuple[Option, ...]
    leaves: bool = False
    """`0` leaves here, as on the first screen: what was answered before is not gone back to."""
    shorter: Phrase | None = None
    """The title where the other one has no room on one screen."""
    _laid_out: dict[tuple[str, text.Limit, bool], list[Page]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def pages(self, language: str, limit: text.Limit, first: bool) -> list[Page]:
        """As `lay_out` makes them, once: a question that flows keep is laid out for thousands of calls."""
        key = (language, limit, first)
        found = self._laid_out.get(key)
        if found is None:
            found = self._laid_out[key] = lay_out(self, language, limit, first)
        return found


@dataclass(frozen=True)
class Page:
    """One screen: what it shows, and which value each digit on it stands for."""

    text: str
    keys: dict[str, str]


def lay_out(question: Choose, language: str, limit: text.Limit, first: bool) -> list[Page]:
    """A question as pages that fit the limit. `first`: there is nothing to go back to, `0` leaves."""
    titles = [text.plain(render(one, language)) for one in (question.title, question.shorter) if one]
    lines = [(option, text.plain(render(option.label, language))) for option in question.options]
    back = f"{BACK} {render(_('Leave') if first else _('Back'), language)}"
    printed = [f"{option.key or number} {label}" if label else "" for number, (option, label) in enumerate(lines, 1)]
    keys = {option.key or str(number): option.value for number, (option, _label) in enumerate(lines, 1)}
    fixed = {option.key: option.value for option in question.options if option.key}
    if all(option.key or number <= len(LOCAL_KEYS) for number, (option, _label) in enumerate(lines, 1)):
        brief = [line for line, (option, _label) in zip(printed, lines, strict=True) if not option.implied]
        for title, shown in itertools.product(titles, ([*printed, back], printed, [*brief, back], brief)):
            screen = _joined(title, *shown)
            if text.fits(screen, limit):
                return [Page(screen, keys)]
    title = titles[-1]
    backs = _Backs(back, f"{BACK} {render(_('Back'), language)}")
    more = f"{MORE} {render(_('More'), language)}"
    if len(fixed) == len(question.options):
        below = _joined(*printed, more, backs.longest)
        room = _less(limit, below, title)
        if 2 * room.units >= limit.units:  # a long text with few answers: they stand below each page of it
            chunks = text.pages(title, room)
            return [Page(_joined(chunk, *printed, more, backs.on(page)), keys) for page, chunk in enumerate(chunks)]
    return _paged(title, [line for line in lines if line[1]], fixed, backs, more, limit)


@dataclass(frozen=True)
class _Backs:
    """What `0` does: on the first page it may leave, on the others it goes back one."""

    first: str
    others: str

    def on(self, page: int) -> str:
        return self.others if page else self.first

    @property
    def longest(self) -> str:
        return max(self.first, self.others, key=len)


def _paged(
    title: str, lines: Sequence[tuple[Option, str]], fixed: dict[str, str], backs: _Backs, more: str, limit: text.Limit
) -> list[Page]:
    """The title again on each page where it is short; a long one stands once, before the options."""
    pages: list[Page] = []
    head = again = title
    if not text.fits(title * 3, limit):
        chunks = text.pages(title, _less(limit, _joined("", more, backs.longest), title))
        pages = [Page(_joined(chunk, more, backs.on(page)), dict(fixed)) for page, chunk in enumerate(chunks)]
        if not lines:
            return pages
        head = again = ""
        first = f"{lines[0][0].key or 1} {lines[0][1]}"
        if text.fits(_joined(chunks[-1], first, more, backs.on(len(pages) - 1)), limit):
            pages, head = pages[:-1], chunks[-1]
    shown: list[str] = []
    keys = dict(fixed)
    local = 0
    for option, label in lines:
        room = _less(limit, _joined(head, more), head + label)
        key = option.key or str(local + 1)
        line = text.cut(f"{key} {label}", room)[0]
        if shown and (not text.fits(_joined(head, *shown, line, more), limit) or local >= len(LOCAL_KEYS)):
            pages.append(_with_back(head, shown, more, backs.on(len(pages)), keys, limit))
            shown, keys, local, head = [], dict(fixed), 0, again
            room = _less(limit, _joined(head, more), head + label)
            key = option.key or "1"
            line = text.cut(f"{key} {label}", room)[0]
        shown.append(line)
        keys[key] = option.value
        local += 1
    pages.append(_with_back(head, shown, more if pages else "", backs.on(len(pages)), keys, limit))
    return pages


def _with_back(head: str, shown: list[str], more: str, back: str, keys: dict[str, str], limit: text.Limit) -> Page:
    screen = _joined(head, *shown, more, back)
    return Page(screen if text.fits(screen, limit) else _joined(head, *shown, more), keys)


def _joined(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _less(limit: text.Limit, taken: str, beside: str) -> text.Limit:
    """What a limit leaves beside a text that is already on the screen, with a line break between."""
    unicode = not text.is_gsm7(taken + beside)
    cost = (text.units(taken) if unicode else text.septets(taken)) + 1
    return text.Limit(limit.units - cost if unicode else limit.septets - cost, limit.units - cost)
