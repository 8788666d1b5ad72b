"""Villagers' checks: who is counted how, when one opens and closes, the SMS that asks, what is shown to whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select

from gateway import backup
from gateway.bulk import broadcasts as sending
from gateway.bulk.letters import Audience
from gateway.menus.wording import render
from gateway.models.answers import answers
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.callers import remember
from gateway.models.conversations import conversations
from gateway.models.installation import set_pause
from gateway.models.messages import Kind
from gateway.models.promises import Standing, check_answers, checks
from gateway.models.store import Store
from gateway.privacy import Cell, Keys, may_show
from gateway.promises import asking
from gateway.promises import checks as villagers
from gateway.promises.checks import CheckFigures
from gateway.promises.commitments import Commitment, add, set_standing, show
from gateway.providers.base import UssdStep
from gateway.workers.clock import tasks
from gateway.workers.housekeeping import purge
from tests.conftest import Installation
from tests.village import TA_PHOU, Village

WELL = {"km": "ជួសជុលអណ្តូង", "km-Latn": "Chuosochul andaung", "en": "Repair the well"}
PRICES = {"km": "បិទតារាងតម្លៃ", "km-Latn": "Bet tareang thlai", "en": "Put up the price list"}
THANKS = "Thank you! Received. Shared phone? Delete this and the SMS you sent."
WHO = ("woman-15-30", "woman-31", "man-15-30", "man-31", "under-15", "other", "unsaid")
A_DAY = timedelta(days=1)


def number(n: int) -> str:
    return f"+85510000{n:03}"


@pytest.fixture
def village(installation: Installation) -> Village:
    return Village(installation)


def promise(village: Village, activity: Any = WELL, *, due: int = 3, **what: Any) -> int:
    """A commitment of Ta Phou, due so many days ahead."""
    day = village.now.date() + due * A_DAY
    one = Commitment(id=0, commune=TA_PHOU, activity=activity, responsible="Commune council", due=day, **what)
    with village.at.store.write() as db:
        return add(db, village.at.settings, one, village.author, village.at.clock.now)


def look(village: Village) -> dict[str, int]:
    """The clock looks at promises."""
    at = village.at
    return dict(asking.due(at.store, at.keys, at.settings, at.clock.now))


def asked(village: Village, activity: Any = WELL, **what: Any) -> int:
    """A commitment that villagers are asked about now."""
    made = promise(village, activity, **{"due": 0} | what)
    village.at_time(A_DAY)
    assert look(village)["opened"] == 1
    return made


def check_of(village: Village, commitment: int) -> Any:
    with village.at.store.read() as db:
        return db.execute(select(checks).where(checks.c.commitment == commitment).order_by(checks.c.id.desc())).first()


def rows(village: Village) -> list[tuple[int, str | None]]:
    """The answers kept: what was said, and who said so."""
    with village.at.store.read() as db:
        found = db.execute(select(check_answers.c.choice, check_answers.c.who))
        return sorted(((row.choice, row.who) for row in found), key=str)


def says(village: Village, n: int, choice: int, who: int = 2) -> None:
    """By the menu: there is one promise, and no round is open."""
    with village.at.store.write() as db:
        remember(db, village.at.keys.lookup(number(n)), language="en", commune=TA_PHOU)
    assert village.dials(number(n), "1", str(choice), str(who)) == (
        "Thank you!" if who == 5 else "Thank you! Received."
    )


def shown(village: Village, commitment: int, *, inside: bool) -> CheckFigures | None:
    with village.at.store.read() as db:
        return villagers.figures(db, commitment, village.at.settings, inside=inside)


def close(village: Village, commitment: int) -> None:
    at = village.at
    assert asking.close(at.store, at.keys, at.settings, check_of(village, commitment).id, at.clock.now)


# when it opens and closes -------------------------------------------------------------------------


class TestOpening:
    def test_is_on_the_day_after_it_was_due(self, village: Village) -> None:
        made = promise(village, due=3)
        village.at_time(3 * A_DAY, 23, 59)
        assert look(village) == {}
        village.at_time(A_DAY, 0, 0)
        assert look(village) == {"opened": 1}
        check = check_of(village, made)
        assert (check.opened, check.until) == (village.now.date(), village.now.date() + timedelta(days=59))
        assert village.at.keys.has_round(check.key)
        assert look(village) == {}

    @pytest.mark.parametrize("standing", [Standing.DONE, Standing.DROPPED])
    def test_is_at_once_when_it_is_said_to_be_over(self, village: Village, standing: Standing) -> None:
        made = promise(village, due=200)
        for early in (Standing.UNDER_WAY, standing):
            assert look(village) == {}
            with village.at.store.write() as db:
                set_standing(db, made, early, village.now.date(), "", village.author, village.at.clock.now)
        assert look(village) == {"opened": 1}

    def test_is_not_of_what_is_hidden_nor_of_an_old_plan(self, village: Village) -> None:
        made = promise(village, due=-1, shown=False)
        promise(village, PRICES, due=-181)
        assert look(village) == {}
        with village.at.store.write() as db:
            show(db, made, True, village.at.clock.now)
        assert look(village) == {"opened": 1}

    def test_waits_for_the_end_of_a_pause(self, village: Village) -> None:
        promise(village, due=-1)
        today = village.now.date()
        with village.at.store.write() as db:
            set_pause(db, (today, today + A_DAY))
        assert look(village) == {}
        village.at_time(2 * A_DAY)
        assert look(village) == {"opened": 1}

    def test_is_once_also_with_two_clocks(self, village: Village) -> None:
        made = promise(village, due=-1)
        at = village.at
        both = [asking.begin(at.store, at.keys, at.settings, made, at.clock.now) for _ in "ab"]
        assert [one is None for one in both] == [False, True]
        assert len(list(at.settings.keys.glob("round-*.key"))) == 1
        close(village, made)
        assert look(village) == {}  # asked once by itself; staff may ask again
        assert asking.begin(at.store, at.keys, at.settings, made, at.clock.now) is not None

    def test_is_among_what_the_clock_does(self, village: Village) -> None:
        at = village.at
        promise(village, due=-1)
        (task,) = (task for task in tasks(at.store, at.keys, at.settings) if task.name == "promises")
        assert task.do(at.clock.now) == {"opened": 1}


class TestClosing:
    def test_is_after_sixty_days(self, village: Village) -> None:
        made = asked(village)
        village.at_time(59 * A_DAY, 23, 59)
        assert look(village) == {}
        village.at_time(A_DAY, 0)
        assert look(village) == {"closed": 1}
        check = check_of(village, made)
        assert (check.closed, check.key, check.counts) == (village.now.date(), None, None)
        assert list(village.at.settings.keys.glob("round-*.key")) == []
        assert look(village) == {}

    def test_makes_counts_of_the_answers_and_removes_them(self, village: Village) -> None:
        made = asked(village)
        for n in range(16):
            says(village, n, 1 + n % 4, who=1 + n % 4)
        close(village, made)
        assert rows(village) == []
        assert json.loads(check_of(village, made).counts) == {"said": [4, 4, 4, 4], "female": 8}
        with village.at.store.read() as db:
            assert not db.execute(select(conversations).where(conversations.c.checks != "")).all()
            # who may still be on the line keeps the provider's session, and nothing else
            assert {row.transcript for row in db.execute(select(conversations))} == {""}

    def test_keeps_no_count_of_few_or_of_who_all_say_the_same(self, village: Village) -> None:
        for choices in ([1] * 12, [1, 2] * 4):
            made = asked(village, PRICES if len(choices) == 12 else WELL)
            for n, choice in enumerate(choices):
                says(village, n, choice)
            close(village, made)
            assert check_of(village, made).counts is None
            with village.at.store.write() as db:  # so that the next one is alone in the menu
                show(db, made, False, village.at.clock.now)

    @pytest.mark.parametrize("where", [(Keys, "destroy_round"), (asking, "leave_no_trace")])
    def test_that_was_stopped_half_way_is_finished(
        self, village: Village, where: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = asked(village)
        for n in range(11):
            says(village, n, 1 + n % 2)

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*where, killed)
            with pytest.raises(KeyboardInterrupt):
                close(village, made)
        frozen = check_of(village, made).counts
        assert json.loads(frozen)["said"] == [6, 5, 0, 0]
        assert look(village) == {"closed": 1}
        assert check_of(village, made).counts == frozen
        assert list(village.at.settings.keys.glob("round-*.key")) == []
        assert look(village) == {}

    def test_while_somebody_answers_says_so(self, village: Village) -> None:
        made = asked(village)
        with village.at.store.write() as db:
            remember(db, village.at.keys.lookup(number(1)), language="en", commune=TA_PHOU)
        talks = village.at.conversations()
        for path in ((), ("1",)):
            talks.ussd(UssdStep("simulator", "s", number(1), path=path))
        close(village, made)
        screen = talks.ussd(UssdStep("simulator", "s", number(1), path=("1", "1")))
        assert screen.text == "This question has closed. The answer was not kept. Thank you."
        assert rows(village) == []


# who is counted how -------------------------------------------------------------------------------


class TestAnswers:
    def test_one_number_and_who_counts_once_and_the_last_wins(self, village: Village) -> None:
        asked(village)
        says(village, 1, 1, who=2)
        says(village, 1, 3, who=2)
        assert rows(village) == [(3, "woman-31")]
        says(village, 1, 2, who=4)  # another of the family
        says(village, 2, 4, who=2)
        assert rows(village) == [(2, "man-31"), (3, "woman-31"), (4, "woman-31")]

    def test_of_who_tells_no_who_counts_and_is_taken_over_when_it_is_answered_again(self, village: Village) -> None:
        asked(village)
        with village.at.store.write() as db:
            remember(db, village.at.keys.lookup(number(1)), language="en", commune=TA_PHOU)
        village.dials(number(1), "1", "3")
        assert rows(village) == [(3, None)]
        says(village, 1, 1, who=2)
        assert rows(village) == [(1, "woman-31")]

    def test_of_who_is_under_15_is_not_kept(self, village: Village) -> None:
        asked(village)
        says(village, 1, 1, who=2)
        says(village, 1, 3, who=5)
        assert rows(village) == [(1, "woman-31")]

    def test_stepping_back_over_who_gives_the_talk_to_another(self, village: Village) -> None:
        asked(village)
        made = promise(village, PRICES, due=-1)
        assert look(village)["opened"] == 1
        with village.at.store.write() as db:
            remember(db, village.at.keys.lookup(number(1)), language="en", commune=TA_PHOU)
        # the price list, yes, a woman; then the well, no; back to the well and to who: a man
        village.dials(number(1), "1", "1", "1", "2")
        assert rows(village) == [(1, "woman-31")]
        village.dials(number(1), "1", "1", "1", "2", "0", "4", "3")
        assert rows(village) == [(1, "man-31"), (3, "man-31")]
        assert made

    def test_and_ratings_of_one_talk_are_of_one_who(self, village: Village) -> None:
        """Somebody answers, tells who they are, steps back to the services and rates: the last who told holds."""
        village.at.open_round()
        asked(village)
        with village.at.store.write() as db:
            remember(db, village.at.keys.lookup(number(1)), language="en", commune=TA_PHOU)
        village.dials(number(1), "8", "1", "1")
        village.dials(number(2), "1", "3", "8", "1", "2", "0", "0", "0", "1", "5", "4")
        assert rows(village) == [(1, None), (2, "man-31")]
        with village.at.store.read() as db:
            assert [tuple(row) for row in db.execute(select(answers.c.score, answers.c.who))] == [(5, "man-31")]

    def test_are_withdrawn_with_the_ratings(self, village: Village) -> None:
        asked(village)
        says(village, 1, 1)
        says(village, 2, 2)
        with village.at.store.write() as db:
            villagers.withdraw(db, village.at.keys, number(1))
        assert rows(village) == [(2, "woman-31")]

    def test_without_its_key_is_not_taken_and_nothing_else_stops(self, village: Village) -> None:
        made = asked(village)
        village.at.keys.destroy_round(check_of(village, made).key)
        with village.at.store.write() as db:
            remember(db, village.at.keys.lookup(number(1)), language="en", commune=TA_PHOU)
        assert "closed" in village.dials(number(1), "1", "1")
        close(village, made)

    def test_a_repeated_request_counts_nothing_and_a_dropped_call_is_not_taken_up(self, village: Village) -> None:
        asked(village)
        with village.at.store.write() as db:
            remember(db, village.at.keys.lookup(number(1)), language="en", commune=TA_PHOU)
        talks = village.at.conversations()
        for path in ((), ("1",), ("1", "2"), ("1", "2")):
            screen = talks.ussd(UssdStep("simulator", "s", number(1), path=path))
        assert screen.text.startswith("You are:")
        assert rows(village) == [(2, None)]
        # the next who takes the phone sees nothing of it
        assert "cut off" not in talks.ussd(UssdStep("simulator", "t", number(1), path=())).text


class Family(RuleBasedStateMachine):
    """Two phones, several people, two promises: whatever they press, a plain recount agrees.

    The model knows only calls: what was answered in one, and as whom.
    """

    village: Village

    def __init__(self) -> None:
        super().__init__()
        with self.village.at.store.write() as db:
            db.execute(delete(check_answers))
            db.execute(delete(conversations))
            for n in (1, 2):
                remember(db, self.village.at.keys.lookup(number(n)), language="en", commune=TA_PHOU)
        self.kept: dict[tuple[int, int, str | None], int] = {}
        self.calls = 0

    @rule(
        phone=st.sampled_from((1, 2)),
        steps=st.lists(st.sampled_from(("1", "2", "3", "4", "5", "0", "0", "7", "x")), max_size=9),
        again=st.booleans(),
    )
    def calls_and_presses(self, phone: int, steps: Sequence[str], again: bool) -> None:
        self.calls += 1
        self.village.at.clock.forward(minutes=11)  # no call is taken up again
        talks, typed = self.village.at.conversations(), ("1", *steps[: self._play(phone, steps)])
        for end in range(len(typed) + 1):
            for _ in range(2 if again else 1):
                talks.ussd(UssdStep("simulator", f"c{self.calls}", number(phone), path=typed[:end]))

    def _play(self, phone: int, steps: Sequence[str]) -> int:
        """The list of two, one's question, who, the other one's question; `0` is back, wrong digits do nothing.

        Returns after how many steps the call ended, or left the list.
        """
        where, who, mine = ["list"], None, set[int]()
        chosen = 0
        told: str | None = None  # as whom the talk's answers are kept

        def answered(check: int, choice: int) -> None:
            nonlocal told
            if who is None and told is not None:
                self._let_go(phone, mine, told)
                told = None
            mine.add(check)
            self.kept[phone, check, who] = choice

        for pressed, key in enumerate(steps, 1):
            at = where[-1]
            if key == "0":
                where.pop()
                if not where:
                    return pressed
                if where[-1] in ("first", "who", "list"):
                    who = None
            elif at == "list" and key in "12":
                chosen = int(key)
                where.append("first")
            elif at == "first" and key in "1234":
                answered(chosen, int(key))
                where.append("who")
            elif at == "who" and key in "1234567":
                if told is not None:
                    self._let_go(phone, mine, told)
                    told = None
                if key == "5":
                    for check in mine:
                        self.kept.pop((phone, check, None), None)
                    return pressed
                who = told = WHO[int(key) - 1]
                for check in mine:
                    if (phone, check, None) in self.kept:
                        self.kept[phone, check, who] = self.kept.pop((phone, check, None))
                where.append("second")
            elif at == "second" and key in "1234":
                answered(3 - chosen, int(key))
                return pressed
        return len(steps)

    def _let_go(self, phone: int, mine: set[int], told: str) -> None:
        for check in mine:
            said = self.kept.pop((phone, check, told), None)
            if said is not None:
                self.kept.setdefault((phone, check, None), said)

    @invariant()
    def what_is_kept_is_what_was_said(self) -> None:
        with self.village.at.store.read() as db:
            found = {(row.phone, row.check_id, row.who): row.choice for row in db.execute(select(check_answers))}
            keys = dict(row.tuple() for row in db.execute(select(checks.c.id, checks.c.key)))
        expected = {
            (self.village.at.keys.phone(keys[check], number(phone)), check, who): choice
            for (phone, check, who), choice in self.kept.items()
        }
        assert found == expected


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whatever_a_family_presses_is_counted_as_it_was_meant(village: Village) -> None:
    promise(village, WELL, due=-2)
    promise(village, PRICES, due=-1)
    assert look(village)["opened"] == 2
    Family.village = village
    steps = settings(
        deadline=None, max_examples=40, stateful_step_count=12, database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Family, settings=steps)


# figures ------------------------------------------------------------------------------------------


class TestFigures:
    def test_are_live_for_staff_and_frozen_for_others(self, village: Village) -> None:
        made = asked(village)
        for n in range(9):
            says(village, n, 1 + n % 3, who=1 + n % 4)
        assert shown(village, made, inside=True) is None  # nine phones
        says(village, 9, 4)
        assert shown(village, made, inside=True) is None  # who does not know does not make them ten
        says(village, 10, 1)
        live = CheckFigures(yes=4, partly=3, no=3, unknown=1, female=6, is_open=True)
        assert shown(village, made, inside=True) == live
        assert (live.n, live.percent) == (10, 40)
        assert shown(village, made, inside=False) is None
        close(village, made)
        for inside in (True, False):
            assert shown(village, made, inside=inside) == replace(live, is_open=False)

    def test_count_phones_for_the_threshold_and_people_for_n(self, village: Village) -> None:
        made = asked(village)
        for n in range(10):
            for who in (2, 4) if n < 4 else (2,):
                says(village, n, 1 + n % 2, who)
        found = shown(village, made, inside=True)
        assert found
        assert (found.n, found.female) == (14, 10)
        with village.at.store.write() as db:
            villagers.withdraw(db, village.at.keys, number(9))
        assert shown(village, made, inside=True) is None  # 13 people of 9 phones

    def test_are_hidden_where_all_who_know_say_the_same(self, village: Village) -> None:
        made = asked(village)
        for n in range(15):
            says(village, n, 1 if n < 12 else 4)
        assert shown(village, made, inside=True) is None

    def test_reach_everybody_a_week_after_the_council_and_not_in_a_pause(self, village: Village) -> None:
        made = asked(village)
        for n in range(12):
            says(village, n, 1 + n % 2)
        close(village, made)
        closed, at = village.now.date(), village.at

        def told(day: date) -> bool:
            with at.store.read() as db:
                return villagers.public_figures(db, made, day) is not None

        assert [told(closed + n * A_DAY) for n in (0, 6, 7, 8)] == [False, False, True, True]
        with at.store.write() as db:
            set_pause(db, (closed + 8 * A_DAY, closed + 9 * A_DAY))
        assert [told(closed + n * A_DAY) for n in (7, 8, 9, 10)] == [True, False, False, True]

    @pytest.mark.parametrize(
        ("language", "alone", "together"),
        [
            ("km", "ឃុំ៖ រួចហើយ", "ឃុំ៖ រួចហើយ អ្នកភូមិ៖ 62% ថាធ្វើហើយ ក្នុង 34 នាក់"),
            ("km-Latn", "Khum: ruoch haoy", "Khum: ruoch haoy; neak phum: 62% tha haoy knong 34 neak"),
            ("en", "Council: done", "Council: done; villagers: 62% yes of 34"),
        ],
    )
    def test_stand_beside_the_official_state(self, language: str, alone: str, together: str) -> None:
        assert render(villagers.standing_words(Standing.DONE, None), language) == alone
        figures = CheckFigures(21, 5, 8, 3, 17)
        assert render(villagers.standing_words(Standing.DONE, figures), language) == together

    def test_of_any_answers_agree_with_a_plain_recount(self, village: Village) -> None:
        made = asked(village)
        check = check_of(village, made).id
        given = [(n, 1 + (n * 7) % 4, WHO[(n * 3) % 7]) for n in range(23)] + [(n, 2, "woman-31") for n in range(5)]
        last: dict[tuple[int, str], int] = {}
        for n, choice, who in given:
            with village.at.store.write() as db:
                villagers.answer(db, village.at.keys, check, number(n), who, choice)
            last[n, who] = choice
        know = {key: choice for key, choice in last.items() if choice < 4}
        counts = tuple(sum(choice == one for choice in know.values()) for one in (1, 2, 3))
        found = shown(village, made, inside=True)
        assert may_show(Cell(counts, len({n for n, _ in know})), 10)
        assert found
        assert found.counts == counts
        assert found.female == sum(who.startswith("woman") for _, who in know)
        assert found.unknown == len(last) - len(know)


# by SMS -------------------------------------------------------------------------------------------


class TestSms:
    PEOPLE = (1, 2, 3)

    @pytest.fixture
    def waiting(self, village: Village) -> int:
        """A promise of a forum's, about which an SMS waits for approval. One of the people has stopped, one reads
        Khmer."""
        for n in self.PEOPLE:
            village.joins(number(n), "km" if n == 3 else "en")
        village.stops(number(2))
        forum = village.invited()
        village.inbox(number(1)), village.inbox(number(3))
        village.replies(forum, number(9), 1)  # by the menu: never asked for news
        village.at_time(20 * A_DAY)
        return asked(village, forum=forum)

    def sms(self, village: Village, commitment: int) -> Any:
        with village.at.store.read() as db:
            return db.execute(select(broadcasts).where(broadcasts.c.commitment == commitment)).one()

    def send(self, village: Village, commitment: int) -> None:
        with village.at.store.write() as db:
            row = self.sms(village, commitment)
            sending.approve(db, village.at.settings, row.id, village.approver, village.at.clock.now)
        village.post()

    def test_waits_for_a_second_persons_approval(self, village: Village, waiting: int) -> None:
        row = self.sms(village, waiting)
        check = check_of(village, waiting)
        assert (row.kind, row.stage, row.author, row.key) == (Kind.CHECK, Stage.WAITING, None, f"check {check.id}")
        assert Audience.from_json(row.audience) == Audience(communes=(TA_PHOU,), told=(row.forum or 1,))
        assert json.loads(row.texts)["en"] == (
            f"RCEDO: promised in Ta Phou: Repair the well, by {village.now - A_DAY:%d/%m}. Was it done?"
            " 1=yes 2=partly 3=no 4=don't know. OFF=stop"
        )
        assert row.expires.date() == check.until
        assert village.post() == 0

    def test_asks_who_came_or_joined_each_in_their_language_and_takes_the_answer(
        self, village: Village, waiting: int
    ) -> None:
        self.send(village, waiting)
        assert {n for n in (1, 2, 3, 9) if village.phones.inboxes[number(n)]} == {1, 3, 9}
        assert "ធ្វើឬនៅ?" in village.inbox(number(3))[0]
        # the invitation it never answered is over; the check is the newest question
        assert village.texts(number(1), "1").startswith("You are:\n1 Woman 15-30")
        assert rows(village) == [(1, None)]
        assert village.texts(number(1), "2") == THANKS
        assert rows(village) == [(1, "woman-31")]
        assert village.texts(number(3), "៣").startswith("អ្នកជា៖")
        assert village.texts(number(3), "4").startswith("អរគុណ! បានទទួលហើយ។")
        assert rows(village) == [(1, "woman-31"), (3, "man-31")]
        # the last answer wins, and nothing tells the next who takes the phone what was said before
        village.at.clock.forward(minutes=11)
        assert village.texts(number(1), "2").startswith("You are:")
        assert village.texts(number(1), "2") == THANKS
        assert rows(village) == [(2, "woman-31"), (3, "man-31")]

    @pytest.mark.parametrize("wrong", ["5", "0", "2 people", "12"])
    def test_says_what_would_be_an_answer(self, village: Village, waiting: int, wrong: str) -> None:
        self.send(village, waiting)
        said = "Repair the well Was it done? Reply 1 yes, 2 partly, 3 no, 4 don't know."
        assert village.texts(number(1), wrong) == said
        assert rows(village) == []

    def test_of_what_closed_is_no_question_any_more(self, village: Village, waiting: int) -> None:
        self.send(village, waiting)
        close(village, waiting)
        assert "Was it done" not in village.texts(number(1), "1")
        assert rows(village) == []

    def test_is_not_sent_once_the_check_is_closed(self, village: Village, waiting: int) -> None:
        close(village, waiting)
        assert self.sms(village, waiting).stage == Stage.CANCELLED

    def test_waits_in_quiet_hours_and_in_a_pause(self, village: Village, waiting: int) -> None:
        today = village.now.date()
        with village.at.store.write() as db:
            set_pause(db, (today, today + A_DAY))
        self.send(village, waiting)
        assert not village.phones.inboxes[number(1)]
        village.at_time(2 * A_DAY, 7, 59)
        village.post()
        assert not village.phones.inboxes[number(1)]
        village.at_time(village.now, 8)
        village.post()
        assert len(village.inbox(number(1))) == 1

    def test_may_be_answered_until_the_check_closes(self, village: Village, waiting: int) -> None:
        """Numbers of other messages go after thirty days."""
        self.send(village, waiting)
        village.inbox(number(1))
        village.at_time(59 * A_DAY)
        purge(village.at.store, village.at.settings, village.at.clock.now)
        assert village.texts(number(1), "1").startswith("You are:")
        assert rows(village) == [(1, None)]

    def test_is_not_written_where_there_is_nobody(self, village: Village) -> None:
        made = asked(village)
        with village.at.store.read() as db:
            assert db.execute(select(broadcasts).where(broadcasts.c.commitment == made)).first() is None


# a backup -----------------------------------------------------------------------------------------


def test_a_restored_check_that_was_closed_since_stays_closed_and_tells_nothing(village: Village, tmp_path: Any) -> None:
    made = asked(village)
    for n in range(12):
        says(village, n, 1 + n % 2)
    at = village.at
    file = tmp_path / "old.mati"
    backup.backup(at.store, at.keys, file, at.clock.now)
    close(village, made)
    folder = tmp_path / "new"
    folder.mkdir()
    other = Store(f"sqlite:///{folder / 'mati.sqlite'}")
    restored = backup.restore(at.settings, other, at.keys, file, at.clock.now)
    assert restored.closed == 1
    with other.read() as db:
        row = db.execute(select(checks)).one()
        assert (row.closed, row.counts) == (village.now.date(), None)
        assert db.scalar(select(func.count()).select_from(check_answers)) == 0
    with suppress(StopIteration):
        assert asking.close_due(other, at.keys, at.settings, at.clock.now) == 1
    other.close()
