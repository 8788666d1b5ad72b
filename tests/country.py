"""A country that rates for half a year, everything that leaves the programme meanwhile, and who really was in it.

Villagers come, come again, think again, move, share phones, are helped by a volunteer, withdraw. In one commune they
dial; in the others their answers are written as the menus leave them. What leaves is kept as text: letters with their
details, and the results of rounds as JSON. `Truth` knows whose answers each figure was made of: only the judge of an
attack asks it (tests/test_attack.py).
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from gateway.contacts import contacts
from gateway.models.answers import OVERALL, answers
from gateway.models.broadcasts import broadcasts
from gateway.models.callers import remember
from gateway.models.contacts import Role
from gateway.models.editions import editions
from gateway.models.places import join_programme, places
from gateway.models.releases import letters, weekly_letters
from gateway.models.rounds import rounds
from gateway.models.services import indicators
from gateway.providers.base import UssdStep
from gateway.scorecard import results as pages
from gateway.scorecard import weekly, weekly_words
from gateway.scorecard.releases import Block
from tests.attacker import PART_OF_SCORE, FigureId, Kept, Letter, Page
from tests.conftest import COMMUNES, Installation

BY_MENU = COMMUNES[2]
"""Ta Phou: people there dial."""
MONDAY = date(2026, 11, 23)
WEEK = timedelta(days=7)
SERVICES = ("office", "health", "school", "window")
EXTRA = {"health": ("clean", "kind"), "window": ("fee",)}
WOMEN = ("woman-15-30", "woman-31")
WHO = (*WOMEN, "man-15-30", "man-31", "other", None)
SHARES = (30, 30, 15, 15, 4, 6)
"""In a hundred: more women than men answer (DOMAIN.md)."""

Answer = tuple[bytes, str | None, int]
"""Phone, who, score."""


class Cell(NamedTuple):
    """What is asked of a commune in a round."""

    round_id: int
    commune: str
    service: str
    indicator: str = OVERALL


@dataclass(repr=False)
class Truth:
    """Whose answers are where, and of whose each figure was made."""

    live: dict[Cell, dict[tuple[bytes, str | None], int]] = field(default_factory=lambda: defaultdict(dict))
    where: dict[tuple[int, bytes], dict[tuple[str | None, str, str], Cell]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    blocks: dict[Cell, list[list[Answer]]] = field(default_factory=lambda: defaultdict(list))
    untold: dict[tuple[str, str], list[Answer]] = field(default_factory=lambda: defaultdict(list))
    """Of the blocks since a commune's last letter, by service."""
    figures: dict[FigureId, list[Answer]] = field(default_factory=dict)
    kept_back: dict[tuple[str, str, date], list[Answer]] = field(default_factory=dict)
    """The scores of a commune's service that were in no block at the end of a week."""

    def gives(self, cell: Cell, phone: bytes, who: str | None, score: int) -> None:
        mine = self.where[cell.round_id, phone]
        before = mine.get((who, cell.service, cell.indicator))
        if before:
            del self.live[before][phone, who]
        mine[who, cell.service, cell.indicator] = cell
        self.live[cell][phone, who] = score

    def withdraws(self, round_id: int, phone: bytes) -> None:
        for (who, _, _), cell in self.where.pop((round_id, phone), {}).items():
            del self.live[cell][phone, who]

    def freeze(self, block: Block, phones: Collection[bytes]) -> None:
        """Notes whose answers a block has; they must come to the figures that it tells."""
        cell = Cell(block.round_id, block.commune, block.service, block.indicator)
        mine = [answer for answer in self.now(cell) if answer[0] in phones]
        counts = Counter(score for _, _, score in mine)
        assert block.figures.counts == tuple(counts[score] for score in range(1, 6)), "not what people gave"
        assert block.figures.numbers == len({phone for phone, _, _ in mine})
        self.blocks[cell].append(mine)
        if cell.indicator == OVERALL:
            self.untold[cell.commune, cell.service] += mine

    def told(self, cell: Cell) -> list[Answer]:
        return [answer for block in self.blocks.get(cell, ()) for answer in block]

    def now(self, cell: Cell) -> list[Answer]:
        women = cell.indicator == PART_OF_SCORE
        there = self.live.get(cell._replace(indicator=OVERALL) if women else cell, {})
        return [(phone, who, score) for (phone, who), score in there.items() if not women or who in WOMEN]


