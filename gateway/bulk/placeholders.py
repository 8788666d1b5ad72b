"""Placeholders in a text for many: `{name}`, or `{name|neighbour}` with what stands where there is no name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from gateway.config import Language
from gateway.text import in_gsm7, is_gsm7

KNOWN = ("name", "commune", "address")
EXAMPLES: Mapping[Language, Mapping[str, str]] = {
    "km": {"name": "សុខា", "commune": "តាផូ", "address": "ភូមិពង្រ"},
    "km-Latn": {"name": "Sokha", "commune": "Ta Phou", "address": "Phum Pongro"},
    "en": {"name": "Sokha", "commune": "Ta Phou", "address": "Pongro village"},
}
"""Values of nobody, for a test and while one writes."""
_PLACEHOLDER = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")


def unknown(text: str) -> list[str]:
    """The placeholders of a text that nothing is known to fill, as they are written."""
    return [found[0] for found in _PLACEHOLDER.finditer(text) if found[1].strip() not in KNOWN]


def loose_brace(text: str) -> str | None:
    """The first brace in it that belongs to no placeholder: that of `{name`."""
    return next((char for char in _PLACEHOLDER.sub("", text) if char in "{}"), None)


def needed(text: str) -> set[str]:
    """The placeholders of a text that have nothing to stand in for a missing value."""
    return {found[1].strip() for found in _PLACEHOLDER.finditer(text) if found[2] is None}


def is_personal(text: str) -> bool:
    """Whether the text differs from person to person."""
    return _PLACEHOLDER.search(text) is not None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text for one person. A value that is missing and has nothing to stand in leaves nothing.

    In a text of GSM-7 values lose the accents that GSM-7 lacks: one `â` in a name would cost two parts more.
    """
    pieces, latin = _pieces(text)
    said = []
    for words, name, otherwise in pieces:
        said.append(words)
        if name:
            value = values.get(name) or otherwise
            said.append(in_gsm7(value) if latin and not is_gsm7(value) else value)
    return "".join(said)


@functools.lru_cache(maxsize=64)
def _pieces(text: str) -> tuple[tuple[tuple[str, str, str], ...], bool]:
    """The text cut at its placeholders (words, placeholder after them, what stands in), and whether it is GSM-7."""
    pieces, end = [], 0
    for found in _PLACEHOLDER.finditer(text):
        pieces.append((text[end : found.start()], found[1].strip(), found[2] or ""))
        end = found.end()
    return (*pieces, (text[end:], "", "")), is_gsm7(text)
