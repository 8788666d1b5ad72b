"""What the panel says, in the reader's language: sentences from `admin/catalogues`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from gateway import wording
from gateway.config import Language
from gateway.menus.phrases import Phrase, Words
from gateway.wording import LANGUAGES, spoken

__all__ = ["CATALOGUES", "LANGUAGES", "SPOKEN", "Value", "Wording", "spoken"]

_ = Words

Value = Phrase | date | int
"""What may stand in a sentence."""
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

    def tell(self, words: Words, values: Mapping[str, Value]) -> str:
        """A sentence with values as they are: days, times and numbers are written as the reader writes them."""
        return self(words.given(**{name: self._written(value) for name, value in values.items()}))

    def _written(self, value: Value) -> Phrase:
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, date):
            return self.date(value)
        return self.number(value) if isinstance(value, int) else value
