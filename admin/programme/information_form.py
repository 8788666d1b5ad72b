"""The form of an information page: texts in three languages, or the figures from which they are made; laid out live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from flask import request
from sqlalchemy import Connection, select

from admin import scope
from admin.figures.tallies import programme
from admin.meetings.commitment_words import said_of_money
from admin.programme.information_words import ABOUTS, said
from admin.programme.service_pages import name_of
from gateway.config import LANGUAGES, Language
from gateway.information import pages, words
from gateway.information.made import Budget, Figures, Notice
from gateway.information.pages import Page
from gateway.information.sizes import Size
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.information import About
from gateway.models.services import services
from gateway.promises import money
from gateway.promises.money import Currency, NotMoney
from gateway.scorecard.rated import clean
from gateway.text import western_digits

_ = Words

EVERYBODY = _("All communes")
WRITTEN = tuple(one for one in ABOUTS if one not in (About.BUDGET, About.NOTICE))
"""Kinds whose text somebody words."""
BUDGET = ("income", "administration", "development")
TEXTS = ("title", "body", "source", "supplier", "words")
LINES = ("about", "commune", "service", "year", "currency", *BUDGET, "price", "valid_from", "valid_until")
YEARS = range(2000, 2101)
USUAL_WORDS: Mapping[Language, str] = {"km": "ថវិកា", "km-Latn": "thavika", "en": "budget"}
"""By which a budget is asked for, where nobody writes others. To be checked by a native speaker."""


@dataclass(frozen=True)
class Choice:
    """What can be chosen. Pages for all are for who sees all communes."""

    communes: Mapping[str, Phrase]
    services: Mapping[str, Name]
    for_all: bool

    @classmethod
    def known(cls, db: Connection) -> Choice:
        """What there is for who is logged in."""
        own = scope.mine(db)
        rows = db.execute(select(services).order_by(services.c.number))
        named = {one.code: one.name for one in programme(db) if own is None or one.code in own}
        return cls(named, {row.id: name_of(row) for row in rows}, own is None)


@dataclass
class Form:
    """What stands in the form, as it was typed."""

    typed: dict[str, str] = field(default_factory=dict)
    """By field; texts are `title-km` and so on."""
    errors: dict[str, Phrase] = field(default_factory=dict)

    @classmethod
    def sent(cls) -> Form:
        """From the request."""
        names = (*LINES, *(f"{text}-{one}" for text in TEXTS for one in LANGUAGES))
        return cls({name: request.form.get(name, "") for name in names if name in request.form})

    @classmethod
    def new(cls, about: About, commune: str, today: date) -> Form:
        """Empty, but for what is usual."""
        typed = {"about": str(about), "commune": commune, "currency": str(Currency.KHR)}
        typed |= {"valid_from": today.isoformat(), "year": str(today.year)}
        if about is About.BUDGET:
            typed |= {f"words-{one}": word for one, word in USUAL_WORDS.items()}
        return cls(typed)

    @classmethod
    def of(cls, page: Page) -> Form:
        """To change a page."""
        typed = {"about": str(page.about), "commune": page.commune or "", "service": page.service or ""}
        typed |= {"valid_from": page.valid_from.isoformat()}
        typed |= {"valid_until": page.valid_until.isoformat() if page.valid_until else ""}
        typed |= {f"source-{one}": page.source.get(one, "") for one in LANGUAGES}
        typed |= {f"words-{one}": ", ".join(page.words.get(one, ())) for one in LANGUAGES}
        match page.figures:
            case Budget() as budget:
                typed |= {"year": str(budget.year), "currency": str(budget.currency)}
                typed |= {name: money.written(getattr(budget, name)) for name in BUDGET}
                return cls(typed)
            case Notice() as notice:
                typed |= {"price": money.written(notice.price), "currency": str(notice.currency)}
                typed |= {f"supplier-{one}": notice.supplier.get(one, "") for one in LANGUAGES}
            case _:
                typed |= {f"body-{one}": page.body[one] for one in LANGUAGES}
        return cls(typed | {f"title-{one}": page.title[one] for one in LANGUAGES})

    @property
    def about(self) -> About:
        """The kind of page."""
        return next((one for one in About if one == self.typed.get("about")), About.OTHER)

    def page(self, choice: Choice, today: date, old: Page | None = None) -> Page:
        """The page as far as it can be read; what cannot is in `errors`."""
        code = self._get("commune")
        if code not in choice.communes and (code or not choice.for_all):
            self.errors["commune"] = _("Choose a commune of the programme.")
        figures = self._figures()
        titles, bodies = self._each("title"), self._each("body")
        if isinstance(figures, Budget):
            name = choice.communes.get(code, "")
            titles, bodies = figures.title, figures.body(name if isinstance(name, Name) else Name("", "", ""))
        elif isinstance(figures, Notice):
            bodies = figures.body
        first = self._day("valid_from")
        if first is None:
            self.errors.setdefault("valid_from", _("Say from which day on it holds."))
        return Page(
            id=old.id if old else 0,
            about=self.about,
            title=titles,
            body=bodies,
            source=self._each("source"),
            valid_from=first or today,
            valid_until=self._day("valid_until"),
            commune=code if code in choice.communes else None,
            service=self._get("service") if self._get("service") in choice.services else None,
            words={one: words.listed(self._get(f"words-{one}")) for one in LANGUAGES},
            figures=figures,
            archived=old.archived if old else False,
        )

    def complain(self, db: Connection, page: Page) -> None:
        """What is wrong with a page that was read from here, where it stands."""
        made = page.about in (About.BUDGET, About.NOTICE)
        for name, fault in pages.faults_of(db, page).items():
            of_made = name.startswith("body") or (page.about is About.BUDGET and name.startswith("title"))
            if not (made and of_made and fault.flaw is pages.Flaw.MISSING):  # the figures are: that is said there
                self.errors.setdefault(name, said(fault))

    def sizes(self, page: Page) -> dict[Language, Size]:
        """What the page takes in each language in which something stands."""
        return {one: page.size(one) for one in LANGUAGES if page.body[one]}

    def _figures(self) -> Figures | None:
        """The figures of a budget or a notice; None of other pages, and where one of them cannot be read."""
        meant = Currency.USD if self._get("currency") == Currency.USD else Currency.KHR
        if self.about is About.BUDGET:
            year = western_digits(self._get("year"))
            if not (year.isascii() and year.isdigit() and len(year) == 4 and int(year) in YEARS):
                self.errors["year"] = _("Write the year with four digits, such as {example}.", example="2027")
            amounts = {name: self._amount(name, meant) for name in BUDGET}
            given = {name: amount for name, amount in amounts.items() if amount is not None}
            complete = "year" not in self.errors and len(given) == len(amounts)
            return Budget(year=int(year), currency=meant, **given) if complete else None
        if self.about is About.NOTICE:
            supplier, price = (
                {one: text for one, text in self._each("supplier").items() if text},
                self._amount("price", meant),
            )
            if not supplier:
                self.errors["supplier-km"] = _("Say from whom, in at least one language.")
            return Notice(supplier, price, meant) if supplier and price is not None else None
        return None

    def _amount(self, name: str, meant: Currency) -> int | None:
        try:
            read = money.read(self._get(name), meant)
        except NotMoney as wrong:
            self.errors[name] = said_of_money(wrong)
            return None
        if read.currency is not meant:
            self.errors[name] = _("This is in another currency than the one that is chosen.")
            return None
        return read.hundredths

    def _day(self, name: str) -> date | None:
        typed = western_digits(self._get(name))
        try:
            return date.fromisoformat(typed) if typed else None
        except ValueError:
            self.errors[name] = _("Give a day such as {example}.", example="2027-04-01")
            return None

    def _each(self, name: str) -> dict[Language, str]:
        return {one: clean(self._get(f"{name}-{one}")) for one in LANGUAGES}

    def _get(self, name: str) -> str:
        return self.typed.get(name, "").strip()
