"""Phrases put into words: .po catalogues, one a language (here those of the menus); English is in the code."""

from __future__ import annotations

import functools
from pathlib import Path

from babel.messages.pofile import read_po

from gateway.menus.phrases import Name, Phrase

CATALOGUES = Path(__file__).parent / "catalogues"


@functools.cache
def catalogue(language: str, folder: Path = CATALOGUES) -> dict[str, str]:
    """English sentences and what they are in a language; what is not translated is left out."""
    path = folder / f"{language}.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file) if entry.id and entry.string}


def render(phrase: Phrase, language: str, folder: Path = CATALOGUES) -> str:
    """A phrase in a language, by the catalogues of a folder; an untranslated sentence comes in English."""
    if isinstance(phrase, str):
        return phrase
    if isinstance(phrase, Name):
        return phrase.km if language == "km" else phrase.latn if language == "km-Latn" else phrase.en
    sentence = catalogue(language, folder).get(phrase.msgid, phrase.msgid)
    if not phrase.values:
        return sentence
    return sentence.format(**{name: render(value, language, folder) for name, value in phrase.values.items()})
