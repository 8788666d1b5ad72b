"""Every screen of every flow, in each language, for each commune of the country, fits and leads on.

A person on a phone is played: she sees one screen, presses a digit that stands on it, `9` for more, `0` for back.
"""

from __future__ import annotations

import csv
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.config import LANGUAGES, Language
from gateway.menus import flows
from gateway.menus.effects import (
    Attend,
    Discard,
    Effect,
    Identify,
    Join,
    Save,
    Speak,
    Subscribe,
    Unsubscribe,
    Withdraw,
)
from gateway.menus.engine import Talk
from gateway.menus.phrases import Name, Words
from gateway.menus.rating import SCORES, WHO
from gateway.menus.screens import Choose, Option, lay_out
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.models.services import STANDARD
from gateway.text import SMS, USSD, Limit, fits, is_gsm7, plain, units

GAZETTEER = Path(__file__).parents[2] / "shared" / "data" / "gazetteer.csv"
LIMITS = {"USSD": USSD, "SMS": SMS}
ROUND, CLOSED = 7, None
LINE = re.compile(r"(\d{1,2}) (\S.*)")
CUT_OFF = 12
"""A name cut for want of room still shows so many letters."""
LAST_WORDS = (
    "Thank you! Received.",
    "Thank you! Received. Shared phone? Delete this and the SMS you sent.",
    "Thank you!",
    "Goodbye.",
    "Done. No rating of this phone is kept in an open round.",
    "This phone gets no SMS about forums.",
    "You will get SMS about forums in {commune}. No more: send OFF.",
)

channels = pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
languages = pytest.mark.parametrize("language", LANGUAGES)


# programmes, in the shape that models/editions.py publishes them -----------------------------------

FOUR = [
    ("010303", "ពន្លៃ", "Ponley"),
    ("010407", "ទានកាំ", "Tean Kam"),
    ("010806", "តាផូ", "Ta Phou"),
    ("010807", "ទ្រាស", "Treas"),
]
ABOVE = {
    "01": ["បន្ទាយមានជ័យ", "Banteay Meanchey"],
    "0103": ["ភ្នំស្រុក", "Phnum Srok"],
    "0104": ["ព្រះនេត្រព្រះ", "Preah Netr Preah"],
    "0108": ["ស្វាយចេក", "Svay Chek"],
}
SERVICES = [[*row[:5]] for row in STANDARD]
RATED = [str(row[0]) for row in STANDARD if row[-2]]
LONG_NAMES = [
    ["vaccines", 10, "ការចាក់វ៉ាក់សាំងកុមារនៅមណ្ឌលសុខភាព", "Kar chak vaksang kumar nov mondol", "Child vaccination"],
    ["water", 6, "ប្រព័ន្ធផ្គត់ផ្គង់ទឹកស្អាតតាមបណ្តាញ", "Tuek saat tam bandanh", "Piped water supply, street lights and drains"],
    ["roads", 7, "ការជួសជុលផ្លូវលំ និងស្ពានក្នុងឃុំ", "Phlov lom nung spean", "Repair of rural roads and bridges of the commune"],
    ["market", 99, "ផ្សារ", "Phsar", "Market"],
]


QUESTIONS = [
    ["health-1", "health", "រយៈពេលរង់ចាំ", "Rong cham", "The waiting time"],
    # as long as staff may write them (scorecard/rated.py)
    [
        "health-2",
        "health",
        "ការពន្យល់អំពីការព្យាបាល"[:21],
        "Kar ponyol ompi kar pyeabal " * 3,
        "Staff explain the treatment and the medicine. " * 2,
    ],
    ["window-1", "window", "តម្លៃតាមតារាង", "Thlai tam tareang", "Façade [fees]"],
]


def forum(number: int, commune: str, starts: str, **what: Any) -> dict[str, Any]:
    """A forum as an edition has it."""
    texts = {"title": ["វេទិកា", "vetika", "forum"], "venue": ["សាលាឃុំ", "sala khum", "commune hall"],
             "note": ["", "", ""], "callback": ""}  # fmt: skip
    return {"id": number, "revision": 1, "commune": commune, "starts": starts, **texts, **what}


