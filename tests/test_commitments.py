"""Commitments: what is kept and what is refused, how far they are, what they add up to, what villagers are told.

Source: DOMAIN.md, table, row 7, and Wording.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway import demo_promises
from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import Audience
from gateway.models import editions
from gateway.models.broadcasts import Stage
from gateway.models.messages import Kind
from gateway.models.promises import Standing, checks, commitment_changes, commitment_sources
from gateway.models.promises import commitments as table
from gateway.models.releases import council_replies
from gateway.promises import commitments, notices, plans
from gateway.promises.commitments import Commitment, Gone, Hangs, Source, Wanted
from gateway.promises.facts import round_of
from gateway.promises.money import Currency
from gateway.promises.rules import ACTIVITY, Flaw, NotKept
from gateway.text import units
from tests.conftest import COMMUNES, Installation
from tests.village import TA_PHOU, Village

USD, KHR = Currency.USD, Currency.KHR
SREY, BORA = "+85510000001", "+85510000002"
TODAY = date(2026, 11, 23)
HEALTH = {
    "km": "មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា",
    "km-Latn": "mondol sokhapheap boek dol maong 5",
    "en": "health centre open until 5pm from 1 April",
}


@pytest.fixture
def village(installation: Installation) -> Village:
    """It is a Monday noon."""
    return Village(installation)


def promise(**changes: Any) -> Commitment:
    """A commitment of Ta Phou, due in a month; not kept."""
    usual = Commitment(0, TA_PHOU, HEALTH, "commune council", TODAY + timedelta(days=30))
    return replace(usual, **changes)


def add(village: Village, one: Commitment | None = None, **changes: Any) -> int:
    at = village.at
    with at.store.write() as db:
        return commitments.add(db, at.settings, one or promise(**changes), village.author, at.clock.now)


def find(village: Village, commitment: int) -> Commitment:
    with village.at.store.read() as db:
        found = commitments.find(db, commitment)
    assert found is not None
    return found


def stand(village: Village, commitment: int, standing: Standing, day: date = TODAY, note: str = "") -> None:
    with village.at.store.write() as db:
        commitments.set_standing(db, commitment, standing, day, note, village.author, village.at.clock.now)


def count(village: Village, what: Any) -> int:
    with village.at.store.read() as db:
        return db.scalar(select(func.count()).select_from(what)) or 0


def closed_round(village: Village, *communes: str) -> int:
    made = village.at.open_round(*communes)
    village.at.close_round(made)
    return made


# keeping ------------------------------------------------------------------------------------------


class TestAdding:
    def test_keeps_all_of_it(self, village: Village) -> None:
        given = promise(
            forum=village.plan(), round_id=village.at.open_round(), proposed_by="women's group", place="Pongro",
            quantity="2 wells", starts=TODAY, beneficiaries=410, female=230, currency=USD, cost=425733,
            sources=(Source("local", 100000, USD), Source("UNDEF", 325733, USD)), shown=False,
        )  # fmt: skip
        kept = find(village, made := add(village, given))
        assert kept == replace(given, id=made)
        assert (kept.commune_name.en, kept.round_number, kept.price and kept.price.en) == ("Ta Phou", 1, "4,257.33 USD")

    def test_tidies_what_was_typed(self, village: Village) -> None:
        kept = find(village, add(village, activity={"km": " ជីក\u200bអណ្តូង  ទឹក។ ", "en": "A  well."}, place="\tPongro\n"))
        assert (kept.activity, kept.place) == ({"km": "ជីកអណ្តូង ទឹក", "en": "A well"}, "Pongro")
        assert kept.label.latn == "A well"  # another language stands in

    def test_begins_the_history(self, village: Village) -> None:
        made = add(village)
        with village.at.store.read() as db:
            (first,) = commitments.history(db, made)
        assert (first.standing, first.day, first.by) == (Standing.PLANNED, TODAY, "sokha")

    def test_of_the_very_same_twice_adds_it_once(self, village: Village) -> None:
        assert add(village) == add(village) == add(village)
        assert add(village, place="Pongro") != add(village)
        assert count(village, table) == 2

    def test_makes_an_edition_so_that_menus_know_it(self, village: Village) -> None:
        before = count(village, editions.editions)
        made = add(village)
        assert count(village, editions.editions) == before + 1
        with village.at.store.write() as db:
            commitments.show(db, made, False, village.at.clock.now)
        assert count(village, editions.editions) == before + 2


WRONG: Sequence[tuple[dict[str, Any], str, Flaw]] = (
    ({"commune": "999999"}, "commune", Flaw.COMMUNE),
    ({"round_id": 77}, "round", Flaw.ROUND),
    ({"forum": 77}, "forum", Flaw.FORUM),
    ({"activity": {"en": "A well"}}, "activity-km", Flaw.NO_ACTIVITY),
    ({"activity": {"km": "\u200b "}}, "activity-km", Flaw.NO_ACTIVITY),
    ({"activity": {"km": "ក" * (ACTIVITY.units + 1)}}, "activity-km", Flaw.TOO_LONG_FOR_A_SCREEN),
    ({"activity": {"km": "ក", "en": "a" * (ACTIVITY.septets + 1)}}, "activity-en", Flaw.TOO_LONG_FOR_A_SCREEN),
    ({"activity": {"km": "ក", "en": "≠" * (ACTIVITY.units + 1)}}, "activity-en", Flaw.TOO_LONG_FOR_A_SCREEN),
    ({"activity": {"km": "ក {name}"}}, "activity-km", Flaw.BRACES),
    ({"responsible": " "}, "responsible", Flaw.EMPTY),
    ({"place": "a" * 101}, "place", Flaw.TOO_LONG),
    ({"starts": TODAY, "due": TODAY - timedelta(days=1)}, "due", Flaw.DUE_FIRST),
    ({"due": date(2206, 11, 23)}, "due", Flaw.FAR_OFF),
    ({"starts": date(26, 11, 23)}, "starts", Flaw.FAR_OFF),
    ({"beneficiaries": -1}, "beneficiaries", Flaw.NEGATIVE),
    ({"beneficiaries": 10_000_001}, "beneficiaries", Flaw.TOO_BIG),
    ({"beneficiaries": 10, "female": 11}, "female", Flaw.MORE_FEMALE),
    ({"female": 3}, "beneficiaries", Flaw.NO_TOTAL),
    ({"cost": 100}, "currency", Flaw.NO_CURRENCY),
    ({"currency": USD, "cost": -1}, "cost", Flaw.NEGATIVE),
    ({"currency": USD, "cost": 10_000_000_01}, "cost", Flaw.TOO_BIG),
    ({"currency": KHR, "cost": 150}, "cost", Flaw.RIEL),
    ({"currency": USD, "cost": 300, "sources": (Source("a", 200, USD), Source("b", 101, USD))}, "cost", Flaw.OVER_COST),
    ({"currency": USD, "cost": 300, "sources": (Source("a", 100, KHR),)}, "amount-1", Flaw.OTHER_CURRENCY),
    ({"currency": USD, "sources": (Source("a", 1, USD), Source("b", -1, USD))}, "amount-2", Flaw.NEGATIVE),
    ({"currency": USD, "sources": (Source("", 1, USD),)}, "source-1", Flaw.WITHOUT_PAYER),
    ({"currency": USD, "sources": (Source("UNDEF", 1, USD), Source("undef ", 1, USD))}, "source-2", Flaw.TWICE),
    ({"currency": USD, "sources": tuple(Source(f"{n}", 1, USD) for n in range(21))}, "sources", Flaw.MANY_SOURCES),
)  # fmt: skip


class TestRules:
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize(("changes", "about", "flaw"), WRONG)
    def test_refuse_what_is_wrong_where_it_is_wrong(
        self, village: Village, changes: dict[str, Any], about: str, flaw: Flaw
    ) -> None:
        with pytest.raises(NotKept) as problem:
            add(village, **changes)
        assert [(one.about, one.flaw) for one in problem.value.wrongs] == [(about, flaw)]
        assert "{" not in str(problem.value).removeprefix("activity-km: no braces here")
        assert count(village, table) == 0

    def test_tell_all_that_is_wrong_at_once(self, village: Village) -> None:
        with pytest.raises(NotKept) as problem:
            add(village, responsible="", activity={}, beneficiaries=-3)
        assert {one.about for one in problem.value.wrongs} == {"responsible", "activity-km", "beneficiaries"}

    def test_refuse_a_round_and_a_forum_of_another_commune(self, village: Village) -> None:
        forum, elsewhere = village.plan(), village.at.open_round(COMMUNES[0])
        with pytest.raises(NotKept) as problem:
            add(village, round_id=elsewhere)
        assert problem.value.wrongs[0].flaw is Flaw.ROUND
        with pytest.raises(NotKept) as problem:
            add(village, commune=COMMUNES[0], forum=forum)
        assert problem.value.wrongs[0].flaw is Flaw.FORUM

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_let_pass_what_is_just_right(self, village: Village) -> None:
        add(village, activity={"km": "ក" * ACTIVITY.units, "en": "a" * ACTIVITY.septets}, starts=TODAY, due=TODAY)
        add(village, currency=USD, cost=0, sources=())
        add(village, currency=USD, cost=300, sources=(Source("a", 200, USD), Source("b", 100, USD)))
        add(village, currency=KHR, sources=(Source("district", 150_000_00, KHR),))  # the whole is not known
        add(village, beneficiaries=0, female=0)


# changing -----------------------------------------------------------------------------------------


class TestChanging:
    def test_an_edit_leaves_how_far_it_is(self, village: Village) -> None:
        made = add(village, currency=USD, cost=500, sources=(Source("a", 500, USD),))
        stand(village, made, Standing.DONE)
        at = village.at
        with at.store.write() as db:
            new = promise(id=made, responsible="health centre", sources=())
            commitments.edit(db, at.settings, new, at.clock.now)
        kept = find(village, made)
        assert (kept.responsible, kept.cost, kept.sources, kept.standing) == ("health centre", None, (), Standing.DONE)
        assert kept.changed
        assert kept.created
        assert kept.changed > kept.created

    def test_the_history_grows_and_a_wrong_entry_is_corrected_by_another(self, village: Village) -> None:
        made = add(village)
        stand(village, made, Standing.DONE, note="all open")
        stand(village, made, Standing.UNDER_WAY, note="the entry before was wrong")
        with village.at.store.read() as db:
            entries = commitments.history(db, made)
        assert [(entry.standing, entry.note) for entry in entries] == [
            (Standing.UNDER_WAY, "the entry before was wrong"), (Standing.DONE, "all open"), (Standing.PLANNED, ""),
        ]  # fmt: skip
        assert find(village, made).standing == Standing.UNDER_WAY

    def test_a_second_click_adds_no_entry(self, village: Village) -> None:
        made = add(village)
        for _click in range(3):
            stand(village, made, Standing.DONE, note="all open")
        assert count(village, commitment_changes) == 2

    def test_one_entered_by_mistake_is_removed_with_all_of_it(self, village: Village) -> None:
        made, other = add(village, currency=USD, sources=(Source("a", 5, USD),)), add(village, place="Pongro")
        with village.at.store.write() as db:
            commitments.remove(db, made, village.at.clock.now)
        assert [count(village, one) for one in (table, commitment_changes, commitment_sources)] == [1, 1, 0]
        assert find(village, other)

    @pytest.mark.parametrize("hanging", ["check", "broadcast", "reply"])
    def test_one_on_which_something_hangs_is_not_removed(self, village: Village, hanging: str) -> None:
        made, now = add(village), village.at.clock.now
        with village.at.store.write() as db:
            if hanging == "check":
                db.execute(checks.insert().values(commitment=made, opened=TODAY, until=TODAY))
            elif hanging == "reply":
                values = {"commune": TA_PHOU, "week": TODAY, "text": "soon", "received": now, "commitment": made}
                db.execute(council_replies.insert().values(values))
            else:
                notices.draft(db, village.at.settings, made, 1, None, now)
        with pytest.raises(Hangs), village.at.store.write() as db:
            commitments.remove(db, made, now)
        assert find(village, made)

    @pytest.mark.parametrize("hanging", ["check", "broadcast"])
    def test_one_that_villagers_know_of_stays_in_its_commune(self, village: Village, hanging: str) -> None:
        at, made, elsewhere = village.at, add(village), COMMUNES[0]
        with at.store.write() as db:  # nobody was asked yet: a slip is mended
            commitments.edit(db, at.settings, promise(id=made, commune=elsewhere), at.clock.now)
            commitments.edit(db, at.settings, promise(id=made), at.clock.now)
        with at.store.write() as db:
            if hanging == "check":
                db.execute(checks.insert().values(commitment=made, opened=TODAY, until=TODAY, closed=TODAY))
            else:
                notices.draft(db, at.settings, made, 1, None, at.clock.now)
        with pytest.raises(NotKept) as problem, at.store.write() as db:
            commitments.edit(db, at.settings, promise(id=made, commune=elsewhere, responsible=""), at.clock.now)
        wrongs = [(one.about, one.flaw) for one in problem.value.wrongs]
        assert wrongs == [("commune", Flaw.STAYS), ("responsible", Flaw.EMPTY)]
        with at.store.write() as db:
            commitments.edit(db, at.settings, promise(id=made, place="Pongro"), at.clock.now)
        kept = find(village, made)
        assert (kept.commune, kept.place) == (TA_PHOU, "Pongro")

    def test_of_one_that_is_gone_says_so(self, village: Village) -> None:
        with pytest.raises(Gone):
            stand(village, 99, Standing.DONE)


def test_the_round_of_a_promise_is_the_last_one_closed_by_then(village: Village) -> None:
    first = village.at.open_round()
    with village.at.store.read() as db:
        assert round_of(db, TA_PHOU, TODAY) == first  # none is closed yet
    village.at.close_round(first)
    village.at.clock.forward(days=30)
    village.at.open_round()
    with village.at.store.read() as db:
        assert round_of(db, TA_PHOU, TODAY + timedelta(days=40)) == first
        assert round_of(db, TA_PHOU, TODAY - timedelta(days=1)) is None


# lists and totals ---------------------------------------------------------------------------------


def test_a_list_is_of_what_was_asked_plan_by_plan(village: Village) -> None:
    first = closed_round(village)
    village.at.clock.forward(days=30)
    second = closed_round(village)
    late = add(village, round_id=first)
    done = add(village, round_id=first, due=TODAY + timedelta(days=3))
    stand(village, done, Standing.DONE)
    new = add(village, round_id=second, due=TODAY + timedelta(days=90))
    elsewhere = add(village, commune=COMMUNES[0], round_id=second)
    loose = add(village)
    overdue_on = TODAY + timedelta(days=40)
    for wanted, ids in (
        (Wanted(), [elsewhere, new, done, late, loose]),
        (Wanted(commune=TA_PHOU, round_id=first), [done, late]),
        (Wanted(standing=Standing.DONE), [done]),
        (Wanted(overdue_on=overdue_on), [elsewhere, late, loose]),
        (Wanted(among={COMMUNES[0]}), [elsewhere]),
        (Wanted(among=()), []),
    ):
        with village.at.store.read() as db:
            assert [one.id for one in commitments.listed(db, wanted=wanted)] == ids
    with village.at.store.read() as db:
        assert [one.id for one in commitments.listed(db, wanted=Wanted(), first=1, size=2)] == [new, done]
        assert [one.id for one in commitments.listed(db, TA_PHOU, first, Standing.DONE)] == [done]
        found = plans.plans_of(db, Wanted(), overdue_on, most=10)
    seen = [(one.commune, one.round_number, one.actions, one.done, one.overdue) for one in found]
    assert seen == [(COMMUNES[0], 2, 1, 0, 1), (TA_PHOU, 2, 1, 0, 0), (TA_PHOU, 1, 2, 1, 1), (TA_PHOU, None, 1, 0, 1)]


ROW_7 = (
    # the plans of four communes: what each action costs, and how much of it UNDEF pays, in cents
    ((350_00 + 2000_00, 2000_00), (31_33, 0), (683_25, 0), (None, 0)),
    ((350_00 + 2000_00, 2000_00), (31_00, 0), (683_25, 0), (None, 0)),
    ((350_00 + 2000_00, 2000_00), (31_00, 0), (683_25, 0), (None, 0)),
    ((350_00 + 2000_00, 2000_00), (31_00, 0), (683_25, 0), (None, 0)),
)


def test_the_figures_of_the_documents_come_out_of_what_was_entered(village: Village) -> None:
    """DOMAIN.md, table, row 7: 16 priority actions in 4 plans, all done; 4,257.33 USD local + 8,000 USD UNDEF."""
    answered = closed_round(village)
    for code, actions in zip(COMMUNES, ROW_7, strict=True):
        for number, (cost, undef) in enumerate(actions):
            local = (cost or 0) - undef
            sources = [Source("local", local, USD)] * bool(local) + [Source("UNDEF", undef, USD)] * bool(undef)
            made = add(
                village, commune=code, round_id=answered, quantity=str(number), currency=USD if cost else None,
                cost=cost, sources=tuple(sources), beneficiaries=100, female=61,
            )  # fmt: skip
            stand(village, made, Standing.DONE)
    with village.at.store.read() as db:
        added = plans.totals(db)
    assert (added.actions, added.plans, added.done, added.all_done) == (16, 4, 16, True)
    assert [(one.name, one.currency, one.amount) for one in added.paid] == [
        ("local", USD, 4257_33), ("UNDEF", USD, 8000_00),
    ]  # fmt: skip
    assert (added.costs, added.costed) == ({USD: 12257_33}, 12)
    assert (added.beneficiaries, added.female) == (1600, 976)


def test_the_demonstration_shows_the_same_figures(village: Village) -> None:
    at = village.at
    answered = [closed_round(village), village.at.open_round()]
    with at.store.write() as db:
        demo_promises.seed(db, at.settings, COMMUNES, answered, TODAY, at.clock.now)
        added, after = (plans.totals(db, Wanted(round_id=one)) for one in answered)
    assert (added.actions, added.plans, added.all_done) == (16, 4, True)
    assert [(one.name, one.amount) for one in added.paid] == [("local", 4257_33), ("UNDEF", 8000_00)]
    assert all(after.standings.values())  # one of each state at least


STANDINGS = list(Standing)
PROMISES = st.lists(
    st.tuples(
        st.sampled_from(COMMUNES[:2]), st.booleans(), st.sampled_from(STANDINGS), st.sampled_from([USD, KHR]),
        st.none() | st.integers(0, 900), st.lists(st.integers(0, 100), max_size=3), st.none() | st.integers(0, 50),
    ),
    max_size=8,
)  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PROMISES)
def test_totals_are_what_a_recount_finds(village: Village, drawn: list[tuple[Any, ...]]) -> None:
    at = village.at
    with at.store.write() as db:
        for rows in (commitment_sources, commitment_changes, table):
            db.execute(rows.delete())
    answered = _a_round(village)
    kept = []
    for place, (code, in_round, standing, currency, more, paid, people) in enumerate(drawn):
        sources = tuple(Source(f"s {n}", amount * 100, currency) for n, amount in enumerate(paid))
        cost = None if more is None else (more + sum(paid)) * 100
        one = promise(
            commune=code, round_id=answered if in_round else None, place=str(place), standing=standing, cost=cost,
            currency=currency, sources=sources, beneficiaries=people, female=people and people // 2,
        )  # fmt: skip
        add(village, one)
        kept.append(one)
    with at.store.read() as db:
        added = plans.totals(db)
        each = plans.plans_of(db, Wanted(), TODAY + timedelta(days=31), most=100)
    going = [one for one in kept if one.standing != Standing.DROPPED]
    assert added.standings == {one: sum(other.standing == one for other in kept) for one in STANDINGS}
    assert added.plans == len({one.commune for one in kept if one.round_id})
    assert added.unplanned == sum(one.round_id is None for one in kept)
    for currency in (USD, KHR):
        costs = [one.cost for one in going if one.currency == currency and one.cost is not None]
        assert added.costs.get(currency, 0) == sum(costs)
        by_hand = sum(source.amount for one in going for source in one.sources if source.currency == currency)
        assert sum(one.amount for one in added.paid if one.currency == currency) == by_hand
    assert added.beneficiaries == sum(one.beneficiaries or 0 for one in going)
    assert added.female == sum(one.female or 0 for one in going)
    assert sum(one.actions for one in each) == added.actions == len(kept)
    assert sum(one.overdue for one in each) == sum(one.is_overdue(TODAY + timedelta(days=31)) for one in kept)


def _a_round(village: Village) -> int:
    with village.at.store.read() as db:
        there = round_of(db, TA_PHOU, TODAY)
    return there or village.at.open_round()


# you said, we did ---------------------------------------------------------------------------------


class TestNotices:
    def draft(self, village: Village, commitment: int) -> Any:
        at = village.at
        with at.store.write() as db:
            entry = commitments.history(db, commitment)[0]
            made = notices.draft(db, at.settings, commitment, entry.id, village.author, at.clock.now)
            assert made is not None
            return bulk.find(db, made)

    @pytest.mark.parametrize(
        ("standing", "km", "latn", "en"),
        [
            (Standing.DONE, "ឃុំឆ្លើយ៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា ធ្វើរួចហើយ។",
             "Khum chhlaoy: mondol sokhapheap boek dol maong 5 thveu ruoch haoy.",
             "Commune replies: health centre open until 5pm from 1 April: done."),
            (Standing.UNDER_WAY, "ឃុំឆ្លើយ៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា កំពុងធ្វើ រហូតដល់ 23/12/2026។",
             "Khum chhlaoy: mondol sokhapheap boek dol maong 5 kampung thveu rohot dol 23/12/2026.",
             "Commune replies: health centre open until 5pm from 1 April: under way until 23/12/2026."),
            (Standing.DROPPED, "ឃុំឆ្លើយ៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា នឹងមិនធ្វើទេ។",
             "Khum chhlaoy: mondol sokhapheap boek dol maong 5 nung min thveu te.",
             "Commune replies: health centre open until 5pm from 1 April: will not be done."),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_say_how_far_it_is_in_three_languages(
        self, village: Village, standing: Standing, km: str, latn: str, en: str
    ) -> None:
        made = add(village)
        stand(village, made, standing)
        assert json.loads(self.draft(village, made).texts) == {"km": km, "km-Latn": latn, "en": en}

    def test_go_to_the_commune_and_who_was_told_of_the_forum_after_a_second_approval(self, village: Village) -> None:
        village.joins(SREY, "en")
        forum = village.invited()
        village.inbox(SREY)
        village.joins(BORA, "en")
        made = add(village, forum=forum)
        stand(village, made, Standing.DONE)
        row = self.draft(village, made)
        assert (row.kind, row.commitment, row.stage) == (Kind.RESULT, made, Stage.DRAFT)
        assert Audience.from_json(row.audience) == Audience(communes=(TA_PHOU,), told=(forum,))
        at = village.at
        with at.store.write() as db:
            bulk.submit(db, at.settings, row.id, at.clock.now)
        with at.store.write() as db:
            bulk.approve(db, at.settings, row.id, village.approver, at.clock.now)
        village.post()
        said = ["Commune replies: health centre open until 5pm from 1 April: done."]
        assert (village.inbox(SREY), village.inbox(BORA)) == (said, said)

    def test_of_one_entry_are_written_once_and_of_a_later_one_again(self, village: Village) -> None:
        made = add(village)
        stand(village, made, Standing.DONE)
        first, again = self.draft(village, made), self.draft(village, made)
        assert first.id == again.id
        stand(village, made, Standing.UNDER_WAY)
        stand(village, made, Standing.DONE)
        assert self.draft(village, made).id != first.id

    def test_that_were_dropped_unapproved_are_written_anew(self, village: Village) -> None:
        made = add(village)
        first, at = self.draft(village, made), village.at
        with at.store.write() as db:
            bulk.cancel(db, at.settings, first.id, at.clock.now)
        with at.store.read() as db:
            assert notices.told_of(db, made, commitments.history(db, made)) == {}
        second = self.draft(village, made)
        assert second.id != first.id
        with at.store.read() as db:
            (told,) = notices.told_of(db, made, commitments.history(db, made)).values()
        assert told.id == second.id

    def test_of_what_is_not_there_are_none(self, village: Village) -> None:
        with village.at.store.write() as db:
            now = village.at.clock.now
            assert notices.draft(db, village.at.settings, 99, 1, None, now) is None
            assert notices.draft(db, village.at.settings, add_in(db, village), 99, None, now) is None
            assert notices.pass_on(db, village.at.settings, 99, None, now) is None


def add_in(db: Any, village: Village) -> int:
    return commitments.add(db, village.at.settings, promise(), None, village.at.clock.now)


class TestPassingOn:
    def reply(self, village: Village, text: str) -> Any:
        at = village.at
        with at.store.write() as db:
            values = {"commune": TA_PHOU, "week": TODAY, "text": text, "received": at.clock.now}
            made = db.execute(council_replies.insert().values(values).returning(council_replies.c.id)).scalar_one()
            broadcast = notices.pass_on(db, at.settings, made, village.author, at.clock.now)
            assert broadcast is not None
            assert notices.pass_on(db, at.settings, made, village.author, at.clock.now) == broadcast
            assert notices.passed_on(db, [made, 99]).keys() == {made}
            return bulk.find(db, broadcast)

    def test_words_in_khmer_are_as_the_domain_has_it(self, village: Village) -> None:
        row = self.reply(village, "មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា")
        texts = json.loads(row.texts)
        assert texts == {"km": "ឃុំឆ្លើយ៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា។"}
        assert units(texts["km"]) == 54

    def test_words_in_english_are_as_the_domain_has_it(self, village: Village) -> None:
        texts = json.loads(self.reply(village, "health centre open until 5pm from 1 April.").texts)
        assert texts["en"] == "Commune replies: health centre open until 5pm from 1 April."
        assert len(texts["en"]) == 59
        assert texts.keys() == {"km-Latn", "en"}

    def test_go_to_the_people_of_the_commune_as_a_draft(self, village: Village) -> None:
        row = self.reply(village, "soon")
        assert (row.kind, row.stage, row.approved) == (Kind.RESULT, Stage.DRAFT, None)
        assert Audience.from_json(row.audience) == Audience(communes=(TA_PHOU,))

    def test_blot_out_numbers_and_take_no_brace_for_a_placeholder(self, village: Village) -> None:
        row = self.reply(village, "call 012 345 678 {name}\n now")
        assert json.loads(row.texts)["en"] == "Commune replies: call [number] (name) now."
        assert "345" not in row.title
