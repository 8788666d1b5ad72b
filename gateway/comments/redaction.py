"""What in a comment may lead to a person: numbers, links, likely names, found for who cleans it.

Numbers and links are taken out of the proposed text; names are only pointed at, since no rule knows them all. Found is
rather too much than too little: what was no number (a date, a sum) its reader puts back in other words.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass


class Found(enum.StrEnum):
    """What a piece of a comment may be."""

    NUMBER = "number"
    LINK = "link"
    NAME = "name"


@dataclass(frozen=True)
class Piece:
    """A piece of a comment, one after the other; `found`: None where it is harmless."""

    text: str
    found: Found | None = None


FEWEST_DIGITS = 8
"""A Cambodian number without its 0 has so many (DOMAIN.md, Phones); sums below ten million have fewer."""

_DIGIT = r"[\d⓪①-⑨²³¹⁰⁴-⁹₀-₉]"
_BETWEEN = r"[\W_]{0,12}"
"""What people put between digits: spaces, dots, dashes, brackets, zero-width spaces, line breaks."""
_NUMBER = rf"(?:[+(]{_BETWEEN})?{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{{FEWEST_DIGITS - 1},}}"
_LINK = (
    r"\b(?:https?|ftp)\s?:\s?/\S*|\bwww\s?\.\s?\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)*|(?<!\w)@\w{2,}"
    r"|\b[a-z\d-]+(?:\.[a-z\d-]+)*\.(?:com|org|net|info|biz|kh|me|io|ly|gl|co|app|link|site|online|gov|edu)\b(?:/\S*)?"
)
_KHMER_TITLE = (
    "លោក(?:ស្រី|គ្រូ|តា|យាយ|ប្រធាន|មេឃុំ|មេភូមិ|ជំទាវ)?|អ្នក(?:ស្រី|គ្រូ|នាង)|ឯកឧត្តម|កញ្ញា|ឈ្មោះ|មេភូមិ|មេឃុំ|ប្រធាន"
    "|គិលានុបដ្ឋា(?:ក|យិកា)|គ្រូពេទ្យ|គ្រូបង្រៀន|ប៉ូលិស"
)
_KHMER_KIN = "បង(?:ប្រុស|ស្រី)?|ពូ(?!ជ|កែ)|មីង|អ៊ំ|តា|យាយ"
"""Also the beginnings of other words: they count only where a word begins."""
_KHMER_WORD = "(?:[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u200c\u200d])*)"
_KHMER_NAME = (
    rf"(?:{_KHMER_TITLE}|(?<![\u1780-\u17d3])(?:{_KHMER_KIN}))(?![\u17b4-\u17d3])[ \u200b]?{_KHMER_WORD}{{1,5}}"
)
_CALLED = (
    r"lok[ ](?:srey|krou|ta|yeay)|neak[ ](?:srey|krou)|mrs?|ms|miss|lok|bong|pu|ming|yeay|mephum|mekhum"
    r"|chhm(?:uo|o)s|named"
)
"""What stands before a name however that is written."""
_OFFICE = (
    r"dr|sir|madam|om|(?:village[ ]|commune[ ]|district[ ])?chief|nurse|midwife|doctor|teacher|director|officer"
    r"|policeman|called"
)
"""What stands before a name with a capital letter, and as often before other words."""
_LATIN_NAME = (
    rf"\b(?:(?i:{_CALLED}|{_OFFICE})\b\.?[ ])+[A-Z][a-z][\w'-]*(?:[ ][A-Z][a-z][\w'-]*)?"
    rf"|\b(?i:{_CALLED})\b\.?[ ][A-Za-z][\w'-]*"
)
_CAPITAL = r"\b[A-Z][a-z][\w'-]*(?:[ ][A-Z][a-z][\w'-]*)*"

_ALL = re.compile(
    rf"(?P<link>(?i:{_LINK}))|(?P<number>{_NUMBER})|(?P<name>{_KHMER_NAME}|{_LATIN_NAME})|(?P<capital>{_CAPITAL})"
)
_CONTACT = re.compile(rf"(?P<link>(?i:{_LINK}))|(?P<number>{_NUMBER})")
_ORDINARY = """
    a an and are at but can comment comments do for from good he her here his how i if in is it many more my no not
    nobody nurses of ok on one or our people please police school she should so some staff teachers thank thanks that
    the their there they this to too very was we were what when where why with you your mati yobol sms khmer cambodia
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december commune office health centre center primary
    aphoeng ban bat chas haoy khnhom khum kom krou mean min mondol neak nih orkun ot penh pet pel som seva sala te yeung
"""
"""Words with a capital letter that are no names: beginnings of sentences, days, months, services."""
_KHMER = re.compile("[\u1780-\u17ff]")
_NO_NAMES = frozenset(_ORDINARY.split())
_INSTEAD = {Found.NUMBER: ("[number]", "[លេខ]"), Found.LINK: ("[link]", "[តំណ]")}
"""What stands for it in the proposed text, in a Latin one and in a Khmer one."""
_DELICATE = re.compile(
    r"(?i:\bpolic|\bpolis\b|\bbrib|\bcorrupt|\bsamnok|\bland\b|\bluy\s+kraom|\bdei\s+thli|\bnokorbal)"
    "|ប៉ូលិស|ប៉ុស្តិ៍|នគរបាល|សំណូក|សូកប៉ាន់|ពុករលួយ|លុយក្រោមតុ|ដីធ្លី|ទំនាស់ដី|រំលោភដី|យកដី"
)


def pieces(text: str) -> list[Piece]:
    """A comment in pieces, in their order; together they are the whole of it."""
    made: list[Piece] = []
    end = 0
    for start, stop, what in _spans(text):
        if start > end:
            made.append(Piece(text[end:start]))
        made.append(Piece(text[start:stop], what))
        end = stop
    return [*made, Piece(text[end:])] if text[end:] else made


def proposed(text: str) -> str:
    """A comment as it might be approved: numbers and links are taken out, names are for its reader."""
    in_khmer = bool(_KHMER.search(text))

    def instead(found: re.Match[str]) -> str:
        return _INSTEAD[Found.LINK if found["link"] else Found.NUMBER][in_khmer]

    before = ""
    while before != text:  # without a number before it `@name` is a link that it was not
        before, text = text, _CONTACT.sub(instead, text)
    return text.strip()


def leads_to_somebody(text: str) -> bool:
    """Whether a text still has what looks like a number or a link."""
    return _CONTACT.search(text) is not None


def is_delicate(text: str) -> bool:
    """Whether a comment speaks of police, bribery or land, on which none is taken (DOMAIN.md, Privacy)."""
    return _DELICATE.search(text) is not None


def _spans(text: str) -> Iterator[tuple[int, int, Found]]:
    shouted = text.isupper()
    for found in _ALL.finditer(text):
        if found["capital"]:
            if not shouted and not all(word.lower() in _NO_NAMES for word in found["capital"].split()):
                yield found.start(), found.end(), Found.NAME
        else:
            yield found.start(), found.end(), Found(found.lastgroup or "")
