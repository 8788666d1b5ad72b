"""Characters that make a text dear: the few that turn GSM-7 into UCS-2, and what could stand in their place.

One curled apostrophe from a word processor makes three parts of one. Where a text is Khmer all of it is UCS-2 and
nothing is gained; then it is the last characters, over a part's border, that cost.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from gateway.text import SMS, fits, in_gsm7, is_gsm7, plain, segments, split, western_digits

_INSTEAD = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "´": "'", "`": "'", "ʼ": "'",
    "“": '"', "”": '"', "„": '"', "″": '"', "«": '"', "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "•": "-", "·": "-", "●": "-", "►": "-",
    "…": "...", "×": "x", "÷": "/", "⁄": "/", "№": "No", "°": "o", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ı": "i",
    "œ": "oe", "Œ": "OE", "þ": "th", "ð": "d", "\u200c": "", "\u200d": "", "\ufe0f": "", "\u2028": "\n",
    "\u2029": "\n", "។": ".", "៕": ".", "៖": ":", "៛": "R",
}  # fmt: skip
"""What takes the place of a character in the GSM 03.38 alphabet, where Unicode does not tell."""


@dataclass(frozen=True)
class Stray:
    """A character that GSM-7 lacks, in a text that could do without it."""

    text: str
    """The character; several where none has a substitute and they stand together."""
    instead: str | None
    """What would keep GSM-7; empty: nothing is lost without it; None: only leaving it out would help."""
    at: int
    """Where it stands first, in characters from 1."""
    times: int

    @property
    def name(self) -> str:
        """Its name in Unicode, with its number."""
        return ", ".join(f"U+{ord(char):04X} {unicodedata.name(char, '?')}" for char in dict.fromkeys(self.text))


@dataclass(frozen=True)
class Cost:
    """What one text costs, and what would make it cheaper."""

    encoding: str
    length: int
    """Septets or UTF-16 units."""
    parts: int
    strays: tuple[Stray, ...]
    cheaper: str | None
    """The text with every substitute in place, where that makes it GSM-7."""
    parts_then: int
    """Parts of the text with every stray replaced or left out."""
    over: int
    """So many characters at its end make the last part; 0 where it has one part."""
    invisible: int
    """Characters that show nothing; they are taken out on sending and cost nothing."""
    said: str = ""
    """The text as it is sent, with its placeholders filled."""


def cost(text: str, fill: Callable[[str], str] = str) -> Cost:
    """What a text costs once its placeholders are filled."""
    sent = plain(text)
    said = plain(fill(sent))
    size = segments(said)
    found = strays(sent)
    cheaper = without_strays(sent)
    least = "".join(filter(is_gsm7, cheaper)) if found else sent
    return Cost(
        encoding=size.encoding,
        length=size.length,
        parts=size.parts,
        strays=found,
        cheaper=cheaper if found and is_gsm7(cheaper) else None,
        parts_then=segments(plain(fill(least))).parts,
        over=_over(said, size.parts),
        invisible=sum(not plain(char) for char in text if char != "\r"),
        said=said,
    )


def strays(text: str) -> tuple[Stray, ...]:
    """The characters that keep a text from GSM-7. None in a Khmer text: there UCS-2 is what it takes."""
    if is_gsm7(text) or _is_khmer(text):
        return ()
    found: dict[str, Stray] = {}
    run = ""
    for at, char in enumerate([*text, " "], 1):
        lost = not is_gsm7(char)
        if run and not (lost and instead(char) is None):
            _count(found, run, None, at - len(run))
            run = ""
        if lost and instead(char) is None:
            run += char
        elif lost:
            _count(found, char, instead(char), at)
    return tuple(found.values())


def instead(char: str) -> str | None:
    """What could stand for a character in GSM-7; None where nothing could."""
    if char in _INSTEAD:
        return _INSTEAD[char]
    if unicodedata.category(char) == "Zs":
        return " "
    if unicodedata.category(char).startswith("M"):
        return None
    for close in (in_gsm7(char), western_digits(char), unicodedata.normalize("NFKC", char)):
        if close != char and is_gsm7(close):
            return close
    return None


def without_strays(text: str) -> str:
    """The text with a substitute for each character that has one."""
    return "".join(char if is_gsm7(char) or (put := instead(char)) is None else put for char in text)


def _count(found: dict[str, Stray], text: str, put: str | None, at: int) -> None:
    known = found.get(text)
    found[text] = Stray(text, put, known.at if known else at, known.times + 1 if known else 1)


def _is_khmer(text: str) -> bool:
    """Whether Khmer letters are more than a slip in it."""
    letters = [char for char in text if unicodedata.category(char)[0] in "LM"]
    khmer = sum("\u1780" <= char <= "\u17d3" for char in letters)
    return khmer * 4 > len(letters)


def _over(text: str, parts: int) -> int:
    """How many characters at the end stand in the last part."""
    if parts != 2:
        return len(split(text)[-1]) if parts > 2 else 0
    return next(count for count in range(1, len(text)) if fits(text[:-count], SMS))
