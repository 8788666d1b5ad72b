"""What pages say, in their reader's language (km or en): dates and numbers by Babel, sentences by catalogue.

The panel has a catalogue of its own (`admin/catalogues`). The public pages of results, and what is pasted from them
into a messaging group, have that of `gateway/catalogues`; its sentences are `Sentence("…")` in code, `_("…")` in
templates. What is sent to phones is of `gateway/menus`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from gateway.menus.phrases import Phrase, Words
from gateway.menus.wording import render

CATALOGUES = Path(__file__).parent / "catalogues"
LANGUAGES = {"km": "ខ្មែរ", "en": "English"}
"""The languages of pages, each by its own name."""


class Sentence(Words):
    """A sentence of `gateway/catalogues`, where it does not stand in a template. Modules call it `_`."""


def spoken(language: str | None, default: str) -> str:
    """The language of a page for a wish: that, or the programme's default, or Khmer."""
    return next((one for one in (language, default) if one in LANGUAGES), "km")


@dataclass(frozen=True)
class Wording:
    """The words of one page. In templates it is called `_`."""

    language: str
    zone: ZoneInfo
    folder: Path = CATALOGUES
    """Of its sentences' catalogues."""

    def __call__(self, phrase: Phrase, **values: Phrase) -> str:
        """A sentence in the reader's language, with values for its `{placeholders}`."""
        if isinstance(phrase, str):
            phrase = Sentence(phrase, **values)
        return render(phrase, self.language, self.folder)

    @property
    def other(self) -> str:
        """The language to change to."""
        return next(one for one in LANGUAGES if one != self.language)

    def month(self, day: date) -> str:
        """The month of a day."""
        return format_date(day, "MMM y", locale=self.language)

    def date(self, day: date) -> str:
        """A day, with the month's name: no reader takes 3/9 for 9/3."""
        return format_date(day, "d MMM y", locale=self.language)

    def moment(self, moment: datetime) -> str:
        """A day and a time in the programme's time zone."""
        return format_datetime(moment, "d MMM y, HH:mm", tzinfo=self.zone, locale=self.language)

    def time(self, moment: datetime) -> str:
        """A time of day in the programme's time zone."""
        return format_time(moment, "HH:mm", tzinfo=self.zone, locale=self.language)

    def number(self, number: float, pattern: str = "#,##0.##") -> str:
        """A number; `pattern` as in the Unicode standard's number formats."""
        return format_decimal(number, pattern, locale=self.language)

    def percent(self, percent: int) -> str:
        """A whole percentage."""
        return format_percent(percent / 100, "0%", locale=self.language)

    def points(self, points: int) -> str:
        """A change, always with its sign."""
        return format_decimal(points, "+#,##0;−#,##0", locale=self.language) if points else "±0"