BEGAN = "2026-11-23T12:00:00+07:00"
PLAIN = forum(1, "010806", "2026-12-03T01:30:00+00:00")
LONGEST = forum(
    2, "010806", "2026-12-03T08:00:00+00:00",
    # as long as staff may write them (admin/meetings/forum_form.py)
    title=["វេទិកាសាធារណៈស្តីពីសេវារដ្ឋបាល និងសុខភាពឃុំលើកទីពីរ", "vetika satharonak sdey pi seva rothbal nung sokhapheap leuk 2",
           "public forum on commune administration and health services 2"],
    venue=["សាលាប្រជុំនៃវត្តព្រះនេត្រព្រះ ជិតផ្សារទឹកថ្លា ភូមិតាអ៊ុន", "sala brochum voat Preah Netr Preah, chit phsar, phum Ta Un",
           "meeting hall of Wat Preah Netr Preah, by the market of Ta Un"],
    note=["ចូលរួមដោយឥតគិតថ្លៃ មិនមានប្រាក់ធ្វើដំណើរទេ មានទឹកផ្លែឈើ និងអាហារថ្ងៃត្រង់សម្រាប់មនុស្សគ្រប់គ្នា",
          "choul ruom ot ket thlai, min mean prak thveu damnaeu te, mean tuk nung bay samrab neak teang os",
          "Free to attend; travel is not paid. There is water, and lunch for all. Bring your family book please"],
    callback="012 345 678 / 097 123 4567",
)  # fmt: skip
KHMER_ONLY = forum(3, "010806", "2026-12-10T01:30:00+00:00", title=["វេទិកាថវិកា"] * 3, venue=["វត្តតាផូ"] * 3)


def programme(
    communes: Sequence[tuple[str, str, str]],
    open_in: Sequence[str] | None = None,
    above: dict[str, list[str]] = ABOVE,
    services: Sequence[Sequence[Any]] = SERVICES,
    rated: Sequence[str] = RATED,
    forums: Sequence[dict[str, Any]] = (),
    questions: Sequence[Sequence[str]] = (),
) -> Programme:
    """A programme of these communes, numbered from 1; a round is open in all, or in those that `open_in` names."""
    is_open = {code for code, *_ in communes} if open_in is None else set(open_in)
    return Programme(1, {
        "communes": [
            [code, number, km, en, ROUND if code in is_open else CLOSED]
            for number, (code, km, en) in enumerate(communes, 1)
        ],
        "above": above,
        "services": services,
        "rounds": {str(ROUND): list(rated)} if is_open else {},
        "forums": list(forums),
        "indicators": {str(ROUND): list(questions)},
    }, ZoneInfo("Asia/Phnom_Penh"))  # fmt: skip


def caller(commune: str | None = None, **what: Any) -> Facts:
    return Facts(edition=1, language="km", commune=commune, cost="", menus=flows.VERSION, began=BEGAN, **what)


def talk(visit: Visit, limit: Limit, transcript: Sequence[str] | None = None, page: int = 0) -> Talk:
    return Talk(functools.partial(flows.dial, visit), visit.facts.language, limit, transcript, page)


# what a person sees -------------------------------------------------------------------------------


def digits_on(screen: str) -> dict[str, str]:
    """The digits that a screen offers, with their labels; `1-5` in a title offers what stands between as well."""
    shown = {found[1]: found[2] for line in screen.split("\n") if (found := LINE.fullmatch(line))}
    if title := re.match(r".* 1-([58])[:៖]?\n", screen):
        shown = {str(number): "" for number in range(1, int(title[1]) + 1)} | shown
    return {digit: label for digit, label in shown.items() if digit not in ("0", "9")}


def offers(screen: str, digit: str) -> bool:
    return any(line.startswith(f"{digit} ") for line in screen.split("\n"))


def must_be_good(screen: str, language: str, limit: Limit) -> None:
    """What holds for every screen, whatever it says."""
    assert screen.strip(), "an empty screen"
    assert fits(screen, limit), f"{units(screen)} units: {screen!r}"
    assert not re.search("[\u200b\ufeff\r\t{}]|\n\n|^\n|\n$", screen), repr(screen)
    assert plain(screen) == screen
    if language != "km" and "វេទិកាថវិកា" not in screen:  # staff wrote that in Khmer only
        assert is_gsm7(screen), f"costs more than twice the room: {screen!r}"


