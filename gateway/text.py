"""How long a text is on a phone, where it may be cut, and when two texts match.

Lengths are septets (7 bits) when every character is in the GSM 03.38 alphabet,
otherwise UTF-16 code units (16 bits).

Sources: 3GPP TS 23.038 (alphabets, USSD packing), 3GPP TS 23.040 section
9.2.3.24.1 (parts), The Unicode Standard chapter 16.4 (Khmer), UAX #29 (clusters),
UTN #61 (Khmer encoding structure).
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Final, Literal

# 3GPP TS 23.038 section 6.2.1. The escape (0x1B) is a code, not a character.
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# 3GPP TS 23.038 section 6.2.1.1: each is sent as an escape and a character.
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_GSM7: Final = _BASIC | _EXTENSION

# A part gives 6 of its 140 octets to the header that joins it to the others.
_PART_SEPTETS: Final = 153
_PART_UNITS: Final = 67

_COENG: Final = "\u17d2"
_STOPS: Final = "។៕៖"
_SPACES: Final = " \r\n"


@dataclass(frozen=True)
class Segments:
    """What an SMS costs: its length in septets or units, and its parts."""

    encoding: Literal["GSM-7", "UCS-2"]
    length: int
    parts: int


@dataclass(frozen=True)
class Limit:
    """What one screen or message carries: septets of GSM-7, or units of UCS-2."""

    septets: int
    units: int


# 160 octets: 182 septets (3GPP TS 23.038 section 6.1.2.3) or 80 units.
USSD: Final = Limit(182, 80)
# 140 octets (3GPP TS 23.040 section 9.2.3.24).
SMS: Final = Limit(160, 70)


def is_gsm7(text: str) -> bool:
    """Whether every character is in the GSM 03.38 default or extension table."""
    return _GSM7.issuperset(text)


def septets(text: str) -> int:
    """Length in septets; an extension character costs 2 (3GPP TS 23.038, 6.2.1.1).

    Raises ValueError when the text needs UCS-2. The error names the character
    only: a text may be private.
    """
    if not is_gsm7(text):
        stranger = next(char for char in text if char not in _GSM7)
        raise ValueError(
            f"U+{ord(stranger):04X} is not in the GSM 03.38 alphabet: this text has no septets, count its units()"
        )
    return _septets(text)


def _septets(text: str) -> int:
    return len(text) + sum(map(text.count, _EXTENSION))


def units(text: str) -> int:
    """Length in UTF-16 code units; a character beyond U+FFFF costs 2."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def size(text: str) -> int:
    """Length in septets when the text is GSM-7, otherwise in UTF-16 units."""
    return septets(text) if is_gsm7(text) else units(text)


def fits(text: str, limit: Limit) -> bool:
    """Whether the text, in its own alphabet, is within the limit."""
    return size(text) <= (limit.septets if is_gsm7(text) else limit.units)


def segments(text: str) -> Segments:
    """Alphabet, length and number of SMS parts; an empty text is one part."""
    gsm7 = is_gsm7(text)
    length, room = (_septets(text), SMS.septets) if gsm7 else (units(text), SMS.units)
    return Segments("GSM-7" if gsm7 else "UCS-2", length, 1 if length <= room else len(split(text)))


def split(text: str) -> list[str]:
    """Cut a text into its SMS parts: 160, else 153 septets; 70, else 67 units.

    An escape pair and a surrogate pair stay in one part (3GPP TS 23.040 section
    9.2.3.24.1), so there may be more parts than a division gives. Clusters may
    be cut: the phone joins the parts again.
    """
    if fits(text, SMS):
        return [text]
    room, cost = (_PART_SEPTETS, septets) if is_gsm7(text) else (_PART_UNITS, units)
    parts, start, used = [], 0, 0
    for end, char in enumerate(text):
        used += cost(char)
        if used > room:
            parts.append(text[start:end])
            start, used = end, cost(char)
    return [*parts, text[start:]]


def shown_parts(text: str) -> list[str]:
    """The parts of a text as one shows them: a cluster that is cut stands whole in the first part that has some of it.

    The phone joins the parts before anybody reads them, so half a cluster is never seen.
    """
    ends, at = list(accumulate(map(len, split(text)))), 0
    parts = [""] * len(ends)
    for cluster in clusters(text):
        parts[next(number for number, end in enumerate(ends) if at < end)] += cluster
        at += len(cluster)
    return parts


def clusters(text: str) -> list[str]:
    """Cut a text into orthographic clusters: what a reader sees as one sign.

    A Khmer base keeps its coengs, shifters, vowels and signs (UTN #61); other
    scripts keep their marks, and emoji their sequences (UAX #29). Spaces, U+200B
    and control characters stand alone, CRLF together.
    """
    found: list[str] = []
    for char in text:
        if found and _continues(found[-1], char):
            found[-1] += char
        else:
            found.append(char)
    return found


def _continues(cluster: str, char: str) -> bool:
    last = cluster[-1]
    if last in " \u200b" or unicodedata.category(last) in {"Cc", "Zl", "Zp"}:
        return cluster == "\r" and char == "\n"
    if char in "\u200c\u200d" or unicodedata.category(char).startswith("M"):
        return True
    if "\u1780" <= char <= "\u17b3":
        # NFC may have put an atthacan between a coeng and its consonant (UTN #61).
        return cluster.rstrip("\u200c\u200d\u17dd").endswith(_COENG)
    if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True  # skin tones, and the tags that spell a region's flag
    if "\U0001f1e6" <= char <= "\U0001f1ff":  # two of these letters make a flag
        return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"
    return last == "\u200d" and all(unicodedata.category(end).startswith("S") for end in (cluster[0], char))


