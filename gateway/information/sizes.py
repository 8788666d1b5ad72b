"""How long a page is on a phone: the screens that a caller turns, the parts that one SMS takes.

At most four screens: with the way to them a call has no time for more (DOMAIN.md, The shortest way). At most three
parts: each time that somebody asks costs the programme so much, and old phones show longer ones in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.config import Language
from gateway.menus.information import told
from gateway.menus.screens import Choose, lay_out
from gateway.menus.wording import render
from gateway.text import USSD, Segments, in_gsm7, plain, segments

MOST_SCREENS = 4
MOST_PARTS = 3
LONGEST = 2000
"""Signs of a text that are laid out at all."""
_FAR = MOST_SCREENS * USSD.septets
"""No text of more signs fits."""


@dataclass(frozen=True)
class Size:
    """A page in one language."""

    screens: tuple[str, ...]
    """As phones show them by USSD."""
    sms: Segments
    over: int
    """So many signs its text is too long; 0 when it fits."""

    @property
    def fits(self) -> bool:
        """Whether it may be kept."""
        return self.over == 0


def size(language: Language, title: str, body: str, source: str) -> Size:
    """What a page takes. Each text is in the language, and no longer than LONGEST."""
    if language != "km":
        title, body, source = (in_gsm7(text) for text in (title, body, source))

    def page(text: str) -> tuple[tuple[str, ...], Segments]:
        words = told(title, text, source)
        shown = lay_out(Choose(words, ()), language, USSD, first=False)
        return tuple(screen.text for screen in shown), segments(plain(render(words, language)))

    def is_good(text: str) -> bool:
        screens, sms = page(text)
        return len(screens) <= MOST_SCREENS and sms.parts <= MOST_PARTS

    screens, sms = page(body)
    fits = len(screens) <= MOST_SCREENS and sms.parts <= MOST_PARTS
    return Size(screens, sms, 0 if fits else len(body) - _longest_head(body, is_good))


def _longest_head(text: str, is_good: Callable[[str], bool]) -> int:
    """How many signs of a text's beginning are good. Words that move to the next screen make it a sign or two less."""
    good, bad = 0, min(len(text), _FAR)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if is_good(text[:middle]) else (good, middle)
    return good