# the explorer ------------------------------------------------------------------------------------


@dataclass
class Explored:
    """What came to light: how many screens, all effects, and the values that a digit on the screen led to."""

    screens: set[str] = field(default_factory=set)
    effects: set[Effect] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    asked: dict[tuple[object, ...], set[str]] = field(default_factory=dict)
    reached: dict[tuple[object, ...], set[str]] = field(default_factory=lambda: defaultdict(set))

    def must_reach_every_option(self, more_than: int = 15) -> None:
        assert len(self.screens) > more_than
        for question, values in self.asked.items():
            assert self.reached[question] == values, question


def explore(programme: Programme, callers: Iterable[Facts], limit: Limit) -> Explored:
    """Presses every digit on every screen that a caller can come to, breadth first, and looks at each screen.

    Two screens lead to the same ones when question, language, commune, service and what is still to be fed are the
    same.
    """
    found = Explored()
    waiting: list[tuple[Facts, Talk, str | None, str]] = []
    for facts in (replace(facts, language=language) for facts in callers for language in LANGUAGES):
        waiting.append((facts, talk(Visit(facts, programme), limit), facts.commune, ""))
    been: set[tuple[object, ...]] = set()
    while waiting:
        facts, at, commune, service = waiting.pop(0)
        for effect in at.effects:
            commune = effect.commune if isinstance(effect, Join) else commune
            service = effect.service if isinstance(effect, Save) else service
        found.effects.update(at.effects)
        screen = at.screen
        must_be_good(screen.text, at.language, limit)
        found.screens.add(screen.text)
        if at.ended:
            found.ends.add(screen.text)
            continue
        ahead = (facts.channel, () if commune in programme.communes else facts.dialled)
        where = (at.language, commune, service, facts.draw, *ahead)
        question = (*where, bool(at.transcript), tuple(page.text for page in at._pages))
        if (*question, at.page) in been:
            continue
        been.add((*question, at.page))
        found.asked[question] = {option.value for option in at._question.options}
        again = functools.partial(talk, Visit(facts, programme), limit, at.transcript, at.page)
        must_stand_in_lines(at)
        waiting += [(facts, after, commune, service) for after in must_take_back_and_more(again)]
        for digit in digits_on(screen.text) if at._question.options else ():
            after = again()
            after.feed(digit)
            so_far = len(at.transcript)
            assert after.transcript[:so_far] == at.transcript
            assert len(after.transcript) > so_far, f"{digit} is no answer on {screen.text!r}"
            found.reached[question].add(after.transcript[so_far])
            waiting.append((facts, after, commune, service))
    return found


def must_stand_in_lines(at: Talk) -> None:
    """The title first, then each option as `n label` on a line of its own, then 9 and 0."""
    _title, *lines = at.screen.text.split("\n")
    options = [LINE.fullmatch(line) for line in lines]
    assert all(options), at.screen.text
    order = [found[1] for found in options if found]
    assert order == [digit for digit in order if digit not in ("0", "9")] + [d for d in ("9", "0") if d in order]
    assert ("9" in order) is (len(at._pages) > 1)
    assert not {"0", "9"} & {key for page in at._pages for key in page.keys}
    back = render(Words("Leave") if must_leave(at) else Words("Back"), at.language)
    assert all(found[2] == back for found in options if found and found[1] == "0")
    if "0" not in order:
        assert not fits(f"{at.screen.text}\n0 {back}", at._limit), "there was room to say how to go back"


def must_leave(at: Talk) -> bool:
    """Whether 0 leaves: on the first page of the first screen, and of one from which nothing is gone back to."""
    return not at.page and (not at.transcript or at._question.leaves)


