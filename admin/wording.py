"""What the panel says, in the reader's language: sentences from `admin/catalogues`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import wording
from gateway.config import Language
from gateway.menus.phrases import Words
from gateway.wording import LANGUAGES, spoken

__all__ = ["CATALOGUES", "LANGUAGES", "SPOKEN", "Wording", "spoken"]

_ = Words

CATALOGUES = Path(__file__).parent / "catalogues"
SPOKEN: Mapping[Language, Words] = {
    "km": _("Khmer"),
    "km-Latn": _("Khmer in Latin letters"),
    "en": _("English"),
}
"""The languages in which people are written to."""


@dataclass(frozen=True)
class Wording(wording.Wording):
    """The words of one page of the panel."""

    folder: Path = CATALOGUES
