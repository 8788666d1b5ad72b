"""A second, simple opinion on the menus: whatever people press, both agree on what is shown and what is rated.

The model below reads the screens as a person does (`1 Label`) and keeps its own idea of where the talk is: a pile of
questions, popped by `0`. It knows nothing of transcripts, replays, facts and pages laid out.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, event, select, update

from gateway.config import LANGUAGES
from gateway.menus import days, flows
from gateway.menus.engine import Screen
from gateway.menus.phrases import Name, Words
from gateway.menus.wording import render
from gateway.models import editions, metadata
from gateway.models.answers import answers
from gateway.models.callers import callers
from gateway.models.contacts import contacts
from gateway.models.forums import forum_replies, forums
from gateway.models.places import communes
from gateway.models.rounds import rounds
from gateway.models.services import indicators, services
from gateway.providers.base import UssdEnd, UssdStep
from tests.conftest import COMMUNES, Clock, Installation

PHONES = ("+85510000001", "+85512000002")
WHOLE_PATH, LAST_INPUT = "africastalking", "simulator"
NAMES = ("Health centre", "Hospital", "House of health")
SCORES = ("1", "2", "3", "4", "5")
WHO = {
    "Woman 15-30": "woman-15-30",
    "Woman over 30": "woman-31",
    "Man 15-30": "man-15-30",
    "Man over 30": "man-31",
    "Under 15": "under-15",
    "Other": "other",
    "No answer": "unsaid",
}
QUESTIONS = {
    "health-1": "Waiting time", "health-2": "Medicine", "health-3": "Respect", "window-1": "Fees",
}  # fmt: skip
"""The extra questions, whose ids begin with their service's."""
OVERALL = "overall"
DIAL_AGAIN = "Something went wrong. Please dial again."
TEN_MINUTES = timedelta(minutes=10)
PHNOM_PENH = ZoneInfo("Asia/Phnom_Penh")
PLACES = {
    code: (km, en, en)
    for code, (km, en) in zip(
        COMMUNES, (("ពន្លៃ", "Ponley"), ("ទានកាំ", "Tean Kam"), ("តាផូ", "Ta Phou"), ("ទ្រាស", "Treas")), strict=True
    )
}


def said(english: str, language: str) -> str:
    return render(Words(english), language)


# the model ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planned:
    """A forum; staff may move or cancel it."""

    commune: str
    starts: datetime
    revision: int = 1
    cancelled: bool = False

    def said(self, number: int, language: str) -> str:
        """How a list names it."""
        moment = render(days.moment(self.starts), language)
        return f"{moment}{'៖' if language == 'km' else ':'} Forum {number}"


@dataclass
class Programme:
    """What staff have set up; a call keeps a copy of what was so when it began."""

    services: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {
            "office": (1, "Commune office"),
            "health": (2, NAMES[0]),
            "school": (3, "Primary school"),
            "window": (4, "One-window office"),
        }
    )
    off: set[str] = field(default_factory=set)
    """Services and communes that are switched off."""
    rounds: dict[str, int] = field(default_factory=dict)
    """The open round of a commune."""
    rated: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The services of an open round."""
    asked: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The extra questions of an open round."""
    forums: dict[int, Planned] = field(default_factory=dict)

    def questions(self, commune: str, service: str) -> set[str]:
        """What may be asked about a service of a commune beside the score."""
        there = self.asked.get(self.rounds.get(commune, 0), ())
        return {one for one in there if one.startswith(f"{service}-") and one not in self.off}

    def communes(self) -> list[str]:
        return [code for code in COMMUNES if code not in self.off]

    def rateable(self, commune: str) -> dict[str, str]:
        """Digits and services that may be rated in a commune."""
        ids = [s for s in self.rated.get(self.rounds.get(commune, 0), ()) if s not in self.off]
        return {str(self.services[s][0]): s for s in ids}

    def coming(self, commune: str, began: datetime) -> dict[int, Planned]:
        """The forums of a commune that were still to come then."""
        return {n: f for n, f in self.forums.items() if f.commune == commune and not f.cancelled and f.starts > began}


@dataclass(frozen=True)
class Question:
    """Where a talk is: what is asked, in which language, of which commune and service."""

    kind: str
    language: str
    commune: str = ""
    service: str = ""
    forum: int = 0
    place: int = 0
    """Of an extra question: the first or the second."""