def must_take_back_and_more(again: functools.partial[Talk]) -> tuple[Talk, Talk]:
    """0 is back or leaves, 9 is more or nothing; what is no answer brings the same screen, with a hint or without.

    Returns what came back, and what came next.
    """
    here, back, more = again(), again(), again()
    back.feed("0")
    if here.page:
        assert (back.page, back.transcript) == (here.page - 1, here.transcript)
    elif must_leave(here):
        assert back.ended
    else:
        assert back.transcript == here.transcript[:-1]
    more.feed("9")
    assert more.transcript == here.transcript
    assert (more.page != here.page) is (len(here._pages) > 1)
    wrong = again()
    for nonsense in ("x", "", "77", "*"):
        wrong.feed(nonsense)
        hint, same = wrong.screen.text[: -len(here.screen.text)], wrong.screen.text[-len(here.screen.text) :]
        assert same == here.screen.text
        assert not hint or hint.endswith("\n")
        must_be_good(wrong.screen.text, wrong.language, here._limit)
    assert not back.effects
    assert not more.effects
    return back, more


NINE = [(f"0{1 + number // 5}0{1 + number % 2}0{number + 1}", f"ឃុំ{number}", f"Khum {number}") for number in range(9)]
NINE_ABOVE = {code[:size]: [f"ស{code[:size]}", f"Place {code[:size]}"] for code, *_ in NINE for size in (2, 4)}
PROGRAMMES = {
    "four communes, a round in all": programme(FOUR),
    "four communes, a round in two": programme(FOUR, open_in=["010303", "010806"]),
    "four communes, no round": programme(FOUR, open_in=[]),
    "one commune, a round": programme(FOUR[:1]),
    "one commune, no round": programme(FOUR[:1], open_in=[]),
    "nine communes, by province and district": programme(NINE, above=NINE_ABOVE),
    "all services, some with long names": programme(
        FOUR[:1], services=[*SERVICES, *LONG_NAMES], rated=[str(s[0]) for s in (*SERVICES, *LONG_NAMES)]
    ),
    "questions beside the score": programme(FOUR, questions=QUESTIONS),
    "a round without services": programme(FOUR[:2], rated=[]),
    "one forum": programme(FOUR, forums=[PLAIN]),
    "forums with long names": programme(FOUR, forums=[PLAIN, LONGEST, KHMER_ONLY]),
    "forums, no round": programme(FOUR, open_in=[], forums=[LONGEST]),
}
CALLERS = {
    "from a commune that left": caller("999999"),
    "told the cost": replace(caller(), cost="100 riel a minute"),
    "cut off": caller(taken_up="ask", earlier=("on", "010303", "health")),
    "cut off, known": caller("010303", taken_up="ask", earlier=("menu", "language")),
    "over a deploy": caller(taken_up="quietly", earlier=("on", "010303", "health")),
    "asking for the language": caller("010303", entry="language"),
    "asking for forums": caller("010303", channel="sms", entry="forums"),
    "asking for forums, not known": caller(channel="sms", entry="forums"),
    "asking for news": caller("010303", channel="sms", entry="news"),
    "asking for news, not known": caller(channel="sms", entry="news"),
    "a volunteer": caller("010303", volunteer=1, records="010303", series="s"),
    "a volunteer, not known": caller(volunteer=1, records="010303", series="s"),
    "a volunteer, cut off": caller(
        volunteer=1, records="010303", series="s", taken_up="ask", earlier=("record", "health")
    ),
    "a volunteer, cut off in the menu": caller(
        "010303", volunteer=1, records="010303", series="s", taken_up="ask", earlier=("menu", "language")
    ),
    "by SMS": caller("010303", channel="sms"),
    "sending a whole rating": caller(channel="sms", place="3", dialled=("2",)),
    "sending a commune that is none": caller(channel="sms", place="44", dialled=("2", "5")),
}


