"""The form of a commitment: what, who, where, until when, for whom, at what cost, who pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from flask import request
from sqlalchemy import Connection

from admin import scope
from admin.figures.tallies import programme
from admin.meetings.commitment_words import LAST_ID, said, said_of_money
from admin.wording import Wording
from gateway.config import LANGUAGES, Settings
from gateway.forums import facts as forums
from gateway.forums.facts import Forum, named
from gateway.menus.phrases import Name, Phrase, Words
from gateway.promises import money
from gateway.promises.facts import Commitment, Source, round_of, rounds_of
from gateway.promises.money import Currency, NotMoney
from gateway.promises.rules import MOST_SOURCES, NotKept, must_be_right
from gateway.text import western_digits

_ = Words

ROWS = 5
"""Lines for who pays at first; "more lines" adds as many."""
FORUMS = 40
"""So many of the last forums can be chosen."""
CURRENCIES: tuple[tuple[str, Words], ...] = (
    (str(Currency.USD), _("US dollars (USD)")),
    (str(Currency.KHR), _("Riels (KHR)")),
)
NO_ROUND = "none"
MOST_DIGITS = 12


@dataclass(frozen=True)
class Choice:
    """What can be chosen: communes, rounds, forums that have begun, by what stands for each in the form."""

    communes: Mapping[str, Name]
    rounds: Mapping[str, Phrase]
    forums: Mapping[str, Phrase]
    held: Mapping[str, Forum]

    @classmethod
    def known(cls, db: Connection, words: Wording, now: datetime, also: int | None = None) -> Choice:
        """What there is now, for who looks; of the forums the last ones, and `also` this one."""
        own = scope.mine(db)
        communes = {one.code: one.name for one in programme(db) if own is None or one.code in own}
        past = [one for one in forums.listed(db, now, past=True, size=FORUMS) if not one.cancelled]
        asked = forums.find(db, also) if also is not None and 0 < also <= LAST_ID else None
        if asked and asked.id not in {one.id for one in past}:
            past.append(asked)
        held = {str(one.id): one for one in past if one.code in communes}
        return cls(
            communes,
            {str(one): span(words, *days) for one, days in rounds_of(db).items()},
            {key: called(one, words) for key, one in held.items()},
            held,
        )


def span(words: Wording, opened: date, closed: date | None) -> Words:
    """A round by its days: communes count their rounds apart."""
    first = words.date(opened)
    return _("{first} to {last}", first=first, last=words.date(closed)) if closed else _("since {day}", day=first)


def called(forum: Forum, words: Wording) -> Words:
    """A forum by its commune, its title and its day."""
    day = words.date(forum.starts.astimezone(words.zone).date())
    return _("{commune}: {title}, {day}", commune=forum.commune, title=named(forum.title), day=day)


@dataclass
class Form:
    """What stands in the form, as it was typed."""

    typed: Mapping[str, str] = field(default_factory=dict)
    """By field; texts are `activity-km` and so on, who pays `source-1` and `amount-1`."""
    errors: dict[str, Phrase] = field(default_factory=dict)
    rows: int = ROWS
    """Lines for who pays."""

    @classmethod
    def sent(cls) -> Form:
        """From the request; "more lines" adds some."""
        typed = {name: value for name, value in request.form.items() if name not in ("csrf_token", "do", "version")}
        filled = max((n for n in range(1, MOST_SOURCES + 1) if _line(typed, n)), default=0)
        asked = request.form.get("rows", ROWS, type=int) + ROWS * (request.form.get("do") != "keep")
        typed.pop("rows", None)
        return cls(typed, rows=min(max(ROWS, filled, asked), MOST_SOURCES))

    @classmethod
    def new(cls, choice: Choice, forum: str, commune: str) -> Form:
        """Empty, but for the forum at which it was promised, or the commune of the list from which one comes."""
        held = choice.held.get(forum)
        chosen = held.code if held else commune if commune in choice.communes else next(iter(choice.communes), "")
        usual = {"currency": str(Currency.USD), "commune": chosen, "forum": forum if held else ""}
        return cls(usual)

    @classmethod
    def of(cls, one: Commitment) -> Form:
        """To change a commitment."""
        typed = {f"activity-{language}": one.activity.get(language, "") for language in LANGUAGES}
        typed |= {name: getattr(one, name) for name in ("commune", "responsible", "proposed_by", "place", "quantity")}
        typed |= {name: _written(getattr(one, name)) for name in ("forum", "starts", "due", "beneficiaries", "female")}
        typed |= {"round": _written(one.round_id) or NO_ROUND, "currency": str(one.currency or Currency.USD)}
        typed["cost"] = "" if one.cost is None else money.written(one.cost)
        for number, source in enumerate(one.sources, 1):
            typed |= {f"source-{number}": source.name, f"amount-{number}": money.written(source.amount)}
        return cls(typed, rows=max(ROWS, len(one.sources)))

    def commitment(
        self, db: Connection, settings: Settings, choice: Choice, today: date, old: Commitment | None = None
    ) -> Commitment | None:
        """The commitment that was typed, not kept; None when something is wrong: it stands in `errors`."""
        code, held = self._get("commune"), choice.held.get(self._get("forum"))
        if code not in choice.communes:
            self.errors["commune"] = _("Choose a commune of the programme.")
        currency, cost, sources = self._money()
        due = self._day("due")
        if due is None:
            self.errors.setdefault("due", _("Say until when."))
        one = Commitment(
            id=old.id if old else 0,
            commune=code,
            activity={one: self._get(f"activity-{one}") for one in LANGUAGES},
            responsible=self._get("responsible"),
            due=due or self._day("starts") or today,
            round_id=self._round(db, choice, code, held.starts.astimezone(settings.zone).date() if held else today),
            forum=held.id if held else None,
            proposed_by=self._get("proposed_by"),
            place=self._get("place"),
            quantity=self._get("quantity"),
            starts=self._day("starts"),
            beneficiaries=self._people("beneficiaries"),
            female=self._people("female"),
            currency=currency,
            cost=cost,
            sources=tuple(sources.values()),
            shown=old.shown if old else True,
        )
        try:
            right = must_be_right(db, settings, one, today)
        except NotKept as problem:
            for wrong in problem.wrongs:
                self.errors.setdefault(self._field(wrong.about, list(sources)), said(wrong))
            return None
        return None if self.errors else right

    def _get(self, name: str) -> str:
        return self.typed.get(name, "").strip()

    @staticmethod
    def _field(about: str, lines: list[int]) -> str:
        """Where something is wrong with who pays: by the line of the form, not by how many are filled in."""
        name, _sign, number = about.partition("-")
        if name in ("source", "amount") and number.isdigit():
            return f"{name}-{lines[int(number) - 1]}"
        return "source-1" if about == "sources" else about

    def _round(self, db: Connection, choice: Choice, commune: str, day: date) -> int | None:
        wish = self._get("round")
        if wish == NO_ROUND:
            return None
        return int(wish) if wish in choice.rounds else round_of(db, commune, day)

    def _day(self, name: str) -> date | None:
        typed = western_digits(self._get(name))
        try:
            return date.fromisoformat(typed) if typed else None
        except ValueError:
            self.errors[name] = _("Give a day such as {example}.", example="2027-04-01")
            return None

    def _people(self, name: str) -> int | None:
        typed = western_digits(self._get(name)).replace(",", "").replace(" ", "")
        if not typed:
            return None
        sign, digits = typed[:1] in "-−", typed.lstrip("-−")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > MOST_DIGITS:
            self.errors[name] = _("Write a whole number, in digits.")
            return None
        return -int(digits) if sign else int(digits)

    def _money(self) -> tuple[Currency | None, int | None, dict[int, Source]]:
        """The currency, the cost, and who pays by the line of the form."""
        meant = Currency.KHR if self._get("currency") == Currency.KHR else Currency.USD
        cost = self._amount("cost", meant) if self._get("cost") else None
        sources: dict[int, Source] = {}
        for number in range(1, self.rows + 1):
            if _line(self.typed, number):
                paid = self._amount(f"amount-{number}", meant)
                sources[number] = Source(self._get(f"source-{number}"), paid or 0, meant)
        return meant if cost is not None or sources else None, cost, sources

    def _amount(self, name: str, meant: Currency) -> int | None:
        try:
            return money.must_be(money.read(self._get(name), meant), meant)
        except NotMoney as wrong:
            self.errors[name] = said_of_money(wrong)
            return None


def _line(typed: Mapping[str, str], number: int) -> bool:
    """Whether something stands in a line of who pays."""
    return bool(typed.get(f"source-{number}", "").strip() or typed.get(f"amount-{number}", "").strip())


def _written(value: date | int | None) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)