@dataclass(eq=False)
class Call:
    """A call as the model understands it."""

    phone: str
    provider: str
    session: str
    programme: Programme
    language: str
    commune: str | None
    version: int
    began: datetime
    waits: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    pile: list[Question] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    page: int = 0
    typed: list[str] = field(default_factory=list)
    dialled: int = 0
    shown: dict[int, Screen] = field(default_factory=dict)
    touched: datetime = field(init=False, repr=False)
    ending: str = ""
    notice: bool = False
    rated: list[tuple[str, str]] = field(default_factory=list)
    """What was answered: services, each with the question."""
    who: str | None = None
    drawn: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The extra questions that came, by commune and service."""
    round: int = 0
    resumed: bool = False
    left_alone: bool = False
    """The provider said that it was completed."""
    purged: bool = False
    replayed_from: int = 0
    """A deploy came before this input."""

    @property
    def now(self) -> Question:
        return self.pile[-1]


class Model:
    """What ought to be kept."""

    def __init__(self, default_language: str) -> None:
        self.default_language = default_language
        self.programme = Programme()
        self.known: dict[str, tuple[str | None, str | None]] = {}
        self.open: set[int] = set()
        self.ratings: dict[tuple[int, str, str | None, tuple[str, str]], tuple[str, int]] = {}
        self.heads: dict[tuple[int, str], int] = {}
        self.news: dict[str, tuple[str, str]] = {}
        """Who asked for news: in which language, of which commune."""
        self.now: datetime
        self.calls: list[Call] = []
        self.version = 0

    # how a call goes ----------------------------------------------------------------------------

    def begin(self, call: Call, *, live: bool = True) -> None:
        """The first question after what a redial asks."""
        if not call.programme.communes():
            call.ending = said("This service is not ready yet. Please try again later.", call.language)
        elif call.commune in call.programme.communes():
            self.home(call, call.language, str(call.commune))
            if live:
                self.take_waiting(call)
        else:
            call.pile.append(Question("welcome", call.language))

    def home(self, call: Call, language: str, commune: str) -> None:
        kind = "service" if call.programme.rateable(commune) else "menu"
        call.pile.append(Question(kind, language, commune))

    def take_waiting(self, call: Call) -> None:
        """The digits of a dialled path, as far as they fit."""
        if call.now.kind != "service":
            return
        for digit in call.waits:
            if call.ending:
                return
            value = self.fixed(call).get(western(digit))
            if value is None:
                call.notice = True
                return
            self.choose(call, value)

    def fixed(self, call: Call) -> dict[str, str]:
        """Digits that mean the same on every page of the question."""
        match call.now.kind:
            case "service":
                return call.programme.rateable(call.now.commune) | {"8": "menu"}
            case "score":
                return {score: score for score in SCORES}
            case "extra":
                return {score: score for score in SCORES} | {"6": "skip"}
            case "who":
                return {str(number): who for number, who in enumerate(WHO.values(), 1)}
            case "forum":
                return {"1": "come", "2": "not"}
            case "heads":
                return {str(heads): str(heads) for heads in range(1, 9)}
            case "commune" | "other-commune":
                return {str(COMMUNES.index(code) + 1): code for code in call.programme.communes()}
        return {}

    def labels(self, call: Call) -> dict[str, str]:
        """What the options of the question are called, and what they stand for."""
        language = call.now.language
        match call.now.kind:
            case "ask":
                named = {"Go on": "on", "Start again": "anew"}
            case "welcome":
                named = {"Go on": "on", "Khmer abc": "km-Latn", "English": "en"}
            case "score" | "extra":
                named = dict(zip(("Very dissatisfied", "Dissatisfied", "Acceptable", "Satisfied", "Very satisfied"),
                                 SCORES, strict=True))  # fmt: skip
                if call.now.kind == "extra":
                    named |= {"Skip": "skip"}
            case "who":
                named = WHO
            case "menu":
                named = {"Forum news by SMS": "news", "Language": "language", "Who sees what": "protection"}
                if call.programme.coming(call.now.commune, call.began):
                    named |= {"Forums": "forums"}
                if len(call.programme.communes()) > 1:
                    named = {"Other commune": "commune"} | named
                if any(call.programme.rounds.get(code) for code in call.programme.communes()):
                    named |= {"Withdraw my ratings": "withdraw"}
            case "language":
                return {"ខ្មែរ" if language == "km" else "Khmer": "km", "Khmer abc": "km-Latn", "English": "en"}
            case "withdraw":
                named = {"Yes, remove": "yes", "No": "no"}
            case "news":
                named = {"Yes": "yes", "No": "no"}
            case "forum":
                named = {"We come": "come", "We do not come": "not"}
            case "forums":
                coming = call.programme.coming(call.now.commune, call.began)
                return {forum.said(number, language): str(number) for number, forum in coming.items()}
            case _:
                return {}
        return {said(label, language): value for label, value in named.items()}

    def choose(self, call: Call, value: str) -> None:
        """Goes on from the question with a value."""
        now = call.now
        call.values.append(value)
        match now.kind, value:
            case "ask", "on":
                self.begin(call)
                for again in call.earlier:
                    self.choose(call, again)
            case "ask", _:
                self.begin(call)
            case "welcome", "on":
                call.pile.append(Question("commune", now.language))
            case "welcome", language:
                self.speak(call, language)
                call.pile.append(Question("welcome", language))
            case "commune", code:
                self.join(call, code)
                self.home(call, now.language, code)
                self.take_waiting(call)
            case "service", "menu":
                call.pile.append(replace(now, kind="menu"))
            case "service", service:
                call.pile.append(replace(now, kind="score", service=service))
            case "score", score:
                self.save(call, int(score))
            case "who", who:
                self.identify(call, who)
            case "extra", answer:
                self.answer(call, answer)
            case "menu", "commune":
                call.pile.append(replace(now, kind="other-commune"))
            case "menu", "forums":
                first, *others = call.programme.coming(now.commune, call.began)
                call.pile.append(replace(now, kind="forums") if others else replace(now, kind="forum", forum=first))
            case "forums", number:
                call.pile.append(replace(now, kind="forum", forum=int(number)))
            case "forum", "come":
                call.pile.append(replace(now, kind="heads"))
            case "forum", _:
                self.attend(call, 0)
            case "heads", heads:
                self.attend(call, int(heads))
            case "news", answer:
                self.ask_for_news(call, answer == "yes")
            case "menu", kind:
                call.pile.append(replace(now, kind=kind))
            case "other-commune", code:
                self.join(call, code)
                self.home(call, now.language, code)
            case "language", language:
                self.speak(call, language)
                self.home(call, language, now.commune)
            case "withdraw", "yes":
                for key in [key for key in self.ratings if key[0] in self.open and key[1] == call.phone]:
                    del self.ratings[key]
                call.ending = said("Done. No rating of this phone is kept in an open round.", now.language)
            case "withdraw", "no":
                self.home(call, now.language, now.commune)

    def back(self, call: Call) -> None:
        if call.page:
            call.page -= 1
        elif call.values:
            call.values.pop()
            call.pile.pop()
            call.pages = []
        else:
            call.ending = said("Goodbye.", call.now.language)

    # what it does -------------------------------------------------------------------------------

    def speak(self, call: Call, language: str) -> None:
        self.known[call.phone] = (language, self.known.get(call.phone, (None, None))[1])
        if call.phone in self.news:
            self.news[call.phone] = (language, self.news[call.phone][1])

    def join(self, call: Call, commune: str) -> None:
        self.known[call.phone] = (self.known.get(call.phone, (None, None))[0], commune)

    def save(self, call: Call, score: int) -> None:
        now = call.now
        round_id = call.programme.rounds[now.commune]
        if round_id not in self.open:
            closed = "This round has closed. The rating was not kept. Thank you."
            call.ending = said(closed, now.language)
            return
        self.let_go(call, round_id)
        self.ratings[round_id, call.phone, None, (now.service, OVERALL)] = (now.commune, score)
        call.rated.append((now.service, OVERALL))
        call.round = round_id
        call.pile.append(replace(now, kind="who"))

    def identify(self, call: Call, who: str) -> None:
        now = call.now
        round_id = call.programme.rounds[now.commune]
        self.let_go(call, round_id)
        for what in [key[3] for key in self.ratings if key[:3] == (round_id, call.phone, None)]:
            if who != "under-15":
                self.ratings[round_id, call.phone, who, what] = self.ratings.pop((round_id, call.phone, None, what))
            elif what[0] in {service for service, _ in call.rated}:
                del self.ratings[round_id, call.phone, None, what]
        if who == "under-15":
            call.ending = said("Thank you!", now.language)
            return
        call.who = who
        self.ask_more(call, 1)

    def ask_more(self, call: Call, place: int) -> None:
        """The extra questions, at most two."""
        if place <= min(2, len(call.programme.questions(call.now.commune, call.now.service))):
            call.pile.append(replace(call.now, kind="extra", place=place))
        else:
            call.ending = said("Thank you! Received.", call.now.language)

    def answer(self, call: Call, answer: str) -> None:
        now = call.now
        if answer != "skip":
            asked = call.drawn[now.commune, now.service][now.place - 1]
            key = (call.programme.rounds[now.commune], call.phone, call.who, (now.service, asked))
            self.ratings[key] = (now.commune, int(answer))
            call.rated.append((now.service, asked))
        self.ask_more(call, now.place + 1)

    def let_go(self, call: Call, round_id: int) -> None:
        """Who steps back over who they are, has not said it yet: what they answered is the phone's alone again."""
        who, call.who = call.who, None
        for what in set(call.rated) if who is not None and round_id == call.round else ():
            if found := self.ratings.pop((round_id, call.phone, who, what), None):
                self.ratings.setdefault((round_id, call.phone, None, what), found)

    def attend(self, call: Call, heads: int) -> None:
        number, language = call.now.forum, call.now.language
        shown, now = call.programme.forums[number], self.programme.forums[number]
        if now.cancelled or now.revision != shown.revision or now.starts <= self.now:
            changed = "This forum was moved or cancelled just now. Your answer was not kept. Please ask again."
            call.ending = said(changed, language)
            return
        self.heads[number, call.phone] = heads
        date = days.day(shown.starts)
        if heads:
            thanks = Words("Thank you! See you {date}, {time}, at {venue}.")
            call.ending = render(thanks.given(date=date, time=days.hour(shown.starts), venue="Hall"), language)
            return
        name = Words("{commune} forum").given(commune=Name(*PLACES[call.now.commune]))
        words = Words("Thank you. You do not come: {forum} {date}.").given(forum=name, date=date)
        call.ending = render(words, language)

    def ends(self, call: Call) -> datetime:
        """When the forum that a call shows has begun."""
        return call.programme.forums[call.now.forum].starts

    def ask_for_news(self, call: Call, wants: bool) -> None:
        language = call.now.language
        if wants:
            known = self.known.get(call.phone, (None, None))[0]
            self.news[call.phone] = (known or self.default_language, call.now.commune)
            words = Words("You will get SMS about forums in {commune}. No more: send OFF.")
            call.ending = render(words.given(commune=Name(*PLACES[call.now.commune])), language)
        else:
            self.news.pop(call.phone, None)
            call.ending = said("This phone gets no SMS about forums.", language)

    def deployed(self, call: Call) -> None:
        """New flows: the question is asked again from its first page; what waited is forgotten."""
        call.version = self.version
        call.waits, call.pages, call.page = (), [], 0
        if call.pile[0].kind == "ask" and len(call.pile) > 1:
            del call.pile[0], call.values[0]

    def dropped(self, phone: str, now: datetime) -> Call | None:
        """The call that a redial is asked about."""
        mine = [c for c in self.calls if c.phone == phone and not c.purged and c.touched > now - TEN_MINUTES]
        last = max(mine, key=lambda call: call.touched, default=None)
        if last is None or last.ending or last.left_alone or last.round or last.resumed or not last.values:
            return None
        return last