class TestEveryScreen:
    @channels
    @pytest.mark.parametrize("name", PROGRAMMES)
    def test_of_every_programme_fits_and_every_option_can_be_reached(self, name: str, limit: Limit) -> None:
        explore(PROGRAMMES[name], [caller(), caller("010303"), caller("010806")], limit).must_reach_every_option()

    @channels
    @pytest.mark.parametrize("name", CALLERS)
    @pytest.mark.parametrize("open_in", [["010303"], []], ids=["a round in one", "no round"])
    def test_of_every_way_in_fits_and_every_option_can_be_reached(
        self, name: str, open_in: list[str], limit: Limit
    ) -> None:
        planned = [PLAIN | {"commune": "010303"}, LONGEST | {"commune": "010407"}]
        found = explore(programme(FOUR[:2], open_in, forums=planned), [CALLERS[name]], limit)
        found.must_reach_every_option(more_than=2 if CALLERS[name].entry == "news" else 15)

    @channels
    def test_leads_to_every_score_of_every_service_of_every_commune(self, limit: Limit) -> None:
        found = explore(PROGRAMMES["four communes, a round in all"], [caller(), caller(channel="sms")], limit)
        codes = [code for code, *_ in FOUR]
        assert {effect for effect in found.effects if isinstance(effect, Save)} == {
            Save(ROUND, code, service, score) for code in codes for service in RATED for score in range(1, 6)
        }
        assert {effect for effect in found.effects if isinstance(effect, Join)} == {Join(code) for code in codes}
        assert {effect for effect in found.effects if isinstance(effect, Speak)} == {Speak(code) for code in LANGUAGES}
        assert {effect.who for effect in found.effects if isinstance(effect, Identify)} == {
            option.value for option in WHO if option.value != "under-15"
        }
        assert any(isinstance(effect, Discard) for effect in found.effects)
        assert Withdraw() in found.effects
        assert Unsubscribe() in found.effects
        assert {effect for effect in found.effects if isinstance(effect, Subscribe)} == {
            Subscribe(code) for code in codes
        }
        names = [Name(km, en, en) for _code, km, en in FOUR]
        assert found.ends == {
            render(Words(last, **({"commune": name} if "{commune}" in last else {})), language)
            for language in LANGUAGES
            for last in LAST_WORDS
            for name in names
        }

    @channels
    def test_leads_to_every_answer_of_the_extra_questions_and_past_them(self, limit: Limit) -> None:
        callers = [caller("010303", draw=draw) for draw in range(2)]
        found = explore(programme(FOUR[:1], questions=QUESTIONS), callers, limit)
        saved = {effect for effect in found.effects if isinstance(effect, Save) and effect.indicator}
        whos = {option.value for option in WHO} - {"under-15"}
        assert {(one.service, one.indicator, one.score) for one in saved} == {
            (service, question, score) for question, service, *_ in QUESTIONS for score in range(1, 6)
        }
        assert {one.who for one in saved} <= whos

    @channels
    @languages
    def test_of_a_programme_without_communes_says_so_and_ends(self, language: Language, limit: Limit) -> None:
        for facts in (caller(), caller("010303"), caller(channel="sms", place="3", dialled=("2",))):
            empty = talk(Visit(replace(facts, language=language), programme([])), limit)
            must_be_good(empty.screen.text, language, limit)
            assert empty.ended
            assert empty.screen.text == render(
                Words("This service is not ready yet. Please try again later."), language
            )
            empty.feed("1")
            assert empty.ended


class TestScale:
    """A digit of the scale and of who is the same wherever it stands: posters print them."""

    @channels
    @languages
    @pytest.mark.parametrize("options", [SCORES, WHO], ids=["scores", "who"])
    def test_keeps_its_digits_on_every_page(
        self, options: tuple[Option, ...], language: Language, limit: Limit
    ) -> None:
        name = Name("ការិយាល័យច្រកចេញចូលតែមួយនៃរដ្ឋបាលឃុំ", "Kariyalai chrok chenh chol te muoy " * 3, "One-window " * 9)
        for page in lay_out(Choose(name, options), language, limit, first=False):
            must_be_good(page.text, language, limit)
            labels = {digit: label for digit, label in digits_on(page.text).items() if label}
            for number, option in enumerate(options, 1):
                assert page.keys[str(number)] == option.value
                assert labels.get(str(number), render(option.label, language)) == render(option.label, language)


# the whole country --------------------------------------------------------------------------------

needs_gazetteer = pytest.mark.skipif(
    not GAZETTEER.exists(), reason="the national gazetteer is not here: ../shared/data/gazetteer.csv"
)
Place = tuple[str, str, str]


