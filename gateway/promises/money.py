"""Amounts of money as staff type and read them: US dollars with cents, or riels, which have none.

An amount is kept as a whole number of hundredths, in either currency, so that sums are exact.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Told
from gateway.menus.phrases import Name
from gateway.text import plain, western_digits


class Currency(enum.StrEnum):
    """The two in which people reckon here."""

    USD = "USD"
    KHR = "KHR"


NAMES: Mapping[Currency, Name] = {
    Currency.USD: Name("ដុល្លារ", "dollar", "USD"),
    Currency.KHR: Name("រៀល", "riel", "KHR"),
}
"""As they stand behind an amount. To be checked by a native speaker."""
MOST: Mapping[Currency, int] = {Currency.USD: 10_000_000_00, Currency.KHR: 40_000_000_000_00}
"""In hundredths: no commune spends more on one thing."""


class Flaw(enum.StrEnum):
    """What can be wrong with an amount that somebody typed."""

    EMPTY = "there is no amount; write one like 4,257.33"
    NOT_MONEY = "{typed} is no amount of money; write one like 4,257.33"
    NEGATIVE = "an amount cannot be negative; write it without the minus"
    DECIMALS = "more than two digits behind the point: write the cents with two, and a comma between thousands"
    COMMAS = "commas stand between thousands, a point before the cents: 4,257.33"
    RIEL = "riels have no cents; write a whole number"
    TWO = "two currencies; write an amount in one, {first} or {second}"
    OTHER = "this is in {found}, the commitment in {meant}; write all amounts of a commitment in one currency"
    TOO_BIG = "more than {most}: is there a digit too many?"


class NotMoney(Told):
    """What was typed is no amount; `flaw` with its `values` says why and what to do."""

    def __init__(self, flaw: Flaw, **values: str | Name) -> None:
        super().__init__(flaw.format(**{name: getattr(value, "en", value) for name, value in values.items()}))
        self.flaw = flaw
        self.values: Mapping[str, str | Name] = values


@dataclass(frozen=True)
class Money:
    """An amount in a currency."""

    hundredths: int
    currency: Currency


def read(typed: str, usual: Currency) -> Money:
    """An amount as it was typed, with its currency or without, then in the usual one. Raises NotMoney.

    Khmer digits, spaces and commas between thousands are taken: `4,257.33`, `៤២៥៧`, `8000 USD`, `1 200 000 ៛`.
    """
    words = western_digits(plain(typed)).replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-").strip()
    bare, currencies = _without_currency(words)
    if len(currencies) > 1:
        raise NotMoney(Flaw.TWO, first=NAMES[currencies[0]], second=NAMES[currencies[1]])
    if not bare:
        raise NotMoney(Flaw.EMPTY)
    if _MINUS.fullmatch(bare):
        raise NotMoney(Flaw.NEGATIVE)
    currency = currencies[0] if currencies else usual
    return Money(_hundredths(bare, typed.strip(), currency), currency)


def must_be(money: Money, currency: Currency) -> int:
    """The hundredths of an amount that must be in a currency. Raises NotMoney."""
    if money.currency is not currency:
        raise NotMoney(Flaw.OTHER, found=NAMES[money.currency], meant=NAMES[currency])
    return money.hundredths


def written(hundredths: int) -> str:
    """An amount in digits: `4,257.33`, `8,000`. So it stands in a form, and `read` takes it back."""
    whole, cents = divmod(abs(hundredths), 100)
    return f"{'-' if hundredths < 0 else ''}{whole:,}{f'.{cents:02}' if cents else ''}"


def said(hundredths: int, currency: Currency | str) -> Name:
    """An amount with its currency, in each language: `4,257.33 USD`."""
    name, digits = NAMES[Currency(currency)], written(hundredths)
    return Name(f"{digits} {name.km}", f"{digits} {name.latn}", f"{digits} {name.en}")


# what was typed -----------------------------------------------------------------------------------

_WORDS: Mapping[Currency, str] = {
    Currency.USD: r"us\s*\$|usd|us\s+dollars?|dollars?|dollar|\$|ដុល្លារអាមេរិក|ដុល្លារ|ដុល្លា",
    Currency.KHR: r"khr|riels?|r|៛|រៀល",
}
_CURRENCY = re.compile("|".join(f"(?P<{one}>{words})" for one, words in _WORDS.items()), re.IGNORECASE)
_MINUS = re.compile(r"[-–—]\s*[\d.,].*|\([\d., ]+\)")
_DIGITS = re.compile(r"[\d., ]*\d[\d., ]*")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+")


def _without_currency(words: str) -> tuple[str, list[Currency]]:
    """The words without those of a currency, and the currencies that they named, each once."""
    found: dict[Currency, None] = {}
    for match in _CURRENCY.finditer(words):
        found[Currency(str(match.lastgroup))] = None
    return " ".join(_CURRENCY.sub(" ", words).split()), list(found)


def _hundredths(digits: str, typed: str, currency: Currency) -> int:
    if not _DIGITS.fullmatch(digits):
        raise NotMoney(Flaw.NOT_MONEY, typed=typed[:40])
    whole, point, cents = digits.replace(" .", ".").rpartition(".")
    if not point:
        whole, cents = cents, ""
    if "." in whole or (point and not cents.isdigit()):
        raise NotMoney(Flaw.COMMAS)
    if whole and not _GROUPED.fullmatch(whole):
        raise NotMoney(Flaw.COMMAS)
    if len(cents) > 2:
        raise NotMoney(Flaw.DECIMALS)
    bare = whole.replace(",", "").replace(" ", "") or "0"
    amount = int(bare[:40]) * 100 + int(cents.ljust(2, "0") or 0)
    if currency is Currency.KHR and int(cents or 0):
        raise NotMoney(Flaw.RIEL)
    if amount > MOST[currency]:
        raise NotMoney(Flaw.TOO_BIG, most=said(MOST[currency], currency))
    return amount