def western(digits: str) -> str:
    return digits.strip().translate({0x17E0 + digit: str(digit) for digit in range(10)})


def khmer(digits: str) -> str:
    return digits.translate({ord(str(digit)): chr(0x17E0 + digit) for digit in range(10)})


def options(page: str) -> dict[str, str]:
    """Digits and labels on a screen."""
    found = (re.fullmatch(r"(\d+) (.*)", line) for line in page.split("\n"))
    return {match[1]: match[2] for match in found if match}


Style = Callable[[str], str]
Move = tuple[str, int, Style]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["onward"] * 6 + ["option"] * 3 + ["back"] * 2 + ["more", "nonsense"]),
        st.integers(0, 11),
        st.sampled_from([str, str, khmer, " {} ".format]),
    ),
    min_size=1,
    max_size=9,
)
TO_FORUMS = st.lists(
    st.tuples(
        st.sampled_from(["to_forums"] * 10 + ["option", "back"]),
        st.integers(0, 11),
        st.sampled_from([str, khmer]),
    ),
    min_size=1,
    max_size=8,
)


# both, side by side -------------------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """Two phones, two providers, staff, and time."""

    house: Installation
    patch: pytest.MonkeyPatch

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock = self.house.clock
        self.patch.setattr(flows, "VERSION", "0")
        self.patch.setattr("secrets.randbelow", random.Random(6).randrange)
        empty(self.house)
        self.processes = [self.house.conversations(), self.house.conversations()]
        self.model = Model(self.house.settings.default_language)
        self.owners: dict[bytes, str] = {}

    # people -------------------------------------------------------------------------------------

    @rule(
        phone=st.sampled_from(PHONES),
        provider=st.sampled_from([WHOLE_PATH, LAST_INPUT]),
        path=st.sampled_from(["", "", "", "2", "2*5", "3*1*2", "២*៤*7", "2*9", "1*3*5", "4*4*1", "7*5", "*2*5"]),
        moves=MOVES,
    )
    def somebody_dials(self, phone: str, provider: str, path: str, moves: list[Move]) -> None:
        model, dialled = self.model, tuple(path.split("*")) if path else ()
        self.clock.forward(seconds=1)
        before = None if dialled else model.dropped(phone, self.clock.now)
        session = f"s{len(model.calls)}"
        if before is not None:
            before.resumed = True
            call = Call(phone, provider, session, before.programme, before.language, before.commune,
                        model.version, before.began, earlier=tuple(before.values), resumed=True)  # fmt: skip
            call.pile.append(Question("ask", call.language))
        else:
            language, commune = model.known.get(phone, (None, None))
            call = Call(phone, provider, session, deepcopy(model.programme),
                        language or model.default_language, commune, model.version, self.clock.now,
                        waits=dialled)  # fmt: skip
            model.begin(call)
        call.typed, call.dialled = list(dialled), len(dialled)
        model.calls.append(call)
        self.compare(call)
        self.press(call, moves)

    @rule(which=st.integers(0, 3), minutes=st.sampled_from([0, 5, 9, 11]), moves=MOVES)
    @precondition(lambda self: self.live())
    def somebody_is_cut_off_and_dials_again(self, which: int, minutes: int, moves: list[Move]) -> None:
        live = self.live()
        call = live[which % len(live)]
        self.clock.forward(minutes=minutes)
        self.somebody_dials(call.phone, call.provider, "", moves)

    @rule(phone=st.sampled_from(PHONES), provider=st.sampled_from([WHOLE_PATH, LAST_INPUT]), moves=TO_FORUMS)
    def somebody_asks_about_forums(self, phone: str, provider: str, moves: list[Move]) -> None:
        self.somebody_dials(phone, provider, "", moves)

    @rule(which=st.integers(0, 3), moves=MOVES | TO_FORUMS)
    @precondition(lambda self: self.live())
    def somebody_goes_on(self, which: int, moves: list[Move]) -> None:
        live = self.live()
        self.press(live[which % len(live)], moves)

    @rule(how=st.integers(0, 3), moves=TO_FORUMS)
    @precondition(lambda self: any(call.now.forum for call in self.live()))
    def a_forum_changes_while_somebody_looks_at_it(self, how: int, moves: list[Move]) -> None:
        call = next(call for call in self.live() if call.now.forum)
        if how == 2:
            self.clock.now = max(self.clock.now, min(call.touched + timedelta(minutes=9), self.model.ends(call)))
        else:
            self.change_forum(call.now.forum, cancel=how == 3)
        self.press(call, moves)

    def press(self, call: Call, moves: list[Move]) -> None:
        for move, which, style in moves:
            if call.ending:
                return
            getattr(self, move)(call, which, style)

    def onward(self, call: Call, which: int, style: Style) -> None:
        """The shortest way to a rating."""
        keys = {key: value for key, value in self.model.fixed(call).items() if value != "menu"}
        if keys:
            key = sorted(keys)[which % len(keys)]
            self.type(call, style(key), keys[key])
        else:
            self.option(call, 0, style)

    def option(self, call: Call, which: int, style: Style) -> None:
        """One of the options on the screen, or a digit that the question takes on every page."""
        fixed = self.model.fixed(call)
        keys = fixed or {key: label for key, label in options(call.pages[call.page]).items() if key not in "09"}
        if call.now.kind == "protection" or not keys:
            self.more(call, which, style)
            return
        key = sorted(keys)[which % len(keys)]
        self.type(call, style(key), fixed[key] if fixed else self.model.labels(call)[keys[key]])

    def to_forums(self, call: Call, which: int, style: Style) -> None:
        """The shortest way to a forum's answer."""
        fixed, printed = self.model.fixed(call), options(call.pages[call.page])
        means = fixed or {key: self.model.labels(call).get(label, "") for key, label in printed.items()}
        way = [key for key, value in means.items() if value in ("on", COMMUNES[0], "menu", "forums", "come")]
        if way:
            self.type(call, style(way[0]), means[way[0]])
        elif "9" in printed and call.now.kind == "menu":
            self.more(call, which, style)
        else:
            self.option(call, which, style)

    def nonsense(self, call: Call, which: int, style: Style) -> None:
        self.type(call, ("", "x", "#", "77", "🙂", "1a", "-2", "0 0", "6789", "១២", ".", "²")[which], None)

    def back(self, call: Call, which: int, style: Style) -> None:
        printed = options(call.pages[call.page]).get("0")
        does = "Back" if call.page or call.values else "Leave"
        assert printed in (None, said(does, call.now.language)), call.pages[call.page]
        self.type(call, style("0"), "back")

    def more(self, call: Call, which: int, style: Style) -> None:
        has_more = options(call.pages[call.page]).get("9") == said("More", call.now.language)
        self.type(call, style("9"), "more" if has_more else None)

    @rule(which=st.integers(0, 3), back=st.integers(0, 4))
    @precondition(lambda self: self.model.calls)
    def a_provider_repeats(self, which: int, back: int) -> None:
        """A request that was answered comes again: the last one, or (where it carries its path) an older one."""
        call = self.model.calls[-1 - which % len(self.model.calls)]
        if call.left_alone or self.clock.now - call.touched >= TEN_MINUTES:
            return
        last = len(call.typed)
        count = max(call.dialled, last - back)
        screen = self.request(call, count)
        if call.purged:
            assert screen == Screen(said(DIAL_AGAIN, self.house.settings.default_language), True)
            return
        plays = call.provider == WHOLE_PATH or count == call.dialled
        assert screen == call.shown[count if plays and count >= call.replayed_from else last]

    # what else happens --------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(["time_passes"] * 3 + ["provider_says_it_is_over", "deploy", "staff_switch",
                                                    "staff_rename", "staff_open_a_round", "staff_close_a_round",
                                                    "staff_plan_a_forum", "staff_plan_a_forum",
                                                    "staff_change_a_forum"]),
        which=st.integers(0, 3),
    )  # fmt: skip
    def meanwhile(self, what: str, which: int) -> None:
        getattr(self, what)(which)

    def time_passes(self, which: int) -> None:
        self.clock.forward(minutes=(1, 4, 9, 11)[which])

    def provider_says_it_is_over(self, which: int) -> None:
        for call in self.live()[-2:][which % 2 :][:1]:
            completed = which < 2
            self.processes[0].ussd_ended(UssdEnd(call.provider, call.session, completed, "told"))
            call.left_alone |= completed

    def deploy(self, which: int) -> None:
        self.model.version += 1
        self.patch.setattr(flows, "VERSION", str(self.model.version))
        self.processes = [self.house.conversations(), self.house.conversations()]

    def staff_switch(self, which: int) -> None:
        code = (COMMUNES[0], "health", "school", "health-2")[which]
        self.model.programme.off ^= {code}
        table = communes if code in COMMUNES else indicators if code in QUESTIONS else services
        column = table.c.code if code in COMMUNES else table.c.id
        self.publish(update(table).where(column == code).values(active=code not in self.model.programme.off))

    def staff_rename(self, which: int) -> None:
        name = NAMES[which % len(NAMES)]
        self.model.programme.services["health"] = (2, name)
        self.publish(update(services).where(services.c.id == "health").values(name_en=name))

    @initialize(which=st.sampled_from([1, 2, 3]))
    def staff_plan_a_forum(self, which: int) -> None:
        number = len(self.model.programme.forums) + 1
        if number > 4:
            return
        starts = (self.clock.now + timedelta(minutes=(9, 60, 6000, 600)[which])).astimezone(PHNOM_PENH)
        self.model.programme.forums[number] = Planned(COMMUNES[which == 3], starts)
        title, venue = (dict.fromkeys(LANGUAGES, text) for text in (f"Forum {number}", "Hall"))
        values = {
            "id": number, "commune": COMMUNES[which == 3], "title": json.dumps(title), "inviter": "RCEDO",
            "starts": starts, "venue": json.dumps(venue), "note": "{}", "approved": True, "created": self.clock.now,
        }  # fmt: skip
        self.publish(forums.insert().values(values))

    def staff_change_a_forum(self, which: int) -> None:
        planned = self.model.programme.forums
        numbers = [number for number, forum in planned.items() if not forum.cancelled]
        if not numbers:
            return
        self.change_forum(numbers[which % len(numbers)], cancel=which == 3)

    def change_forum(self, number: int, *, cancel: bool) -> None:
        planned = self.model.programme.forums
        if cancel:
            planned[number] = replace(planned[number], cancelled=True)
        else:
            starts = planned[number].starts + timedelta(days=1)
            planned[number] = replace(planned[number], starts=starts, revision=planned[number].revision + 1)
        new = planned[number]
        values = {"starts": new.starts, "revision": new.revision, "cancelled": new.cancelled}
        self.publish(update(forums).where(forums.c.id == number).values(values))

    @initialize(which=st.sampled_from([0, 0, 3, None]))
    def a_round_may_be_open(self, which: int | None) -> None:
        if which is not None:
            self.staff_open_a_round(which)

    def staff_open_a_round(self, which: int) -> None:
        programme = self.model.programme
        codes = [code for code in programme.communes() if code not in programme.rounds][: 2 if which == 3 else None]
        if not codes:
            return
        new = self.house.open_round(*codes)
        programme.rounds |= dict.fromkeys(codes, new)
        programme.rated[new] = tuple(s for s in programme.services if s not in programme.off)
        programme.asked[new] = tuple(
            one for one in QUESTIONS if not {one, one.partition("-")[0]} & programme.off
        )  # fmt: skip
        self.model.open.add(new)
        with self.house.store.read() as db:
            key = db.scalar(select(rounds.c.key).where(rounds.c.id == new))
        self.owners |= {self.house.keys.phone(str(key), phone): phone for phone in PHONES}

    def staff_close_a_round(self, which: int) -> None:
        if not self.model.open:
            return
        closing = min(self.model.open)
        self.house.close_round(closing)
        programme = self.model.programme
        programme.rounds = {code: number for code, number in programme.rounds.items() if number != closing}
        del programme.rated[closing]
        self.model.open.remove(closing)
        for call in self.model.calls:
            call.purged |= call.round == closing
        if which:
            self.staff_open_a_round(which)

    # inside -------------------------------------------------------------------------------------

    def live(self) -> list[Call]:
        """Calls that may go on. One purged gets the answer that repeats get, so it is no use here."""
        recent = self.clock.now - TEN_MINUTES
        over = [c for c in self.model.calls if c.ending or c.purged or c.left_alone]
        return [c for c in self.model.calls if c not in over and c.touched > recent]

    def publish(self, statement: Any) -> None:
        with self.house.store.write() as db:
            db.execute(statement)
            editions.publish(db, self.clock.now)

    def request(self, call: Call, count: int) -> Screen:
        if call.provider == WHOLE_PATH or count <= call.dialled:
            step = UssdStep(call.provider, call.session, call.phone, path=tuple(call.typed[:count]))
        else:
            step = UssdStep(call.provider, call.session, call.phone, last=call.typed[count - 1], position=count)
        return self.processes[count % 2].ussd(step)

    def type(self, call: Call, typed: str, meant: str | None) -> None:
        """An input, and what the model makes of it: a value, `back`, `more`, or nothing."""
        self.clock.forward(seconds=1)
        self.model.now = self.clock.now
        call.typed.append(typed)
        call.notice = False
        if call.version != self.model.version:
            self.model.deployed(call)
            call.replayed_from = len(call.typed)
        elif meant is None:
            call.notice = True
        elif meant == "back":
            self.model.back(call)
        elif meant == "more":
            call.page += 1
        else:
            call.pages, call.page = [], 0
            self.model.choose(call, meant)
        self.compare(call)

    def compare(self, call: Call) -> None:
        """The screen that comes, beside what the model expects."""
        call.touched = self.clock.now
        screen = call.shown[len(call.typed)] = self.request(call, len(call.typed))
        if call.ending:
            assert screen == Screen(call.ending, True)
            return
        assert not screen.ends
        text = screen.text
        if call.notice:
            first, _, rest = text.partition("\n")
            text = rest if first in notices(call.now.language) else text
        if call.page == len(call.pages):
            if call.pages and text == call.pages[0]:
                call.page = 0  # after the last page comes the first
            else:
                call.pages.append(text)
        assert text == call.pages[call.page]
        if call.now.kind == "extra":
            self.compare_question(call, text)
        self.compare_options(call, options(text))

    def compare_question(self, call: Call, text: str) -> None:
        """An extra question is one of those about the service, the same whenever it comes, and never comes twice."""
        now = call.now
        asked = next(one for one, title in QUESTIONS.items() if text.startswith(f"{title} 1-5"))
        assert asked in call.programme.questions(now.commune, now.service)
        drawn = call.drawn.setdefault((now.commune, now.service), [])
        if len(drawn) < now.place:
            drawn.append(asked)
        assert drawn[now.place - 1] == asked
        assert len(set(drawn)) == len(drawn)

    def compare_options(self, call: Call, printed: dict[str, str]) -> None:
        """What is printed is what the digits mean."""
        labels, fixed, language = self.model.labels(call), self.model.fixed(call), call.now.language
        if labels and not fixed and "9" not in printed:
            assert set(labels) == {label for key, label in printed.items() if key != "0"}
        for key, label in printed.items():
            if key in "09" or call.now.kind == "protection":
                continue
            if labels and fixed:
                assert labels[label] == fixed[key]
            elif labels:
                assert label in labels
            else:
                assert key in fixed
                if language == "en" and call.now.kind == "service" and fixed[key] != "menu":
                    assert label == call.programme.services[fixed[key]][1]

    @invariant()
    def the_same_is_kept(self) -> None:
        with self.house.store.read() as db:
            rows = db.execute(select(answers)).all()
        live = [r for r in rows if r.round_id in self.model.open]
        kept = {
            (r.round_id, self.owners[r.phone], r.who, (r.service_id, r.indicator)): (r.commune, r.score) for r in live
        }
        assert len(kept) == len(live), "two raters where there is one"
        assert kept == {key: given for key, given in self.model.ratings.items() if key[0] in self.model.open}
        # whose the answers of a closed round are, nobody knows any more
        over = [(r.round_id, r.who, (r.service_id, r.indicator), r.commune, r.score) for r in rows if r not in live]
        assert Counter(over) == Counter(
            (round_id, who, what, *given)
            for (round_id, _phone, who, what), given in self.model.ratings.items()
            if round_id not in self.model.open
        )

    @invariant()
    def the_same_people_come(self) -> None:
        with self.house.store.read() as db:
            replies = db.execute(select(forum_replies)).all()
            asked = db.execute(select(contacts)).all()
        phones = {self.house.keys.lookup(phone): phone for phone in PHONES}
        assert {(row.forum_id, phones[row.phone]): row.heads for row in replies} == self.model.heads
        assert {phones[row.phone]: (row.language, row.commune) for row in asked} == self.model.news