@functools.cache
def country() -> tuple[list[Place], dict[str, list[str]]]:
    """All communes, and the provinces and districts they lie in."""
    with GAZETTEER.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    communes = [(row["code"], row["name_km"], row["name_en"]) for row in rows if row["level"] == "commune"]
    return communes, {row["code"]: [row["name_km"], row["name_en"]] for row in rows if len(row["code"]) < 6}


@functools.cache
def whole_country(is_open: bool) -> Programme:
    communes, above = country()
    return programme(communes, None if is_open else [], above)


class Eye:
    """Looks at screens; at each different one once."""

    def __init__(self, language: Language, limit: Limit) -> None:
        self._language = language
        self._limit = limit
        self._seen: set[str] = set()

    def looks_at(self, at: Talk) -> str:
        text = at.screen.text
        if text not in self._seen:
            self._seen.add(text)
            must_be_good(text, self._language, self._limit)
            if not at.ended:
                must_stand_in_lines(at)
        return text

    def turns_pages(self, at: Talk) -> Iterator[str]:
        """Every page of a question, by pressing 9 until the first one comes again."""
        first = text = self.looks_at(at)
        while True:
            yield text
            if not offers(text, "9"):
                return
            at.feed("9")
            text = self.looks_at(at)
            if text == first:
                return


def must_be_called(label: str, name: Name, language: Language) -> None:
    """A label is the place's name; where that is too long, its beginning."""
    full = plain(render(name, language))
    assert label == full or (full.startswith(label) and len(label) >= CUT_OFF), f"{label!r} for {full!r}"


screens_of_both = pytest.mark.parametrize(
    ("language", "limit"),
    # names in Latin letters are the same in both languages that are written so
    [*((language, USSD) for language in LANGUAGES), ("km", SMS), ("en", SMS)],
    ids=["USSD km", "USSD km-Latn", "USSD en", "SMS km", "SMS en"],
)


@needs_gazetteer
class TestTheWholeCountry:
    def test_has_1652_communes(self) -> None:
        assert len(country()[0]) == 1652

    @screens_of_both
    def test_every_commune_is_found_by_its_province_and_district(self, language: Language, limit: Limit) -> None:
        """From the welcome, with nothing but digits that stand on the screen, and 9."""
        all_of_it = whole_country(is_open=True)
        visit = Visit(replace(caller(), language=language), all_of_it)
        eye = Eye(language, limit)
        joined: list[str] = []
        service_lists: set[str] = set()
        waiting: list[list[str]] = [["on"]]
        while waiting:
            transcript = waiting.pop()
            at = talk(visit, limit, transcript)
            labels: list[str] = []
            for text in eye.turns_pages(at):
                for digit, label in digits_on(text).items():
                    after = talk(visit, limit, transcript, at.page)
                    after.feed(digit)
                    code = after.transcript[-1]
                    name = all_of_it.above[code] if len(code) < 6 else all_of_it.communes[code].name
                    must_be_called(label, name, language)
                    labels.append(label)
                    if after.effects:
                        assert after.effects == [Join(after.transcript[-1] if len(code) == 6 else code)]
                        joined += [effect.commune for effect in after.effects if isinstance(effect, Join)]
                        service_lists.add(eye.looks_at(after))
                    else:
                        waiting.append(after.transcript)
            assert len(set(labels)) == len(labels), f"two look alike: {labels}"
        assert sorted(joined) == [code for code, *_ in country()[0]]
        assert len(service_lists) == 1

    @screens_of_both
    def test_every_commune_is_found_in_a_programme_of_eight(self, language: Language, limit: Limit) -> None:
        communes, above = country()
        eye = Eye(language, limit)
        for start in range(0, len(communes), 8):
            eight = communes[start : start + 8]
            visit = Visit(replace(caller(), language=language), programme(eight, above=above))
            at = talk(visit, limit, ["on"])
            labels: dict[str, str] = {}
            for text in eye.turns_pages(at):
                labels |= digits_on(text)
            assert list(labels) == [str(number) for number in range(1, len(eight) + 1)]
            at.effects.clear()
            for (digit, label), (code, *_names) in zip(labels.items(), eight, strict=True):
                must_be_called(label, visit.programme.communes[code].name, language)
                at.feed(digit)
                at.feed("0")
            assert at.effects == [Join(code) for code, *_names in eight]

    @screens_of_both
    def test_every_commune_without_a_round_says_so_by_name(self, language: Language, limit: Limit) -> None:
        none_open = whole_country(is_open=False)
        eye = Eye(language, limit)
        labels = ("Forum news by SMS", "Other commune", "Language", "Who sees what")
        menu = {render(Words(label), language) for label in labels}
        for code, *_names in country()[0]:
            pages = list(eye.turns_pages(talk(Visit(replace(caller(code), language=language), none_open), limit)))
            name = render(none_open.communes[code].name, language)
            assert plain(name) in " ".join(pages[0].split("\n"))
            assert {label for page in pages for label in digits_on(page).values()} == menu

    @screens_of_both
    def test_every_commune_s_forum_is_shown_and_thanked_for(self, language: Language, limit: Limit) -> None:
        """With the longest names that staff may write: what is too long for the thanks is left out, not cut."""
        communes, above = country()
        planned = [LONGEST | {"commune": code, "id": number} for number, (code, *_names) in enumerate(communes)]
        everywhere = programme(communes, [], above, forums=planned)
        eye = Eye(language, limit)
        for number, (code, *_names) in enumerate(communes):
            facts = replace(caller(code, channel="sms", entry="forums"), language=language)
            at = talk(Visit(facts, everywhere), limit)
            shown = " ".join(text.split("\n")[0] for text in eye.turns_pages(at))
            (here,) = everywhere.forums(code, datetime.fromisoformat(BEGAN))
            for name in (everywhere.communes[code].name, here.title, here.venue, here.note):
                assert plain(render(name, language)).replace(" ", "") in shown.replace(" ", "")
            at.feed("1")
            assert eye.looks_at(at).startswith(render(Words("How many will come? 1-8"), language))
            at.feed("8")
            assert at.effects[-1] == Attend(number, 1, 8)
            assert "03/12" in eye.looks_at(at)
            for entry in ("forums", "news"):
                last = talk(Visit(replace(facts, entry=entry), everywhere), limit)
                last.feed("2")
                assert last.ended
                eye.looks_at(last)


