"""A broadcast's life: drafted, put before a second person, approved once, paused, cancelled. On both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, update

from gateway.bulk import broadcasts as bulk
from gateway.bulk import hours
from gateway.bulk.complaints import Complaint, NotPossible, Wrong
from gateway.bulk.dispatch import UnknownLanguage, texts_in
from gateway.bulk.letters import Audience, Size, Texts
from gateway.bulk.previews import LASTS, MOST_PARTS, Plan, Preview, preview
from gateway.bulk.progress import progress
from gateway.bulk.trials import send_trial
from gateway.cli import cli
from gateway.config import Language, Settings
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import set_pause
from gateway.models.messages import Kind, State, messages, opt_outs
from gateway.providers.base import Reason
from tests.conftest import Installation
from tests.people import TA_PHOU, People, number

on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ZONE = ZoneInfo("Asia/Phnom_Penh")
TO_ALL = Audience(communes=(TA_PHOU,))
HELLO: Texts = {"km": "សួស្តី", "en": "Hello"}
A_DAY = timedelta(days=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@dataclass
class Office:
    """An installation with an author, a second person and people to write to. It is Monday 23 November, noon."""

    at: Installation
    author: int
    second: int
    people: People
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = self.at.settings

    @property
    def now(self) -> datetime:
        return self.at.clock.now

    def plan(self, texts: Texts = HELLO, **but: Any) -> Plan:
        return Plan(**{"kind": Kind.ANNOUNCEMENT, "title": "a title", "texts": texts, "audience": TO_ALL, **but})

    def draft(self, texts: Texts = HELLO, **but: Any) -> int:
        given = {"kind": Kind.ANNOUNCEMENT, "title": "a title", "audience": TO_ALL, "author": self.author, **but}
        with self.at.store.write() as db:
            return bulk.draft(db, texts=texts, now=self.now, **given)

    def do(self, what: Callable[..., Any], *given: Any, **more: Any) -> Any:
        with self.at.store.write() as db:
            return what(db, self.settings, *given, now=self.now, **more)

    def waiting(self, texts: Texts = HELLO, **but: Any) -> int:
        made = self.draft(texts, **but)
        self.do(bulk.submit, made)
        return made

    def approved(self, texts: Texts = HELLO, **but: Any) -> int:
        made = self.waiting(texts, **but)
        self.do(bulk.approve, made, self.second)
        return made

    def row(self, broadcast: int) -> Any:
        with self.at.store.read() as db:
            return bulk.find(db, broadcast)

    def preview(self, **but: Any) -> Preview:
        with self.at.store.read() as db:
            return preview(db, self.settings, self.plan(**but), self.now)[0]

    def complaints(self, **but: Any) -> list[tuple[Wrong, str]]:
        """What is wrong with a plan, and about what."""
        return [(one.wrong, one.language or one.about) for one in self.preview(**but).complaints]

    def states(self, broadcast: int) -> dict[str, int]:
        counted = select(messages.c.state, func.count()).where(messages.c.broadcast == broadcast)
        with self.at.store.read() as db:
            return {row[0]: row[1] for row in db.execute(counted.group_by(messages.c.state))}

    def put(self, state: State, *which: int, **values: Any) -> None:
        """Puts messages to people into a state."""
        phones = [self.at.keys.lookup(number(i)) for i in which]
        with self.at.store.write() as db:
            db.execute(update(messages).where(messages.c.phone.in_(phones)).values(state=state, **values))


@pytest.fixture
def office(installation: Installation) -> Office:
    people = People(installation)
    made = Office(installation, people.staff("sokha"), people.staff("dara"), people)
    for i, language in enumerate(("km", "en", "en")):
        people.add(i, language, name=("", "Bopha", "Chan")[i])  # type: ignore[arg-type]
    return made


def refused(what: Callable[[], Any]) -> tuple[Complaint, ...]:
    with pytest.raises(NotPossible) as problem:
        what()
    return problem.value.complaints


def wrongs(what: Callable[[], Any]) -> list[Wrong]:
    return [one.wrong for one in refused(what)]


# from a draft to the outbox -----------------------------------------------------------------------


def test_what_a_second_person_approves_is_in_the_outbox_at_once(office: Office) -> None:
    made = office.draft()
    assert office.row(made).stage == Stage.DRAFT
    assert office.do(bulk.submit, made).stage == Stage.WAITING
    assert office.people.written() == []
    row = office.do(bulk.approve, made, office.second)
    assert (row.stage, row.author, row.approver, row.approved) == ("approved", office.author, office.second, office.now)
    assert (row.recipients, row.parts, row.start, row.expires) == (3, 3, office.now, office.now + LASTS)
    written = office.people.written(made)
    assert [(one.text, one.state) for one in written] == [("សួស្តី", "queued"), ("Hello", "queued"), ("Hello", "queued")]
    assert {(one.not_before, one.expires) for one in written} == {(office.now, office.now + LASTS)}


def test_the_authors_own_approval_is_refused_with_the_reason(office: Office) -> None:
    made = office.waiting()
    (complaint,) = refused(lambda: office.do(bulk.approve, made, office.author))
    assert complaint.english(ZONE) == "You wrote this, or changed it last. Somebody else must approve it."
    assert office.row(made).stage == Stage.WAITING
    assert office.people.written() == []


def test_who_changed_it_last_is_an_author_too(office: Office) -> None:
    third = office.people.staff("third")
    made = office.draft()
    office.do(bulk.edit, made, office.plan({"en": "Good day"}), office.second)
    office.do(bulk.submit, made)
    for member in (office.author, office.second):
        assert wrongs(partial(office.do, bulk.approve, made, member)) == [Wrong.OWN]
    office.do(bulk.approve, made, third)
    assert {row.text for row in office.people.written(made)} == {"Good day"}


def test_the_second_person_is_a_setting(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"second_approval": False})
    made = office.waiting()
    assert office.do(bulk.approve, made, office.author).stage == Stage.APPROVED


def test_two_approvals_at_once_write_the_messages_once(office: Office) -> None:
    made = office.waiting()
    members = [office.second, *(office.people.staff(f"m{i}") for i in range(7))]

    def approve(member: int) -> bool:
        try:
            office.do(bulk.approve, made, member)
        except NotPossible:
            return False
        return True

    with ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(approve, members)) == 1
    assert len(office.people.written(made)) == 3


def test_an_approval_that_fails_in_the_middle_leaves_nothing(office: Office) -> None:
    made = office.waiting()

    def killed(db: Any, settings: Settings, now: datetime) -> None:
        bulk.approve(db, settings, made, office.second, now)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        office.do(killed)
    assert office.row(made).stage == Stage.WAITING
    assert office.people.written() == []
    office.do(bulk.approve, made, office.second)
    assert len(office.people.written(made)) == 3


def test_recipients_are_frozen_at_the_approval(office: Office) -> None:
    made = office.waiting()
    office.people.add(3)
    office.people.stop(0)
    office.do(bulk.approve, made, office.second)
    office.people.add(4)
    assert [office.people.number_of(row) for row in office.people.written(made)] == sorted(map(number, (1, 2, 3)))


def test_who_approves_gets_the_size_that_was_on_the_page(office: Office) -> None:
    made = office.waiting()
    seen = office.preview().size
    office.people.add(3)
    (complaint,) = refused(lambda: office.do(bulk.approve, made, office.second, expected=seen))
    assert complaint.english(ZONE).startswith("Meanwhile it is for 4 people, in 4 parts.")
    assert office.row(made).stage == Stage.WAITING
    office.do(bulk.approve, made, office.second, expected=Size(4, 4))
    assert len(office.people.written(made)) == 4


def test_changing_what_waits_makes_it_a_draft_again(office: Office) -> None:
    made = office.waiting()
    office.do(bulk.edit, made, office.plan({"en": "Hallo"}), office.author)
    assert office.row(made).stage == Stage.DRAFT
    assert wrongs(lambda: office.do(bulk.approve, made, office.second)) == [Wrong.STAGE]


def test_of_two_who_change_it_the_second_is_told(office: Office) -> None:
    made = office.draft()
    seen = office.row(made).changed
    office.do(bulk.edit, made, office.plan({"en": "mine"}), office.author, seen=seen)
    again = wrongs(lambda: office.do(bulk.edit, made, office.plan({"en": "yours"}), office.second, seen=seen))
    assert again == [Wrong.CHANGED]
    assert wrongs(lambda: office.do(bulk.submit, made, seen=seen)) == [Wrong.CHANGED]
    office.do(bulk.submit, made)
    assert wrongs(lambda: office.do(bulk.approve, made, office.second, seen=seen)) == [Wrong.CHANGED]
    assert bulk.plan_of(office.row(made)).texts == {"en": "mine"}


@pytest.mark.parametrize("stage", [Stage.APPROVED, Stage.PAUSED, Stage.CANCELLED])
def test_what_was_approved_is_not_changed(office: Office, stage: Stage) -> None:
    made = office.approved()
    with office.at.store.write() as db:
        db.execute(update(broadcasts).values(stage=stage))
    for step in (
        lambda: office.do(bulk.edit, made, office.plan({"en": "x"}), office.author),
        lambda: office.do(bulk.submit, made),
        lambda: office.do(bulk.approve, made, office.second),
    ):
        assert wrongs(step) == [Wrong.STAGE]
    assert {row.text for row in office.people.written(made)} == {"សួស្តី", "Hello"}


def test_a_draft_with_a_key_is_made_once(office: Office) -> None:
    first = office.draft(key="forum 7 invitation")
    assert office.draft({"en": "other"}, key="forum 7 invitation") == first
    assert bulk.plan_of(office.row(first)).texts == HELLO
    assert office.draft() != office.draft()


def test_any_member_of_staff_may_approve_what_the_operator_wrote(office: Office) -> None:
    made = office.waiting(author=None)
    assert office.do(bulk.approve, made, office.author).stage == Stage.APPROVED


# bad input ----------------------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize(
    ("but", "complaints"),
    [
        ({}, []),
        ({"title": "  "}, [(Wrong.NO_TITLE, "title")]),
        ({"texts": {}}, [(Wrong.NO_TEXT, "")]),
        ({"audience": Audience()}, [(Wrong.NO_AUDIENCE, "audience")]),
        ({"audience": Audience(groups=(9,))}, [(Wrong.NOBODY, "audience")]),
        ({"texts": {"en": "Hi {nam}", "km": "{ឈ្មោះ}"}}, [(Wrong.UNKNOWN, "km"), (Wrong.UNKNOWN, "en")]),
        ({"texts": {"en": "Hi {name"}}, [(Wrong.LOOSE_BRACE, "en")]),
        ({"texts": {"en": "Hi {name}"}}, [(Wrong.NO_VALUE, "en")]),
        ({"texts": {"en": "Hi {name}", "km": "ខ"}}, []),  # who has no name reads Khmer
        ({"texts": {"en": "Hi {name|neighbour}"}}, []),
        ({"texts": {"en": "x" * 2000}}, [(Wrong.TOO_LONG, "en")]),
        ({"texts": {"en": "x" * 153 * MOST_PARTS}}, []),
        ({"texts": {"en": "x" * (153 * MOST_PARTS - 4) + "{name|x}"}}, [(Wrong.TOO_LONG, "en")]),
        ({"texts": {"en": "ok", "km-Latn": "x" * 2000}}, [(Wrong.TOO_LONG, "km-Latn")]),  # though nobody gets it
        ({"start": local("2026-11-23 11:59")}, [(Wrong.PAST, "start")]),
        ({"start": local("2026-11-23 12:00")}, []),
        ({"start": local("2026-11-23 18:59")}, []),
        ({"start": local("2026-11-23 19:00")}, [(Wrong.QUIET, "start")]),
        ({"start": local("2026-11-24 07:59")}, [(Wrong.QUIET, "start")]),
        ({"start": local("2026-11-24 08:00")}, []),
        ({"expires": local("2026-11-23 12:00")}, [(Wrong.EXPIRES_FIRST, "expires")]),
        ({"start": local("2026-11-25 09:00"), "expires": local("2026-11-25 09:00")},
         [(Wrong.EXPIRES_FIRST, "expires")]),
    ],
)  # fmt: skip
def test_what_cannot_go_out_is_told_with_its_reason(
    office: Office, but: dict[str, Any], complaints: list[tuple[Wrong, str]]
) -> None:
    assert office.complaints(**but) == complaints
    made = office.draft(**({"texts": HELLO} | but))  # a draft may be unfinished
    if complaints:
        told = refused(lambda: office.do(bulk.submit, made))
        assert [(one.wrong, one.language or one.about) for one in told] == complaints
        assert office.row(made).stage == Stage.DRAFT
    else:
        assert office.do(bulk.submit, made).stage == Stage.WAITING


@on_one_database
@pytest.mark.parametrize(
    ("but", "sentence"),
    [
        ({"texts": {"en": "Hi {nam}"}}, "en: There is no placeholder {nam}. There are {name} {commune} {address}."),
        ({"texts": {"en": "Hi {name}"}}, "en: 1 of them: no {name}. Write {name|neighbour}, and they read what"
         " follows the bar."),
        ({"texts": {"en": "x" * 2000}}, "en: This is 14 parts long; the most is 10. Make it shorter."),
        ({"texts": {"km": "ខ" * 2000}}, "km: This is 30 parts long; the most is 10. Make it shorter."),
        ({"start": local("2026-11-23 20:15")}, "Nothing is sent between 19:00 and 8:00. The next possible time is"
         " 2026-11-24 08:00."),
        ({"start": local("2026-11-20 09:00")}, "This time is over. The next possible one is 2026-11-23 12:01."),
    ],
)  # fmt: skip
def test_a_complaint_says_what_to_do(office: Office, but: dict[str, Any], sentence: str) -> None:
    assert " ".join(one.english(ZONE) for one in office.preview(**but).complaints) == sentence


def test_a_start_that_passed_while_it_waited_is_refused_and_at_once_is_not(office: Office) -> None:
    planned, at_once = office.waiting(start=office.now + timedelta(hours=1)), office.waiting()
    office.at.clock.forward(hours=9)  # 21:00
    assert wrongs(lambda: office.do(bulk.approve, planned, office.second)) == [Wrong.PAST]
    row = office.do(bulk.approve, at_once, office.second)
    assert row.start == local("2026-11-24 08:00")
    assert {one.not_before for one in office.people.written(at_once)} == {row.start}


def test_texts_lose_what_shows_nothing(office: Office) -> None:
    made = office.draft({"en": "  a\r\nb\tc \n", "km": " \u200b\n", "km-Latn": ""}, title=" two \n words ")
    assert bulk.plan_of(office.row(made)).texts == {"en": "a\nb c"}
    assert office.row(made).title == "two words"


# the preview --------------------------------------------------------------------------------------


@on_one_database
def test_a_preview_tells_recipients_parts_and_cost_by_language_and_by_company(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"price_per_segment": 0.04})
    office.people.add(3, "km-Latn", name="Chambâk")
    office.people.stop(2)
    found = office.preview(texts={"km": "ខ" * 71, "en": "Dear {name|friend}, “hello”" + 90 * "!"})
    assert (found.recipients, found.stopped, found.parts) == (3, 1, 2 + 2 + 2)
    assert found.cost == pytest.approx(0.24)
    assert {
        language: (share.recipients, share.parts, dict(share.encodings)) for language, share in found.languages.items()
    } == {"km": (1, 2, {"UCS-2": 1}), "km-Latn": (1, 2, {"UCS-2": 1}), "en": (1, 2, {"UCS-2": 1})}
    assert found.worded["km-Latn"] == "km"  # no text of their own: the programme's language
    assert {key: share.recipients for key, share in found.routes.items()} == {
        ("smart", "simulator"): 2, ("cellcard", "simulator"): 1,
    }  # fmt: skip
    assert found.saved == {"en": 1}
    longest = found.languages["en"].longest
    assert longest
    assert longest[0].startswith("Dear Bopha, “hello”!")


@on_one_database
def test_a_name_that_needs_ucs2_is_seen_in_the_encodings(office: Office) -> None:
    office.people.add(3, name="សុខា")
    found = office.preview(texts={"en": "Dear {name|friend}"}, audience=TO_ALL)
    assert dict(found.languages["en"].encodings) == {"GSM-7": 2, "UCS-2": 1}
    assert found.costs["en"].encoding == "GSM-7"


@on_one_database
@pytest.mark.parametrize(
    ("rate", "start", "ends", "sleeps"),
    [
        (1.0, None, "2026-11-23 12:00:03", False),
        (1.0, "2026-11-24 08:00", "2026-11-24 08:00:03", False),
        (3 / 3600, "2026-11-23 18:30", "2026-11-24 08:30:00", True),
        (1 / 3600 / 11, "2026-11-24 08:00", "2026-11-26 19:00:00", True),
        (1e-12, "2026-11-24 08:00", "2027-11-23 19:00:00", True),
    ],
)
def test_it_is_told_how_long_it_takes_and_whether_a_night_comes_between(
    office: Office, rate: float, start: str | None, ends: str, sleeps: bool
) -> None:
    office.settings = office.settings.model_copy(update={"simulator_rate": rate})
    found = office.preview(start=local(start) if start else None)
    assert (found.ends, found.sleeps) == (local(ends), sleeps)


@on_one_database
def test_what_could_not_all_go_before_it_expires_is_refused(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"simulator_rate": 3 / 3600})  # it takes an hour
    start = local("2026-11-24 08:00")
    assert office.complaints(start=start, expires=local("2026-11-24 08:59")) == [(Wrong.TOO_SLOW, "expires")]
    assert office.complaints(start=start, expires=local("2026-11-24 09:00")) == []


# the pause ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "start", "expires", "complaints", "leaves"),
    [
        (Kind.RESULT, None, None, [], "2026-12-01 08:00"),
        (Kind.RESULT, "2026-11-28 09:00", None, [], "2026-12-01 08:00"),
        (Kind.RESULT, None, "2026-11-30 18:00", [(Wrong.PAUSED, "expires")], "2026-12-01 08:00"),
        (Kind.RESULT, None, "2026-12-02 18:00", [], "2026-12-01 08:00"),
        (Kind.RESULT, "2026-12-01 10:00", None, [], "2026-12-01 10:00"),
        (Kind.ANNOUNCEMENT, None, None, [], "2026-11-23 12:00"),
    ],
)
@on_one_database
def test_a_result_within_the_pause_waits_for_its_end(
    office: Office, kind: Kind, start: str | None, expires: str | None, complaints: list[Any], leaves: str
) -> None:
    with office.at.store.write() as db:
        set_pause(db, (date(2026, 11, 23), date(2026, 11, 30)))
    times: dict[str, Any] = {"start": start and local(start), "expires": expires and local(expires)}
    found = office.preview(kind=kind, **times)
    assert office.complaints(kind=kind, **times) == complaints
    assert found.start == local(leaves)
    assert (found.paused is not None) is (leaves == "2026-12-01 08:00")
    if not complaints:
        assert office.row(office.approved(kind=kind, **times)).start == local(leaves)


# while it runs ------------------------------------------------------------------------------------


def test_what_is_paused_waits_and_goes_on(office: Office) -> None:
    made = office.approved()
    office.put(State.SENDING, 0, lease=office.now)
    office.put(State.CLAIMED, 1, lease=office.now, worker="w")
    assert office.do(bulk.pause, made) == 2
    assert office.states(made) == {"sending": 1, "held": 2}
    held = [row for row in office.people.written(made) if row.state == State.HELD]
    assert {(row.lease, row.worker) for row in held} == {(None, None)}
    assert wrongs(lambda: office.do(bulk.pause, made)) == [Wrong.STAGE]
    assert office.do(bulk.resume, made) == 2
    assert office.states(made) == {"sending": 1, "queued": 2}
    assert office.row(made).stage == Stage.APPROVED


@pytest.mark.parametrize("paused", [False, True])
def test_what_is_cancelled_ends_for_good(office: Office, paused: bool) -> None:
    made = office.approved()
    office.put(State.DELIVERED, 0)
    if paused:
        office.do(bulk.pause, made)
    assert office.do(bulk.cancel, made) == 2
    assert office.states(made) == {"delivered": 1, "cancelled": 2}
    for step in (bulk.cancel, bulk.resume, bulk.pause, bulk.retry):
        assert wrongs(partial(office.do, step, made)) == [Wrong.STAGE]


def test_what_is_all_sent_is_not_cancelled(office: Office) -> None:
    made = office.approved()
    office.put(State.DELIVERED, 0, 1, 2)
    assert wrongs(lambda: office.do(bulk.cancel, made)) == [Wrong.NOTHING_LEFT]
    assert office.row(made).stage == Stage.APPROVED
    draft = office.draft()
    assert office.do(bulk.cancel, draft) == 0
    assert office.row(draft).stage == Stage.CANCELLED


def test_what_was_refused_for_now_is_tried_again(office: Office) -> None:
    made = office.approved()
    office.put(State.REFUSED, 0, for_now=True, reason=Reason.NO_BALANCE, attempts=8)
    office.put(State.REFUSED, 1, reason=Reason.BAD_NUMBER, attempts=1)
    office.at.clock.forward(days=4)  # it has expired by now
    assert office.do(bulk.retry, made) == 1
    assert office.states(made) == {"queued": 2, "refused": 1}
    (again,) = [row for row in office.people.written(made) if row.changed == office.now]
    assert (again.attempts, again.reason, again.for_now, again.not_before) == (0, None, False, office.now)
    assert again.expires == office.now + A_DAY
    assert office.do(bulk.retry, made) == 0


def test_what_has_an_end_of_its_own_is_not_tried_again_after_it(office: Office) -> None:
    made = office.approved(kind=Kind.POLL, expires=office.now + A_DAY)
    office.put(State.REFUSED, 0, for_now=True, reason=Reason.NO_BALANCE, attempts=8)
    office.at.clock.forward(hours=23)
    assert office.do(bulk.retry, made) == 1
    assert {row.expires for row in office.people.written(made)} == {office.row(made).expires}
    office.put(State.REFUSED, 0, for_now=True, reason=Reason.NO_BALANCE, attempts=8)
    office.at.clock.forward(hours=2)
    assert wrongs(lambda: office.do(bulk.retry, made)) == [Wrong.OVER]


def test_progress_tells_states_reasons_speed_and_what_is_left(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"simulator_rate": 0.5})
    for i in range(3, 10):
        office.people.add(i)
    made = office.approved({"en": "x" * 161})
    office.put(State.ACCEPTED, 0, 1, 2, sent=office.now)
    office.put(State.UNDELIVERED, 3, reason=Reason.UNREACHABLE, sent=office.now)
    office.put(State.REFUSED, 4, reason=Reason.NO_BALANCE, for_now=True)
    with office.at.store.read() as db:
        untouched = progress(db, office.settings, made, office.now)
    office.at.clock.forward(seconds=20)
    with office.at.store.read() as db:
        found = progress(db, office.settings, made, office.now)
        later = progress(db, office.settings, made, office.now + timedelta(minutes=5))
    assert found.states == {"queued": 5, "accepted": 3, "undelivered": 1, "refused": 1}
    assert found.reasons == {("undelivered", Reason.UNREACHABLE): 1, ("refused", Reason.NO_BALANCE): 1}
    assert (found.total, found.done, found.left, found.again) == (10, 5, 5, 1)
    assert (found.parts, found.parts_left) == (20, 10)
    assert found.speed == pytest.approx(8 / 20)
    assert found.ends == office.now + timedelta(seconds=25)
    assert later.speed == 0
    assert later.ends == office.now + timedelta(minutes=5, seconds=20)  # at the provider's rate
    assert untouched.can_be_cancelled == 5


# a trial ------------------------------------------------------------------------------------------


def trial(office: Office, to: str, *languages: Language, texts: Texts = HELLO) -> datetime:
    with office.at.store.write() as db:
        return send_trial(db, office.at.keys, office.settings, texts, languages, to, office.now)


def test_a_trial_goes_to_one_number_in_each_language_chosen(office: Office) -> None:
    texts: Texts = {"km": "{name} {commune}", "en": "Dear {name|friend}", "km-Latn": "abc"}
    assert trial(office, "010 000 021", "km", "en", texts=texts) == office.now
    written = office.people.written()
    assert sorted(row.text for row in written) == ["Dear Sokha", "សុខា តាផូ"]
    assert {(row.kind, row.broadcast, office.people.number_of(row)) for row in written} == {
        ("test", None, "+85510000021")
    }


@pytest.mark.parametrize(
    ("to", "languages", "wrong"),
    [
        ("", ("en",), Wrong.NO_NUMBER), ("hello", ("en",), Wrong.NO_NUMBER), ("023 123 456", ("en",), Wrong.NO_NUMBER),
        ("+66812345678", ("en",), Wrong.NO_NUMBER), ("010 000 021", (), Wrong.NO_TEXT),
        ("010 000 021", ("km-Latn",), Wrong.NO_TEXT), (number(0), ("en",), Wrong.STOPPED),
    ],
)  # fmt: skip
@on_one_database
def test_a_trial_that_cannot_arrive_is_refused(
    office: Office, to: str, languages: tuple[Language, ...], wrong: Wrong
) -> None:
    office.people.stop(0)
    assert wrongs(lambda: trial(office, to, *languages)) == [wrong]
    assert office.people.written() == []


def test_a_trial_at_night_comes_in_the_morning(office: Office) -> None:
    office.at.clock.forward(hours=8)
    assert trial(office, "010 000 021", "en") == local("2026-11-24 08:00")


# hours --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "possible"),
    [
        ("2026-11-23 07:59:59", "2026-11-23 08:00"), ("2026-11-23 08:00", "2026-11-23 08:00"),
        ("2026-11-23 18:59:59", "2026-11-23 18:59:59"), ("2026-11-23 19:00", "2026-11-24 08:00"),
        ("2026-11-23 23:59", "2026-11-24 08:00"), ("2026-11-24 00:00", "2026-11-24 08:00"),
        ("2026-11-27 12:00", "2026-11-30 08:00"), ("2026-11-26 19:00", "2026-11-30 08:00"),
        ("2026-11-29 23:00", "2026-11-30 08:00"), ("2026-11-30 07:00", "2026-11-30 08:00"),
    ],
)  # fmt: skip
def test_the_next_possible_time_is_by_day_and_after_the_pause(moment: str, possible: str) -> None:
    pause = (date(2026, 11, 27), date(2026, 11, 29))
    assert hours.next_possible(local(moment).astimezone(UTC), ZONE, pause) == local(possible)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01 09:00", "2026-12-01T02:00Z"), (" 2026-12-01T09:00 ", "2026-12-01T02:00Z"),
        ("2026-12-01T09:00:30+07:00", "2026-12-01T02:00:30Z"), ("2026-12-01T09:00Z", "2026-12-01T09:00Z"),
        ("2026-12-01", None), ("tomorrow", None), ("", None), ("2026-02-30 09:00", None), ("01/12/2026 09:00", None),
    ],
)  # fmt: skip
def test_a_time_is_written_in_local_time_or_iso(text: str, moment: str | None) -> None:
    if moment is None:
        with pytest.raises(ValueError):  # noqa: PT011
            hours.written(text, ZONE)
    else:
        assert hours.written(text, ZONE) == datetime.fromisoformat(moment)


# the command --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "texts"),
    [
        ("Hello\nthere\n", {"en": "Hello\nthere"}),
        ("\ufeff[km]\nសួស្តី\n\n[en]\nHello [you]\nthere\n", {"km": "សួស្តី", "en": "Hello [you]\nthere"}),
        ("[KM-LATN]\r\nSuosdei\r\n", {"km-Latn": "Suosdei"}),
        ("[km]\n\n[en]\nHello", {"en": "Hello"}),
        ("", {}),
    ],
)
def test_a_file_holds_one_text_or_sections(file: str, texts: Texts) -> None:
    assert texts_in(file, "en") == texts


@pytest.mark.parametrize("file", ["[fr]\nBonjour", "Hello\n[en]\nHello", "[en]\na\n[en]\nb"])
def test_a_heading_that_is_no_language_is_told(file: str) -> None:
    with pytest.raises(UnknownLanguage):
        texts_in(file, "en")


@dataclass
class Shell:
    """The command, at an installation."""

    office: Office
    folder: Path

    def __call__(self, text: str | bytes, *options: str, group: str = "network") -> Result:
        file = self.folder / "text.txt"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return CliRunner().invoke(cli, ["broadcast", "--group", group, "--text", str(file), *options])


@pytest.fixture
def shell(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    settings = office.settings
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("PRICE_PER_SEGMENT", "0.05")
    group = office.people.group("network")
    for i, language in enumerate(("km", "km-Latn", "en")):
        office.people.add(10 + i, language, name=f"N{i}", commune=None, groups=(group,))  # type: ignore[arg-type]
    office.people.add(13, "en", commune=None, groups=(group,))
    office.people.stop(13)
    return Shell(office, tmp_path)


def test_the_command_puts_a_draft_before_staff(shell: Shell) -> None:
    said = shell("[km]\nសួស្តី\n[en]\nHello\n", "--at", "2126-12-03 09:00", group="Network")
    assert (said.exit_code, said.output) == (
        0, "Broadcast 1 waits for approval: http://127.0.0.1:8000/admin/broadcasts/1\n",
    )  # fmt: skip
    row = shell.office.row(1)
    assert (row.stage, row.author, row.title, row.start) == ("waiting", None, "សួស្តី", local("2126-12-03 09:00"))
    assert bulk.plan_of(row).texts == {"km": "សួស្តី", "en": "Hello"}
    assert shell.office.people.written() == []


def test_the_dry_run_tells_all_and_changes_nothing(shell: Shell) -> None:
    said = shell("[km]\nសួស្តី\n[en]\nIt’s {name}" + 70 * "!", "--at", "2126-12-03 09:00", "--dry-run")
    assert said.exit_code == 0
    assert said.output.splitlines() == [
        "recipients  3, and 1 left out who have stopped",
        "km          1: 1 UCS-2, 1 part each, 1 part, 0.05",
        "km-Latn     1: 1 UCS-2, 1 part each, 1 part, 0.05 (no text of their own: they get km)",
        "en          1: 1 UCS-2, 2 parts each, 2 parts, 0.10",
        "cellcard    1 by simulator, 1 part, 0.05",
        "metfone     1 by simulator, 1 part, 0.05",
        "smart       1 by simulator, 2 parts, 0.10",
        'stray       en, character 3: ’ (U+2019 RIGHT SINGLE QUOTATION MARK): write "\'"',
        "            en: 2 parts with them, 1 without",
        "border      en: its last 10 characters make part 2",
        "parts       4 parts, 0.20",
        "begins      2126-12-03 09:00, if it is approved by then",
        "ends        about 2126-12-03 09:00",
    ]
    with shell.office.at.store.read() as db:
        assert db.execute(select(broadcasts)).all() == []


@on_one_database
@pytest.mark.parametrize(
    ("text", "options", "group", "says"),
    [
        ("Hello", (), "nobody", "there is no group 'nobody'; there are: network"),
        ("Hello", ("--at", "tomorrow"), "network", "--at: 'tomorrow' is no time; write it as '2026-12-01 09:00'"),
        ("Hello", ("--at", "2020-12-01 09:00"), "network", "This time is over. The next possible one is"),
        ("Hello", ("--at", "2126-12-01 20:00"), "network", "The next possible time is 2126-12-02 08:00."),
        ("", (), "network", "Write the text in at least one language."),
        ("Hi {x}", ("--dry-run",), "network", "There is no placeholder {x}."),
        ("[fr]\nx", (), "network", "[fr] is no language; sections are headed [km], [km-Latn], [en]"),
        (b"\xff\xfe\x00", (), "network", "is not in UTF-8"),
        ("x" * 2000, (), "network", "14 parts long; the most is 10"),
    ],
)
def test_the_command_refuses_with_the_reason(
    shell: Shell, text: str | bytes, options: tuple[str, ...], group: str, says: str
) -> None:
    said = shell(text, *options, group=group)
    assert said.exit_code != 0
    assert says in str(said.exception) + said.output
    with shell.office.at.store.read() as db:
        assert db.execute(select(broadcasts)).all() == []


def test_opt_outs_stay_with_whom_they_are(office: Office) -> None:
    """An approval takes nobody's stop away."""
    office.people.stop(0)
    office.approved()
    with office.at.store.read() as db:
        assert db.scalar(select(func.count()).select_from(opt_outs)) == 1
