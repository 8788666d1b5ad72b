"""Amounts of money: as people type them, exactly as they were meant, or refused with what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.menus.phrases import Name
from gateway.promises.money import MOST, Currency, Flaw, Money, NotMoney, must_be, read, said, written

USD, KHR = Currency.USD, Currency.KHR
KHMER = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")


class TestRead:
    @pytest.mark.parametrize(
        ("typed", "hundredths", "currency"),
        [
            ("4,257.33", 425733, USD),  # DOMAIN.md, table, row 7
            ("8000 USD", 800000, USD),
            ("8,000 usd", 800000, USD),
            ("8000", 800000, USD),
            ("$8000", 800000, USD),
            ("US$ 8 000.5", 800050, USD),
            ("៤២៥៧", 425700, USD),
            ("៤,២៥៧.៣៣ ដុល្លារ", 425733, USD),
            ("4\u200b257", 425700, USD),  # a zero-width space out of a Khmer text
            ("  4257 . 33 ".replace(" . ", "."), 425733, USD),
            (".50", 50, USD),
            ("0", 0, USD),
            ("4.5", 450, USD),
            ("1,200,000 KHR", 120000000, KHR),
            ("1 200 000 រៀល", 120000000, KHR),
            ("១២០០០០០៛", 120000000, KHR),
            ("1\u00a0200\u202f000 riels", 120000000, KHR),
            ("500.00 KHR", 50000, KHR),
        ],
    )
    def test_takes_what_people_type(self, typed: str, hundredths: int, currency: Currency) -> None:
        assert read(typed, USD) == Money(hundredths, currency)

    def test_takes_the_usual_currency_where_none_is_named(self) -> None:
        assert read("4,000", KHR) == Money(400000, KHR)
        assert read("4,000 USD", KHR) == Money(400000, USD)

    @pytest.mark.parametrize(
        ("typed", "flaw"),
        [
            ("", Flaw.EMPTY),
            ("   ", Flaw.EMPTY),
            ("USD", Flaw.EMPTY),
            ("-5", Flaw.NEGATIVE),
            ("− 5 USD", Flaw.NEGATIVE),
            ("USD -5.10", Flaw.NEGATIVE),
            ("(30)", Flaw.NEGATIVE),
            ("4257.333", Flaw.DECIMALS),
            ("4.257", Flaw.DECIMALS),  # dots between thousands: nobody guesses
            ("4257,33", Flaw.COMMAS),
            ("4.257,33", Flaw.COMMAS),
            ("1.200.000", Flaw.COMMAS),
            ("42,57", Flaw.COMMAS),
            ("5.", Flaw.COMMAS),
            ("12 34", Flaw.COMMAS),
            ("5 USD 3 KHR", Flaw.TWO),
            ("5$ = 20000៛", Flaw.TWO),
            ("100.5 KHR", Flaw.RIEL),
            ("0.01 ៛", Flaw.RIEL),
            ("99999999999 USD", Flaw.TOO_BIG),
            ("9" * 500, Flaw.TOO_BIG),
            ("about 500", Flaw.NOT_MONEY),
            ("1e5", Flaw.NOT_MONEY),
            ("٪", Flaw.NOT_MONEY),
            ("=1+1", Flaw.NOT_MONEY),
            ("500 baht", Flaw.NOT_MONEY),
        ],
    )
    def test_refuses_what_is_no_amount_and_says_what_to_do(self, typed: str, flaw: Flaw) -> None:
        with pytest.raises(NotMoney) as problem:
            read(typed, USD)
        assert problem.value.flaw is flaw
        assert "{" not in str(problem.value)

    @given(st.text(max_size=30))
    def test_takes_an_amount_or_refuses_whatever_is_typed(self, typed: str) -> None:
        try:
            found = read(typed, USD)
        except NotMoney:
            return
        assert 0 <= found.hundredths <= MOST[found.currency]


class TestSaid:
    @pytest.mark.parametrize(
        ("hundredths", "currency", "name"),
        [
            (425733, USD, Name("4,257.33 ដុល្លារ", "4,257.33 dollar", "4,257.33 USD")),
            (800000, USD, Name("8,000 ដុល្លារ", "8,000 dollar", "8,000 USD")),
            (120000000, KHR, Name("1,200,000 រៀល", "1,200,000 riel", "1,200,000 KHR")),
            (5, USD, Name("0.05 ដុល្លារ", "0.05 dollar", "0.05 USD")),
        ],
    )
    def test_of_an_amount_in_each_language(self, hundredths: int, currency: Currency, name: Name) -> None:
        assert said(hundredths, currency) == name

    @given(st.sampled_from(Currency), st.integers(0, MOST[USD] // 100), st.integers(0, 99), st.booleans())
    def test_is_read_back_as_it_was(self, currency: Currency, whole: int, cents: int, khmer: bool) -> None:
        amount = min(whole * 100 + (cents if currency is USD else 0), MOST[currency])
        for text in (
            written(amount),
            said(amount, currency).en,
            said(amount, currency).km,
            said(amount, currency).latn,
        ):
            typed = text.translate(KHMER) if khmer else text
            assert read(typed, currency) == Money(amount, currency)


def test_an_amount_must_be_in_the_currency_of_its_commitment() -> None:
    assert must_be(Money(500, USD), USD) == 500
    with pytest.raises(NotMoney, match="this is in KHR, the commitment in USD") as problem:
        must_be(Money(500, KHR), USD)
    assert problem.value.flaw is Flaw.OTHER