def cut(text: str, limit: Limit) -> tuple[str, str]:
    """The longest head that fits the limit, and the rest.

    The head is measured in the alphabet of the whole text. It ends at the last
    space or newline (dropped), or after ។ ៕ ៖, that leaves it half full or more;
    else between clusters. It has at least one cluster, if too long, so paging ends.
    """
    if fits(text, limit):
        return text, ""
    room, cost = (limit.septets, septets) if is_gsm7(text) else (limit.units, units)
    bounds = list(accumulate(map(len, clusters(text))))
    ends = [
        end
        for end in takewhile(lambda end: cost(text[:end]) <= room, bounds)
        # A Latin head of a mixed text is sent as GSM-7: "€" then costs 2, not 1.
        if fits(text[:end], limit)
    ] or bounds[:1]
    breaks = [
        end
        for end in ends
        if (text[end : end + 1] in _SPACES or text[end - 1] in _STOPS) and 2 * cost(text[:end].rstrip(_SPACES)) >= room
    ]
    end = max(breaks, default=ends[-1])
    # A head of nothing but spaces stays: an empty page would say even less.
    return text[:end].rstrip(_SPACES) or text[:end], text[end:].lstrip(_SPACES)


def pages(text: str, limit: Limit) -> list[str]:
    """Cut a text into pages within the limit; only spaces at the breaks are lost.

    There is always a page. It exceeds the limit only where one cluster does.
    """
    page, rest = cut(text, limit)
    found = [page]
    while rest:
        page, rest = cut(rest, limit)
        found.append(page)
    return found


def _ranges(*bounds: tuple[int, int]) -> dict[int, None]:
    return {code: None for first, last in bounds for code in range(first, last + 1)}


_INVISIBLE: Final = _ranges(
    (0x00, 0x09), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C),
    (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2066, 0x2069),
    (0xFEFF, 0xFEFF),
)  # fmt: skip
# Marks that do not show (inherent vowels, grapheme joiner, emoji selectors), and the
# obsolete atthacan, which NFC puts between a coeng and its consonant (UTN #61).
_UNMATCHED: Final = _ranges((0x17B4, 0x17B5), (0x17DD, 0x17DD), (0x34F, 0x34F), (0xFE00, 0xFE0F))
_STRAY_COENG: Final = re.compile("\u17d2(?![\u1780-\u17b3])")
# Only after a Khmer letter: elsewhere NFC would move a coeng again.
_MARKS: Final = re.compile("(?<=[\u1780-\u17b3])(?:\u17d2[\u1780-\u17b3]|[\u17b6-\u17d1\u17d3])+")
_MARK: Final = re.compile("\u17d2.|.")


def plain(text: str) -> str:
    """What we send: NFC, without characters that cost a unit and show nothing.

    Those are U+200B, U+FEFF, U+00AD, bidi controls, and C0, DEL and C1 controls but
    the newline. ZWJ and ZWNJ stay: they change shapes.
    """
    if not text.replace("\n", "").isprintable():  # seldom, and quicker to see than to mend
        text = text.translate(_INVISIBLE)
    return unicodedata.normalize("NFC", text)


def in_gsm7(text: str) -> str:
    """Letters without the accents that the GSM 03.38 alphabet lacks: â as a, é as it is.

    Whatever has no such letter, Khmer among it, stays.
    """
    return "".join(map(_without_accent, unicodedata.normalize("NFC", text)))


def _without_accent(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[:1]
    return base if base.isalpha() and base in _GSM7 and char not in _GSM7 else char


def western_digits(text: str) -> str:
    """Khmer digits, and any other decimal digits of Unicode, as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char, char)) for char in text)


def fold(text: str) -> str:
    """A form to match names, keywords and answers by, never to show. Idempotent.

    plain(), western digits, no case; punctuation and symbols become spaces, runs
    of spaces one. Khmer marks that look the same in several typing orders (UTN #61)
    get one, split vowels are joined, and coeng DA becomes its double, coeng TA.
    """
    # Tabs and carriage returns separate words here: plain() would drop them.
    text = plain(" ".join(text.split())).translate(_UNMATCHED)
    text = "".join(c for c in text if unicodedata.category(c) not in {"Cf", "Me"})
    # Without the characters dropped, NFC may find more to join and to move.
    text = unicodedata.normalize("NFC", text).casefold()
    text = _MARKS.sub(_in_order, _STRAY_COENG.sub("", text))
    text = unicodedata.normalize("NFC", text.replace("\u17d2\u178a", "\u17d2\u178f"))
    return " ".join("".join(map(_word, western_digits(text))).split())


def _in_order(run: re.Match[str]) -> str:
    marks = "".join(sorted(_MARK.findall(run[0]), key=_place))
    return marks.replace("\u17c1\u17b8", "\u17be").replace("\u17c1\u17b6", "\u17c4")


def _place(mark: str) -> tuple[int, int]:
    if mark[0] == _COENG:
        # Coeng RO is drawn left of the base, wherever it was typed among coengs.
        return 0, int(mark[1] == "\u179a")
    if mark in "\u17c1\u17be\u17c4":  # E, then what E becomes when it is joined
        return 2, "\u17c1\u17be\u17c4".index(mark)
    if mark <= "\u17c5":
        return 3, ord(mark)
    return (1 if "\u17c9" <= mark <= "\u17cc" else 4), ord(mark)


def _word(char: str) -> str:
    return " " if char == "ៗ" or unicodedata.category(char)[0] in "PS" else char
