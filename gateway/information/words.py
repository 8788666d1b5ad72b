"""The words by which pages are asked for by SMS: a few in each language, which mean nothing else."""

from __future__ import annotations

import enum
import re
import unicodedata

from gateway.menus.keywords import Said, page_word, understand
from gateway.text import fold, plain

MOST = 5
"""Words of a page in one language."""
SHORTEST, LONGEST = 2, 20
"""Signs of a word."""


class Flaw(enum.Enum):
    """What can be wrong with a word."""

    DIGITS = enum.auto()
    LETTERS = enum.auto()
    LENGTH = enum.auto()
    RESERVED = enum.auto()


def listed(typed: str) -> tuple[str, ...]:
    """The words that somebody typed with commas between, each once."""
    words = (" ".join(plain(one).split()) for one in re.split(r"[,;،\n]", typed))
    return tuple({fold(word): word for word in words if word}.values())


def flaw_of(word: str) -> Flaw | None:
    """Why a word cannot be one; None when it can.

    It may be of several words. None begins as a keyword does: `stop fees` would stop.
    """
    kinds = {unicodedata.category(char)[0] for char in word if char not in " \u200b\u200c\u200d"}
    if "N" in kinds:
        return Flaw.DIGITS
    if not kinds <= {"L", "M"}:
        return Flaw.LETTERS
    folded = fold(word)
    if not SHORTEST <= len(folded) <= LONGEST:
        return Flaw.LENGTH
    if understand(folded) != Said() or page_word(folded) != folded:
        return Flaw.RESERVED
    return None
