"""Opening and closing rounds: what is chosen, what is refused, what goes; services as staff change them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from gateway.config import LANGUAGES, Language
from gateway.models.editions import newest, read_edition
from gateway.models.rounds import round_indicators, round_services, rounds
from gateway.models.services import services
from gateway.scorecard import rated, round_list
from gateway.scorecard import rounds as deeds
from gateway.scorecard.rated import Flaw, Refused, Wording
from tests.conftest import COMMUNES, Installation
from tests.test_panel import rate
from tests.test_sms import Phone

PONLEY, TA_PHOU = COMMUNES[0], COMMUNES[2]


def wording(english: str = "Market", **change: str) -> Wording:
    names: dict[Language, str] = {"km": "ផ្សារ", "km-Latn": "Phsar", "en": english}
    shorts: dict[Language, str] = dict.fromkeys(LANGUAGES, "")
    for field, text in change.items():
        what, _, language = field.partition("_")
        one: Language = "km-Latn" if language == "latn" else "km" if language == "km" else "en"
        (names if what == "name" else shorts)[one] = text
    return Wording(names, shorts)


def do(house: Installation, deed: Callable[..., Any], *what: Any, **how: Any) -> Any:
    with house.store.write() as db:
        return deed(db, *what, house.clock.now, **how)


def ask(house: Installation, service: str, english: str = "Fees") -> str:
    made: str = do(house, rated.add_question, service, {"km": "តម្លៃ", "km-Latn": "Thlai", "en": english})
    return made


def open_one(house: Installation, *codes: str, **how: Any) -> int:
    return deeds.open_round(house.store, house.keys, codes, house.clock.now.date(), house.clock.now, **how)


def chosen(house: Installation, round_id: int) -> tuple[set[str], set[str]]:
    with house.store.read() as db:
        mine = select(round_services.c.service_id).where(round_services.c.round_id == round_id)
        asked = select(round_indicators.c.indicator_id).where(round_indicators.c.round_id == round_id)
        return set(db.scalars(mine)), set(db.scalars(asked))


def menu(house: Installation) -> dict[str, Any]:
    """The newest edition."""
    with house.store.read() as db:
        return read_edition(db, newest(db))


def key_files(house: Installation) -> int:
    return len(list(house.keys.folder.glob("round-*")))


# opening ------------------------------------------------------------------------------------------


def test_a_round_rates_all_active_services_and_asks_all_active_questions(installation: Installation) -> None:
    first, put_away = ask(installation, "health"), ask(installation, "health")
    ask(installation, "police")
    do(installation, rated.archive, "health", put_away, away=True)
    assert chosen(installation, open_one(installation, *COMMUNES)) == (
        {"office", "health", "school", "window"}, {first}
    )  # fmt: skip


def test_a_round_may_rate_some_services_ask_some_questions_and_end_on_a_day(installation: Installation) -> None:
    wanted, _ = ask(installation, "health"), ask(installation, "health")
    ask(installation, "window")
    until = installation.clock.now.date() + timedelta(days=20)
    made = open_one(installation, TA_PHOU, services=["health", "school"], indicators=[wanted], until=until)
    assert chosen(installation, made) == ({"health", "school"}, {wanted})
    with installation.store.read() as db:
        assert db.scalar(select(rounds.c.until)) == until
    assert menu(installation)["rounds"] == {str(made): ["health", "school"]}
    assert [row[0] for row in menu(installation)["indicators"][str(made)]] == [wanted]


@pytest.mark.parametrize(
    ("codes", "how", "says"),
    [
        ([], {}, "a round needs a commune"),
        (["010101"], {}, "takes no part"),
        ([TA_PHOU, PONLEY], {}, f"commune {PONLEY} has an open round; close it first"),
        ([TA_PHOU], {"services": ["police"]}, "no active service: police"),
        ([TA_PHOU], {"services": ["office"], "indicators": ["health-1"]}, "no active question about these services"),
    ],
)
def test_what_cannot_be_opened_leaves_nothing_behind(
    installation: Installation, codes: list[str], how: dict[str, Any], says: str
) -> None:
    ask(installation, "health")
    open_one(installation, PONLEY)
    before = menu(installation)
    with pytest.raises(deeds.RoundProblem, match=says):
        open_one(installation, *codes, **how)
    assert key_files(installation) == 1
    with installation.store.read() as db:
        assert round_list.count(db) == 1
    assert menu(installation) == before


# the list -----------------------------------------------------------------------------------------


def test_the_list_names_communes_states_and_raters_that_may_be_shown(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, today = installation, installation.clock.now.date()
    first = open_one(house, TA_PHOU)
    rate(house, "1234512345")
    rate(house, "123", service="1")
    house.close_round(first)
    open_one(house, PONLEY, until=today)
    everywhere = open_one(house, *(code for code in COMMUNES if code != PONLEY), until=today + timedelta(days=30))
    rate(house, "123451234")  # nine phones only
    with house.store.read() as db:
        found = round_list.listed(db, 10, 0, 10)
        assert round_list.found(db, 99, 10) is None
        assert round_list.found(db, everywhere, 10) == found[0]
        monkeypatch.setattr(round_list, "MANY", 2)
        assert [(one.counted, one.raters) for one in round_list.listed(db, 5, 0, 10)] == [
            (False, None), (True, None), (True, 10)
        ]  # fmt: skip
        assert round_list.found(db, everywhere, 5).raters == 9  # type: ignore[union-attr]
    assert [(one.id, one.communes, one.numbers, [name.en for name in one.names], one.raters) for one in found] == [
        (everywhere, 3, (1, 2), ["Tean Kam", "Ta Phou", "Treas"], None),
        (2, 1, (1, 1), ["Ponley"], None),
        (first, 1, (1, 1), ["Ta Phou"], 10),
    ]
    assert [one.state(today) for one in found] == ["open", "soon", "closed"]
    assert found[1].state(today + timedelta(days=1)) == "late"


def test_what_closing_destroys_is_gone_after_it(installation: Installation) -> None:
    house = installation
    round_id = open_one(house, *COMMUNES)
    rate(house, "1234512345")
    for i in range(3):
        Phone(house, number=f"+8551100000{i}").send("3 1 5 1")
    with house.store.read() as db:
        gone = round_list.what_closing_destroys(db, round_id)
    # the three SMS ask for a language first: they have rated nothing, and their talks go all the same
    assert (gone.conversations, gone.texts, gone.answers_by_sms) == (10, 3, 3)
    assert (gone.answers, gone.blocks, gone.released) == (10, 0, 0)
    assert key_files(house) == 1
    house.close_round(round_id)
    with house.store.read() as db:
        left = round_list.what_closing_destroys(db, round_id)
    assert (left.conversations, left.texts, left.released, left.near) == (0, 0, 0, 0)
    assert (left.answers, left.blocks) == (10, 1)
    assert key_files(house) == 0


# services -----------------------------------------------------------------------------------------


def test_a_new_service_gets_a_number_that_none_ever_had(installation: Installation) -> None:
    with installation.store.read() as db:
        free = rated.free_numbers(db)
    assert (free[:3], free[-1], len(free)) == ([6, 7, 10], 99, 92)
    made = do(installation, rated.add_service, 6, wording())
    assert made == "market"
    do(installation, rated.switch, made, on=False)
    with pytest.raises(Refused) as refused:
        do(installation, rated.add_service, 6, wording())
    assert refused.value.flaws == {"number": (Flaw.NUMBER, 0)}
    for number in (0, 8, 9, 100, -1):
        with pytest.raises(Refused, match="number"):
            do(installation, rated.add_service, number, wording())
    assert do(installation, rated.add_service, 10, wording()) == "market-10"
    assert do(installation, rated.add_service, 11, wording("New")) == "service-11"
    assert ["market", 6, "ផ្សារ", "Phsar", "Market"] in menu(installation)["services"]


@pytest.mark.parametrize(
    ("change", "flaws"),
    [
        ({}, {}),
        ({"name_km": ""}, {"name-km": (Flaw.MISSING, 0)}),
        ({"name_km": "រ" * 24}, {"name-km": (Flaw.SCREEN, 8)}),
        ({"name_latn": "ផ្សារ"}, {"name-km-Latn": (Flaw.SCRIPT, 0)}),
        ({"name_en": "Market and slaughterhouse"}, {"short-en": (Flaw.LETTER, 11)}),
        ({"name_en": "Market and slaughterhouse", "short_en": "Market"}, {}),
        ({"short_km": "រ" * 11}, {"short-km": (Flaw.LETTER, 1)}),
        ({"short_en": "ផ្សារ"}, {"short-en": (Flaw.SCRIPT, 0)}),
    ],
)
def test_names_fit_screens_and_the_weekly_letter(
    installation: Installation, change: dict[str, str], flaws: dict[str, tuple[Flaw, int]]
) -> None:
    assert rated.flaws_of(wording(**change)) == flaws
    before = menu(installation)
    if flaws:
        with pytest.raises(Refused):
            do(installation, rated.rename, "school", wording(**change))
        assert menu(installation) == before
    else:
        do(installation, rated.rename, "school", wording(**change))
        assert menu(installation)["services"][2][1] == 3
        assert menu(installation) != before


def test_a_service_that_an_open_round_rates_is_switched_off_by_who_is_sure(installation: Installation) -> None:
    made = str(open_one(installation, PONLEY, TA_PHOU))
    with installation.store.read() as db:
        assert (rated.rated_in(db, "health"), rated.rated_in(db, "police")) == (2, 0)
    with pytest.raises(Refused, match="SURE"):
        do(installation, rated.switch, "health", on=False)
    assert "health" in menu(installation)["rounds"][made]
    do(installation, rated.switch, "health", on=False, sure=True)
    assert "health" not in menu(installation)["rounds"][made]
    do(installation, rated.switch, "health", on=True)
    assert "health" in menu(installation)["rounds"][made]


def test_a_sensitive_service_is_off_and_switched_on_by_who_is_sure(installation: Installation) -> None:
    made = do(installation, rated.add_service, 7, wording("Courts"), sensitive=True)
    with installation.store.write() as db:
        db.execute(delete(services).where(services.c.id == "police"))
    for sure in (False, True):
        if not sure:
            with pytest.raises(Refused, match="SURE"):
                do(installation, rated.switch, made, on=True)
        else:
            do(installation, rated.switch, made, on=True, sure=True)
        with installation.store.read() as db:
            assert db.scalar(select(services.c.active).where(services.c.id == made)) is sure
