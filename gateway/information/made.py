"""Pages whose text is made: a commune's budget from three figures of a year, a notice from what, from whom and price.

Nobody words figures, so that no language says another sum than the others (DOMAIN.md, table, rows 9 and 15).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.wording import render
from gateway.models.forums import in_each
from gateway.promises.money import NAMES, Currency, said, written
from gateway.text import in_gsm7

_ = Words

Texts = Mapping[Language, str]


@dataclass(frozen=True)
class Budget:
    """What a commune has and spends in a year, in hundredths of a currency."""

    year: int
    currency: Currency
    income: int
    administration: int
    development: int
    """And services."""

    @property
    def title(self) -> dict[Language, str]:
        """As it stands in the menu's list."""
        return _in_each(_("Budget {year}", year=str(self.year)))

    def body(self, commune: Name) -> dict[Language, str]:
        """The figures in words."""
        return _in_each(_(
            "{commune}, in {currency}: income {income}, administration {administration}, development and services"
            " {development}.", commune=commune, currency=NAMES[self.currency], income=written(self.income),
            administration=written(self.administration), development=written(self.development),
        ))  # fmt: skip


@dataclass(frozen=True)
class Notice:
    """What is bought, or given away for a time: what, from whom or to whom, the price. The first is its title."""

    supplier: Texts
    price: int
    """In hundredths."""
    currency: Currency

    @property
    def body(self) -> dict[Language, str]:
        """The rest in words."""
        supplier = Name(*everywhere(self.supplier).values())
        return _in_each(_("From {supplier}, price {price}.", supplier=supplier, price=said(self.price, self.currency)))


Figures = Budget | Notice


def everywhere(texts: Texts) -> dict[Language, str]:
    """A text in every language; where one was left empty another stands in."""
    return in_each({str(one): text for one, text in texts.items()})


def as_kept(figures: Figures) -> dict[str, Any]:
    """For the row, as JSON."""
    return asdict(figures)


def from_kept(values: Mapping[str, Any]) -> Figures:
    """Back from the row."""
    given = {**values, "currency": Currency(values["currency"])}
    return Budget(**given) if "year" in given else Notice(**given)


def _in_each(words: Phrase) -> dict[Language, str]:
    said_in = {one: render(words, one) for one in LANGUAGES}
    return {one: text if one == "km" else in_gsm7(text) for one, text in said_in.items()}