@dataclass(repr=False)
class Country:
    """An installation with many communes, and all that it told."""

    house: Installation
    size: int
    chance: random.Random
    busy: Sequence[float] = (3.0, 12.0, 40.0)
    """How many people come a week, by the commune."""
    dialling: float = 30.0
    """How many do in Ta Phou."""
    alike: float = 0.25
    """In how many communes nearly all judge a service alike."""
    truth: Truth = field(default_factory=Truth)
    kept: Kept = field(default_factory=Kept)
    pages_of: str = "told"
    """What pages tell of a commune while a rule is switched off, for the judge to know: `told` or `now`."""
    sums_of: str = "told"
    """The same of several communes together."""
    extra: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(EXTRA))
    each_page: bool = False
    """Whether every commune's own page is looked at each week, not only when its round closes."""

    def __post_init__(self) -> None:
        house = self.house
        more = [f"{20 + i // 800:02}{i // 20 % 40 + 1:02}{i % 20 + 1:02}" for i in range(self.size - len(COMMUNES))]
        self.codes = [*COMMUNES, *more][: self.size]
        self.open: dict[int, list[str]] = {}
        self._known: dict[tuple[int, str], list[tuple[bytes, str | None, str]]] = defaultdict(list)
        self._callers: dict[tuple[int, bytes], str] = {}
        self._people = 0
        self._mood: dict[tuple[str, str], int] = {}
        moment = datetime.combine(MONDAY, time(), house.settings.zone)
        with house.store.write() as db:
            db.execute(update(editions).values(made=moment))
            if more:
                names = [{"code": one, "level": "commune", "unit": "", "name_km": one, "name_en": f"Khum {one}"}
                         for one in more]  # fmt: skip
                db.execute(places.insert(), names)
                join_programme(db, more)
            db.execute(indicators.insert(), [
                {"id": one, "service_id": service, "place": place, "text_km": one, "text_latn": one, "text_en": one}
                for service, ones in self.extra.items() for place, one in enumerate(ones)
            ])  # fmt: skip
            council = contacts.Details(name="Sok", role=Role.COUNCILLOR, language="en", commune=BY_MENU)
            assert contacts.add(db, house.keys, "+85512000001", council, MONDAY)
            # one to hang those letters on of which only the text is made
            values = {"kind": "tally", "title": "", "texts": "{}", "audience": "{}", "stage": "approved",
                      "created": moment, "changed": moment, "start": moment, "expires": moment}  # fmt: skip
            self._letterbox = db.execute(broadcasts.insert().values(values).returning(broadcasts.c.id)).scalar_one()

    def play(self, weeks: int, plan: Sequence[tuple[Sequence[str], int, int]]) -> None:
        """Weeks of ratings, with rounds as planned: their communes, their first and their last week."""
        for index in range(weeks):
            week = MONDAY + index * WEEK
            for codes, first, _ in plan:
                if first == index:
                    self._at(week, 1)
                    self.open[self.house.open_round(*codes)] = list(codes)
            self._live_for_a_week(week)
            told = dict(self.open)
            self._at(week + timedelta(days=6), 20)
            for codes, _, last in plan:
                if last == index:
                    round_id = next(id_ for id_, mine in self.open.items() if mine == list(codes))
                    self.house.close_round(round_id)
                    del self.open[round_id]
            self._at(week + WEEK, 8)
            self._write_letters(week)
            for round_id, mine in told.items():
                self._print_pages(round_id, mine, week)

    # what people do -------------------------------------------------------------------------------

    def _live_for_a_week(self, week: date) -> None:
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        leaving: set[tuple[int, bytes]] = set()
        for round_id, codes in self.open.items():
            for index, code in enumerate(codes):
                for _ in range(self._visits(code)):
                    if code == BY_MENU:
                        self._dial(round_id)
                    else:
                        self._visit(rows, leaving, round_id, code, codes[index - 1], week)
        with self.house.store.write() as db:
            statement = self.house.store.insert(answers)
            key = list(answers.primary_key.columns)
            changed = {name: statement.excluded[name] for name in ("commune", "score", "day", "channel")}
            if rows:
                db.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), list(rows.values()))
            mine = (answers.c.round_id == bindparam("r")) & (answers.c.phone == bindparam("p"))
            if leaving:
                db.execute(delete(answers).where(mine), [{"r": one, "p": phone} for one, phone in sorted(leaving)])
        for one, phone in leaving:
            self.truth.withdraws(one, phone)

    def _visits(self, code: str) -> int:
        mean = self.dialling if code == BY_MENU else self.busy[int(code) % len(self.busy)]
        return max(0, round(self.chance.gauss(mean, mean / 2)))

    def _visit(
        self, rows: dict[tuple[Any, ...], dict[str, Any]], leaving: set[tuple[int, bytes]], round_id: int, code: str,
        neighbour: str, week: date,
    ) -> None:  # fmt: skip
        """Somebody comes; or several, whose answers a volunteer records."""
        chance, known = self.chance, self._known[round_id, code]
        kind = chance.random()
        if known and kind < 0.02:
            leaving.add((round_id, chance.choice(known)[0]))
            return
        coming: list[tuple[bytes, str | None, str]] = []
        here = code
        if known and kind < 0.12:
            coming = [chance.choice(known)]
            here = neighbour if kind < 0.05 and neighbour != BY_MENU else code
        elif known and kind < 0.25:  # another one on that phone
            coming = [(chance.choice(known)[0], self._who(), chance.choice(SERVICES))]
        else:
            for _ in range(6 if kind > 0.97 else 1):
                self._people += 1
                phone = blake2b(b"%d %d" % (round_id, self._people), digest_size=16).digest()
                coming.append((phone, self._who(), chance.choice(SERVICES)))
            known += coming
        for phone, who, service in coming:
            extra = self.extra.get(service, ()) if who and chance.random() < 0.6 else ()
            for question in (OVERALL, *(one for one in extra if one != PART_OF_SCORE)):
                cell, score = Cell(round_id, here, service, question), self._score(code, service + question)
                rater = blake2b(phone + (who or "").encode(), digest_size=16).digest()
                rows[round_id, rater, service, question] = {
                    "round_id": round_id, "rater": rater, "service_id": service, "indicator": question, "phone": phone,
                    "who": who, "commune": here, "score": score, "day": week + timedelta(days=chance.randrange(7)),
                    "channel": "assisted" if kind > 0.97 else "sms",
                }  # fmt: skip
                self.truth.gives(cell, phone, who, score)

    def _dial(self, round_id: int) -> None:
        """Somebody of Ta Phou dials: a new one, or one on a phone that was used before; or withdraws."""
        house, chance = self.house, self.chance
        with house.store.write() as db:
            key = db.scalars(select(rounds.c.key).where(rounds.c.id == round_id)).one()
            used = [number for (one, _), number in self._callers.items() if one == round_id]
            if used and chance.random() < 0.25:
                number = chance.choice(used)
            else:
                self._people += 1
                number = f"+85510{self._people:06}"
                remember(db, house.keys.lookup(number), language="en", commune=BY_MENU)
        phone = house.keys.phone(key, number)
        self._callers[round_id, phone] = number
        if number in used and chance.random() < 0.1:
            item = re.search(r"(\d) Withdraw", self._type(number, "8"))
            assert item
            self._type(number, "8", item[1], "1")
            self.truth.withdraws(round_id, phone)
            return
        service, who = chance.randrange(4), chance.randrange(5)
        digits = [str(service + 1), str(self._score(BY_MENU, SERVICES[service])), "12346"[who]]
        self.truth.gives(Cell(round_id, BY_MENU, SERVICES[service]), phone, WHO[who], int(digits[1]))
        if SERVICES[service] == "window":  # one extra question, so that which comes is certain
            digits.append(str(self._score(BY_MENU, "fee")))
            self.truth.gives(Cell(round_id, BY_MENU, "window", "fee"), phone, WHO[who], int(digits[3]))
        self._type(number, *digits)

    def _type(self, number: str, *path: str) -> str:
        self.house.clock.forward(seconds=1)
        session = f"{number} {self.house.clock.now.isoformat()}"
        return self._talks.ussd(UssdStep("africastalking", session, number, path=path)).text

    def _who(self) -> str | None:
        return self.chance.choices(WHO, SHARES)[0]

    def _score(self, code: str, question: str) -> int:
        chance = self.chance
        mood = self._mood.setdefault((code, question), 4 if chance.random() < self.alike else 0)
        return mood if mood and chance.random() < 0.96 else chance.randint(1, 5)

    # what leaves ----------------------------------------------------------------------------------

    def _write_letters(self, week: date) -> None:
        house, rows = self.house, list[dict[str, Any]]()
        with house.store.read() as db:
            councils = weekly.due(db, week)
        with house.store.write() as db:
            for council in councils:
                if council.commune != BY_MENU:
                    round_id, lines = weekly._told(db, council, week, house.settings.min_raters)
                    text, details = (
                        say(council.name, week, lines, "en") for say in (weekly_words.letter, weekly_words.details)
                    )
                    self._keep(council.commune, week, text, details)
                    rows.append({"commune": council.commune, "week": week, "copy": 1, "round_id": round_id,
                                 "lines": "[]", "broadcast": self._letterbox})  # fmt: skip
            if rows:
                db.execute(weekly_letters.insert(), rows)
        mine = [council for council in councils if council.commune == BY_MENU]
        if mine:
            assert weekly.write(house.store, house.settings, mine[0], week, house.clock.now).value == "written"
            with house.store.read() as db:
                here = (weekly_letters.c.commune == BY_MENU) & (weekly_letters.c.week == week)
                letter = db.execute(letters().where(here)).one()
                details = weekly.details(db, letter.broadcast, "en", house.settings, house.clock.now)
            self._keep(BY_MENU, week, json.loads(letter.texts)["en"], details)
        for round_id, codes in self.open.items():
            for cell in (Cell(round_id, code, service) for code in codes for service in SERVICES):
                if not self.truth.told(cell):
                    self.truth.kept_back[cell.commune, cell.service, week] = self.truth.now(cell)

    def _keep(self, commune: str, week: date, text: str, details: str) -> None:
        self.kept.letters.append(Letter(commune, week, text, details))
        for service in SERVICES:
            self.truth.figures["letter", commune, week, service] = self.truth.untold.pop((commune, service), [])

    def _print_pages(self, round_id: int, codes: Sequence[str], week: date) -> None:
        single = codes if self.each_page else codes[:: 3 if round_id not in self.open else 50]
        for mine in (codes, *([code] for code in single)):
            with self.house.store.read() as db:
                text = json.dumps(asdict(pages.results(db, round_id, mine)), default=str)
            number, told = len(self.kept.pages), self.truth.figures
            self.kept.pages.append(Page(week, text))
            for service in SERVICES:
                for question in (OVERALL, *self.extra.get(service, ())):
                    cells = [Cell(round_id, code, service, question) for code in mine]
                    of_one = [getattr(self.truth, self.pages_of)(cell) for cell in cells]
                    for cell, members in zip(cells, of_one, strict=True):
                        told["page", number, cell.commune, service, question] = members
                    if len(mine) > 1:
                        sums = [getattr(self.truth, self.sums_of)(cell) for cell in cells]
                        told["page", number, "*", service, question] = [one for members in sums for one in members]

    def _at(self, day: date, hour: int) -> None:
        """The clock and what hangs on it: programmes are read anew."""
        self.house.clock.now = datetime.combine(day, time(hour), self.house.settings.zone)
        self._talks = self.house.conversations()