def notices(language: str) -> Iterator[str]:
    """What is said to an input that is no answer."""
    yield from (said(words, language) for words in ("Reply with one of the numbers.", "Reply 0 or 9.", "Reply 0."))
    numbers = [str(number) for number in range(1, 9)]
    between = Words("Reply with one number, {first} to {last}.").msgid
    for first in numbers:
        yield from (render(Words(between, first=first, last=last), language) for last in numbers)


def empty(house: Installation) -> None:
    """As it was at the beginning, with no round and nobody known."""
    with house.store.write() as db:
        of_rounds = [t for t in metadata.sorted_tables if any(key.column.table is rounds for key in t.foreign_keys)]
        for table in (forum_replies, forums, contacts, *reversed(of_rounds), rounds, indicators, callers):
            db.execute(delete(table))
        for place, (one, title) in enumerate(QUESTIONS.items()):
            texts = dict.fromkeys(("text_km", "text_latn", "text_en"), title)
            service = one.partition("-")[0]
            db.execute(indicators.insert().values(id=one, service_id=service, place=place, **texts))
        db.execute(update(communes).values(active=True))
        db.execute(update(services).where(services.c.number < 5).values(active=True))
        db.execute(update(services).where(services.c.id == "health").values(name_en=NAMES[0]))
        editions.publish(db, house.clock.now)


@pytest.mark.parametrize("language", ["en", "km"])
def test_the_menus_keep_what_a_simple_model_of_them_keeps(
    installation: Installation, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # no test cuts the power, and the disk takes most of the time
    if installation.store.is_sqlite:
        event.listen(installation.store.engine, "connect", lambda db, _: db.execute("PRAGMA synchronous=OFF"))
        installation.store.close()

    class Here(Machine):
        house = replace(installation, settings=installation.settings.model_copy(update={"default_language": language}))
        patch = monkeypatch

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=80 if installation.store.is_sqlite else 20,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
