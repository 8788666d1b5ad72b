"""Phrases put into words: the .po catalogues of the menus, one a language; English is in the code."""

from __future__ import annotations

import functools
from pathlib import Path

from babel.messages.pofile import read_po

from gateway.menus.phrases import Name, Phrase

CATALOGUES = Path(__file__).parent / "catalogues"


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """English sentences and what they are in a language; what is not translated is left out."""
    path = CATALOGUES / f"{language}.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file) if entry.id and entry.string}


def render(phrase: Phrase, language: str) -> str:
    """A phrase in a language; an untranslated sentence comes in English."""
    if isinstance(phrase, str):
        return phrase
    if isinstance(phrase, Name):
        return phrase.km if language == "km" else phrase.latn if language == "km-Latn" else phrase.en
    sentence = catalogue(language).get(phrase.msgid, phrase.msgid)
    if not phrase.values:
        return sentence
    return sentence.format(**{name: render(value, language) for name, value in phrase.values.items()})
