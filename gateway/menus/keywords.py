"""What an SMS says: a keyword in one of three scripts, numbers, or neither.

Source: CONTRACT.md, Villagers' inputs; the stop words are those of WIRE.md (Twilio) and of operators here (ON, OFF).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from gateway.text import fold, western_digits


class Keyword(enum.Enum):
    """What can be asked for by a word."""

    RATE = enum.auto()
    FORUM = enum.auto()
    INFO = enum.auto()
    LANG = enum.auto()
    HELP = enum.auto()
    STOP = enum.auto()
    START = enum.auto()
    COMMENT = enum.auto()
    """With one's own words after it: `told` has them."""
    RECORD = enum.auto()
    """What a volunteer sends; from others it is no keyword."""


WORDS: dict[Keyword, str] = {
    Keyword.RATE: "rate, vote, វាយតម្លៃ, vay tamlai, vaytamlai",
    Keyword.FORUM: "forum, វេទិកា, vetika",
    Keyword.INFO: "info, information, ព័ត៌មាន, ពត៌មាន, pormean, porkamean",
    Keyword.LANG: "lang, language, ភាសា, pheasa",
    Keyword.HELP: "help, ជំនួយ, chumnuoy, ជួយ, chuoy",
    Keyword.STOP: "stop, off, ឈប់, chhop, បិទ, bet, unsubscribe, end, quit, stopall, revoke, optout, cancel",
    Keyword.START: "start, on, unstop, បើក, baek, ចាប់ផ្តើម, chap phdaem",
    Keyword.COMMENT: "comment, comments, មតិ, mati, យោបល់, yobol",
    Keyword.RECORD: "r, record, កត់, kot",
}
"""Each keyword in English, Khmer and Khmer in Latin letters. The Khmer is to be checked by a native speaker."""

_BY_WORD = {fold(word): keyword for keyword, words in WORDS.items() for word in words.split(",")}
_WITH_NUMBERS = (Keyword.RATE,)
_FIRST_WORD_IS_ENOUGH = (
    Keyword.RATE, Keyword.STOP, Keyword.INFO, Keyword.FORUM, Keyword.LANG, Keyword.HELP, Keyword.COMMENT,
)  # fmt: skip
_STUCK = re.compile(r"r(\d+)")
"""A volunteer's R without the space after it."""
_ONLY_ALONE = {"off", "end", "quit", "cancel", "bet", "on", "vote"}
"""Words that begin an ordinary sentence as well: they count only when they stand alone."""
_COMMENT = sorted({fold(word) for word in WORDS[Keyword.COMMENT].split(",")}, key=len, reverse=True)
_BEGINS_A_COMMENT = re.compile(f"({'|'.join(_COMMENT)})(?=[\\d\u1780-\u17b3])")
"""The word with what follows at its heels, as Khmer is written: មតិ2, មតិគិលានុបដ្ឋាក."""
_FARTHEST = 64
"""Characters within which a comment's keyword ends, with all that stands around it."""
_A_SERVICE = re.compile(r"[\W_]*(\d{1,2})(?!\d)[\W_]*")
MOST_NUMBERS = 4
MOST_ON_A_CARD = 21
"""Ten services, each with its score, and who."""


@dataclass(frozen=True)
class Said:
    """An SMS, understood: at most four numbers (on a card more) of one to four digits, with or after a keyword."""

    keyword: Keyword | None = None
    numbers: tuple[str, ...] = ()


def understand(text: str) -> Said:
    """What an SMS says, whatever its case, script, spaces and punctuation."""
    folded = fold(text)
    if not folded:
        return Said()
    if (alone := _BY_WORD.get(folded)) is not None:
        return Said(alone)
    words = folded.split(" ")
    if stuck := _STUCK.fullmatch(words[0]):
        words[:1] = ["r", stuck[1]]
    if (numbers := _numbers(words)) is not None:
        return Said(numbers=numbers)
    if _BEGINS_A_COMMENT.match(folded):
        return Said(Keyword.COMMENT)
    for length in (2, 1):
        first = " ".join(words[:length])
        keyword = _BY_WORD.get(first)
        if keyword is None or len(words) <= length:
            continue
        if keyword is Keyword.RECORD:
            return Said(keyword, _numbers(words[length:], MOST_ON_A_CARD) or ())
        numbers = _numbers(words[length:])
        if keyword in _WITH_NUMBERS and numbers is not None:
            return Said(keyword, numbers)
        if keyword in _FIRST_WORD_IS_ENOUGH and first not in _ONLY_ALONE:
            return Said(keyword)
    return Said()


def _numbers(words: list[str], most: int = MOST_NUMBERS) -> tuple[str, ...] | None:
    if 0 < len(words) <= most and all(word.isdecimal() and len(word) <= 4 for word in words):
        return tuple(words)
    return None


def told(text: str) -> tuple[str | None, str]:
    """Of an SMS that is a comment: the number that its words begin with, and the words as written after it.

    The number may be a service's; where it is none, it is one of the words.
    """
    rest = text[_end_of_keyword(text) :]
    if found := _A_SERVICE.match(rest):
        return western_digits(found[1]), rest[found.end() :].strip()
    return None, rest.strip()


def _end_of_keyword(text: str) -> int:
    """Where the words begin: after the longest beginning that is the keyword, whatever spaces and signs are in it."""
    ends = [end for end in range(1, min(len(text), _FARTHEST) + 1) if fold(text[:end]) in _COMMENT]
    return max(ends, default=0)


def page_word(text: str) -> str:
    """The word of an information page, folded: what stands after INFO, or the whole of an SMS without it."""
    return _AFTER_INFO.sub("", fold(text))


_AFTER_INFO = re.compile(
    "^("
    + "|".join(sorted(map(fold, WORDS[Keyword.INFO].split(",")), key=len, reverse=True))
    + r")( |$|(?=[\u1780-\u17b3]))"
)
"""The word for it, also with a Khmer one at its heels."""