# whatever staff may write -------------------------------------------------------------------------

khmer = st.lists(st.sampled_from(["ខ្មែ", "ស្ត្រី", "ប៉ា", "ក់", "ពោ", "ធិ៍", "ឃុំ", "ង", "៣", "។", " ", "\u200b"]), max_size=30)
latin = st.lists(st.sampled_from([*"aeiou xyz.1(", "é", "â", "€", "[", "Health centre "]), max_size=30)
names = st.one_of(khmer, latin, st.tuples(khmer, latin).map(lambda both: both[0] + both[1])).map(
    lambda parts: "".join(parts).strip("\u200b ") or "x"
)
titles = names.map(lambda name: re.sub(r"\d", "x", name))


class TestWhateverStaffWrite:
    @settings(deadline=None, max_examples=150, database=None)
    @given(
        title=titles,
        labels=st.lists(names, min_size=1, max_size=20),
        fixed=st.booleans(),
        limit=st.sampled_from(list(LIMITS.values())),
        language=st.sampled_from(LANGUAGES),
    )
    @example(title="x", labels=["ខ្មែ" * 40], fixed=False, limit=USSD, language="km")
    @example(title="x" * 100, labels=["x" * 200, "y" * 200], fixed=True, limit=USSD, language="en")
    def test_is_cut_to_pages_that_fit_and_lose_no_option(
        self, title: str, labels: list[str], fixed: bool, limit: Limit, language: Language
    ) -> None:
        numbers = [str(n) for n in range(1, 100) if n not in (8, 9)]
        options = tuple(
            Option(f"v{place}", label, key=numbers[place] if fixed else None) for place, label in enumerate(labels)
        )
        pages = lay_out(Choose(title, options), language, limit, first=True)
        offered: list[str] = []
        for page in pages:
            assert fits(page.text, limit), page.text
            assert "\u200b" not in page.text
            assert offers(page.text, "9") is (len(pages) > 1)
            offered += [page.keys[digit] for digit in digits_on(page.text)]
        assert offered == [option.value for option in options]
