"""Who gets what is said to many, in which words, and that what is counted is what is written. On both databases."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from gateway.bulk import placeholders
from gateway.bulk.letters import (
    Audience,
    Letter,
    Recipient,
    Texts,
    composer,
    count_stopped,
    recipients_of,
    write_letter,
)
from gateway.bulk.previews import Plan, preview
from gateway.bulk.strays import cost
from gateway.config import LANGUAGES, Language
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind, State, messages
from gateway.privacy import Sealed
from gateway.text import is_gsm7, segments
from tests.conftest import Installation
from tests.people import TA_PHOU, People, number

on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HELLO: Texts = {"km": "សួស្តី", "en": "Hello"}
A_DAY = timedelta(days=1)


@pytest.fixture
def people(installation: Installation) -> People:
    return People(installation)


def letter(at: Installation, texts: Texts = HELLO, key: str | None = None, kind: Kind = Kind.REMINDER) -> Letter:
    return Letter(kind, "a letter", texts, at.clock.now, at.clock.now + A_DAY, key)


def names(at: Installation, audience: Audience) -> list[str]:
    with at.store.read() as db:
        return [at.keys.open_number(one.sealed) for one in recipients_of(db, audience, at.settings)]


class TestAudience:
    def test_is_people_of_communes_members_of_groups_and_councillors_each_once(
        self, installation: Installation, people: People
    ) -> None:
        network = people.group("network")
        people.add(1)
        people.add(2, groups=(network,))
        people.add(3, role=Role.COUNCILLOR)
        people.add(4, role=Role.INSTITUTION, groups=(network,))
        people.add(5, commune="010807")
        people.add(6, commune=None)
        in_all = Audience(groups=(network,), communes=(TA_PHOU,), councils=(TA_PHOU,))
        assert names(installation, in_all) == [number(i) for i in (1, 2, 3, 4)]
        assert names(installation, Audience(communes=(TA_PHOU,))) == [number(1), number(2)]
        assert names(installation, Audience(councils=(TA_PHOU, "010807"))) == [number(3)]
        assert names(installation, Audience(groups=(network, 99))) == [number(2), number(4)]
        assert names(installation, Audience()) == []

    def test_leaves_out_who_has_stopped_and_counts_them(self, installation: Installation, people: People) -> None:
        for i in range(5):
            people.add(i)
        people.stop(1)
        people.stop(3)
        people.stop(7)  # of no contact
        audience = Audience(communes=(TA_PHOU,))
        assert names(installation, audience) == [number(i) for i in (0, 2, 4)]
        with installation.store.read() as db:
            assert count_stopped(db, audience) == 2

    def test_of_a_forum_is_who_was_told_and_has_not_stopped(self, installation: Installation, people: People) -> None:
        at = installation
        with at.store.write() as db:
            from gateway.models.forums import forums

            forum = db.scalar(
                forums.insert()
                .values(commune=TA_PHOU, title="{}", inviter="RCEDO", starts=at.clock.now + A_DAY, venue="{}",
                        note="{}", created=at.clock.now)
                .returning(forums.c.id)
            )  # fmt: skip
        for i in range(4):
            people.add(i)
        with at.store.write() as db:
            audience = Audience(communes=(TA_PHOU,))
            told = Letter(Kind.INVITATION, "t", HELLO, at.clock.now, at.clock.now + A_DAY, forum=forum)
            write_letter(db, at.settings, told, recipients_of(db, audience, at.settings), at.clock.now)
            handed = [at.keys.lookup(number(i)) for i in (0, 1, 2)]
            db.execute(update(messages).where(messages.c.phone.in_(handed)).values(state=State.DELIVERED))
            db.execute(delete(contacts).where(contacts.c.phone == at.keys.lookup(number(0))))
        people.stop(1)
        audience = Audience(told=(forum or 0,))
        assert sorted(names(at, audience)) == [number(0), number(2)]
        with at.store.read() as db:
            assert count_stopped(db, audience) == 1
        assert Audience.from_json(audience.to_json()) == audience

    def test_knows_the_values_of_placeholders_in_the_language_of_each(
        self, installation: Installation, people: People
    ) -> None:
        people.add(1, "km", name="សុខា", address="ភូមិពង្រ")
        people.add(2, "km-Latn")
        people.add(3, None, commune=None, groups=(people.group("all"),))
        with installation.store.read() as db:
            found = recipients_of(db, Audience(groups=(1,), communes=(TA_PHOU,)), installation.settings)
        assert [(one.language, one.operator, one.values(one.language)) for one in found] == [
            ("km", "cellcard", {"name": "សុខា", "commune": "តាផូ", "address": "ភូមិពង្រ"}),
            ("km-Latn", "metfone", {"name": "", "commune": "Ta Phou", "address": ""}),
            ("km", "smart", {"name": "", "commune": "", "address": ""}),  # the programme's language
        ]

    def test_reads_the_name_of_its_commune_in_the_script_of_the_text(
        self, installation: Installation, people: People
    ) -> None:
        people.add(1, "km")
        people.add(2, "km-Latn")
        with installation.store.read() as db:
            found = recipients_of(db, Audience(communes=(TA_PHOU,)), installation.settings)
        texts: list[Texts] = [{"en": "In {commune}"}, {"km": "នៅ{commune}"}]
        said = [[composer(text, installation.settings)(one)[0] for one in found] for text in texts]
        assert said == [["In Ta Phou", "In Ta Phou"], ["នៅតាផូ", "នៅតាផូ"]]


class TestPlaceholders:
    @pytest.mark.parametrize(
        ("text", "values", "said"),
        [
            ("Hello {name}!", {"name": "Sokha"}, "Hello Sokha!"),
            ("Hello { name }!", {"name": "Sokha"}, "Hello Sokha!"),
            ("Hello {name|neighbour}!", {"name": ""}, "Hello neighbour!"),
            ("Hello {name|neighbour}!", {"name": "Sokha"}, "Hello Sokha!"),
            ("{name|}{commune}", {"commune": "Ta Phou"}, "Ta Phou"),
            ("{name}, {name}", {"name": "{commune}"}, "{commune}, {commune}"),  # a value is no text
            ("no placeholder", {"name": "Sokha"}, "no placeholder"),
            ("{commune}: hello", {"commune": "Chambâk"}, "Chambak: hello"),  # GSM-7 stays GSM-7
            ("{commune}៖ សួស្តី", {"commune": "Chambâk"}, "Chambâk៖ សួស្តី"),
            ("Hello {name}", {"name": "សុខា"}, "Hello សុខា"),
        ],
    )
    def test_are_filled_from_what_is_known(self, text: str, values: Mapping[str, str], said: str) -> None:
        assert placeholders.fill(text, values) == said

    @pytest.mark.parametrize(
        ("text", "unknown", "needed", "loose", "personal"),
        [
            ("plain", [], set(), None, False),
            ("{name} {commune|us}", [], {"name"}, None, True),
            ("{nam} and {Name|x}", ["{nam}", "{Name|x}"], {"nam"}, None, True),
            ("{name", [], set(), "{", False),
            ("name}", [], set(), "}", False),
            ("{{name}}", [], {"name"}, "{", True),
            ("{}", ["{}"], {""}, None, True),
        ],
    )
    def test_are_checked(
        self, text: str, unknown: list[str], needed: set[str], loose: str | None, personal: bool
    ) -> None:
        assert placeholders.unknown(text) == unknown
        assert placeholders.needed(text) == needed
        assert placeholders.loose_brace(text) == loose
        assert placeholders.is_personal(text) is personal


class TestLetter:
    def test_is_written_with_a_message_for_each_in_their_language(
        self, installation: Installation, people: People
    ) -> None:
        at = installation
        for i, language in enumerate(("km", "km-Latn", "en")):
            people.add(i, language)  # type: ignore[arg-type]
        with at.store.write() as db:
            everybody = recipients_of(db, Audience(communes=(TA_PHOU,)), at.settings)
            made = write_letter(db, at.settings, letter(at), everybody, at.clock.now)
            row = db.execute(select(broadcasts)).one()
        assert (row.id, row.stage, row.recipients, row.parts) == (made, Stage.APPROVED, 3, 3)
        said = [(people.number_of(row), row.text, row.language, row.parts) for row in people.written(made)]
        # romanised Khmer has no text: the programme's language
        assert said == [(number(0), "សួស្តី", "km", 1), (number(1), "សួស្តី", "km-Latn", 1), (number(2), "Hello", "en", 1)]
        for row in people.written(made):
            assert (row.kind, row.priority, row.state, row.attempts) == (Kind.REMINDER, 4, State.QUEUED, 0)
            assert (row.not_before, row.expires) == (at.clock.now, at.clock.now + A_DAY)
            assert (row.provider, row.for_now, row.created) == ("simulator", False, at.clock.now)

    def test_with_a_key_is_written_once(self, installation: Installation, people: People) -> None:
        at = installation
        people.add(1)

        def write(_: int) -> int | None:
            with at.store.write() as db:
                everybody = recipients_of(db, Audience(communes=(TA_PHOU,)), at.settings)
                return write_letter(db, at.settings, letter(at, key="tally 010806"), everybody, at.clock.now)

        with ThreadPoolExecutor(4) as clocks:
            made = list(clocks.map(write, range(8)))
        assert len([one for one in made if one is not None]) == 1
        assert len(people.written()) == 1

    def test_is_there_whole_or_not_at_all(self, installation: Installation, people: People) -> None:
        at = installation
        people.add(1)

        def write(killed: bool) -> int | None:
            with at.store.write() as db:
                everybody = recipients_of(db, Audience(communes=(TA_PHOU,)), at.settings)
                made = write_letter(db, at.settings, letter(at, key="k"), everybody, at.clock.now)
                if killed:
                    raise RuntimeError("killed")
                return made

        with pytest.raises(RuntimeError):
            write(killed=True)
        assert people.written() == []
        assert write(killed=False) is not None
        assert len(people.written()) == 1

    def test_goes_by_the_route_of_each_phone_company(self, installation: Installation, people: People) -> None:
        at = installation
        routed = at.settings.model_copy(
            update={
                "routes": {"smart": "africastalking"}, "africastalking_username": "u", "africastalking_api_key": "k",
            }
        )  # fmt: skip
        for i in range(3):
            people.add(i)
        with at.store.write() as db:
            everybody = recipients_of(db, Audience(communes=(TA_PHOU,)), routed)
            made = write_letter(db, routed, letter(at), everybody, at.clock.now)
        assert [row.provider for row in people.written(made)] == ["africastalking", "simulator", "simulator"]


# what is counted is what is sent ------------------------------------------------------------------

TEXT = st.text(st.sampled_from("abc é€’âក្ខា\u200b\n{}|👍🏽"), max_size=200)
WORDS = st.one_of(TEXT, st.builds("{} {{name|{}}} {}".format, TEXT, st.sampled_from(["x", ""]), TEXT))
NAMES = st.one_of(st.just(""), st.text(st.sampled_from("Sokha Chambâk សុខា\u200b’"), max_size=30))


@how(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.dictionaries(st.sampled_from(LANGUAGES), WORDS, min_size=1),
    crowd=st.lists(st.tuples(st.sampled_from([*LANGUAGES, None]), NAMES), max_size=8),
)
@on_one_database
def test_the_preview_counts_exactly_what_is_written(
    installation: Installation, texts: dict[Language, str], crowd: list[tuple[Language | None, str]]
) -> None:
    at, people = installation, People(installation)
    with at.store.write() as db:
        for table in (messages, broadcasts, group_members, contacts, groups):
            db.execute(delete(table))
    for i, (language, name) in enumerate(crowd):
        people.add(i, language, name=name)
    plan = Plan(Kind.ANNOUNCEMENT, "t", texts, Audience(communes=(TA_PHOU,)))
    with at.store.write() as db:
        found, addressed = preview(db, at.settings, plan, at.clock.now)
        made = write_letter(db, at.settings, letter(at, texts), [one for one, _ in addressed], at.clock.now)
        row = db.execute(select(broadcasts)).one()
    written = people.written(made)
    assert found.recipients == row.recipients == len(written) == len(crowd)
    assert found.parts == row.parts == sum(row.parts for row in written)
    assert found.parts == sum(segments(row.text).parts for row in written)
    assert found.parts == sum(share.parts for share in found.routes.values())
    for language, share in found.languages.items():
        theirs = [row for row in written if row.language == language]
        assert share.recipients == len(theirs) == sum(share.encodings.values())
        assert share.encodings["GSM-7"] == sum(is_gsm7(row.text) for row in theirs)
        assert share.longest
        assert share.longest[0] in {row.text for row in theirs}


# characters that cost -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strays", "encoding", "parts", "parts_then", "cheaper"),
    [
        ("It's free", [], "GSM-7", 1, 1, None),
        ("It’s free" + 60 * "x", [("’", "'", 3, 1)], "UCS-2", 1, 1, "It's free" + 60 * "x"),
        ("It’s free, it’s " + 140 * "x", [("’", "'", 3, 2)], "UCS-2", 3, 1, "It's free, it's " + 140 * "x"),
        ("Chambâk", [("â", "a", 6, 1)], "UCS-2", 1, 1, "Chambak"),
        ("a\u00a0b", [("\u00a0", " ", 2, 1)], "UCS-2", 1, 1, "a b"),
        ("a\u200bb", [], "GSM-7", 1, 1, None),  # taken out on sending
        ("wait…", [("…", "...", 5, 1)], "UCS-2", 1, 1, "wait..."),
        ("fee ១០០៛", [("១", "1", 5, 1), ("០", "0", 6, 2), ("៛", "R", 8, 1)], "UCS-2", 1, 1, "fee 100R"),
        ("good 👍🏽 " + 90 * "x", [("👍🏽", None, 6, 1)], "UCS-2", 2, 1, None),  # nothing stands for it
        ("come to the office of ឃុំ, please", [("ឃុំ", None, 23, 1)], "UCS-2", 1, 1, None),  # a slip
        ("ok 中文 ok 中文 fine and well", [("中文", None, 4, 2)], "UCS-2", 1, 1, None),
        ("សួស្តី it’s", [], "UCS-2", 1, 1, None),  # Khmer takes UCS-2 in any case
        ("Ta Phou តាផូ", [], "UCS-2", 1, 1, None),
        ("ＡＢ ﬁne", [("Ａ", "A", 1, 1), ("Ｂ", "B", 2, 1), ("ﬁ", "fi", 4, 1)], "UCS-2", 1, 1, "AB fine"),
    ],
)  # fmt: skip
def test_each_stray_character_is_named_with_its_place_and_price(
    text: str,
    strays: list[tuple[str, str | None, int, int]],
    encoding: str,
    parts: int,
    parts_then: int,
    cheaper: str | None,
) -> None:
    found = cost(text)
    assert [(one.text, one.instead, one.at, one.times) for one in found.strays] == strays
    assert (found.encoding, found.parts, found.parts_then, found.cheaper) == (encoding, parts, parts_then, cheaper)
    for one in found.strays:
        assert text[one.at - 1 :].startswith(one.text)


@pytest.mark.parametrize(
    ("text", "parts", "over"),
    [("ក" * 70, 1, 0), ("ក" * 73, 2, 3), ("ក" * 134, 2, 64), ("ក" * 135, 3, 1), ("x" * 160, 1, 0), ("x" * 161, 2, 1),
     ("x" * 153 * 4 + "xx", 5, 2), ("€" * 81, 2, 1), ("", 1, 0)],
)  # fmt: skip
def test_what_stands_over_a_border_is_counted(text: str, parts: int, over: int) -> None:
    found = cost(text)
    assert (found.parts, found.over) == (parts, over)
    if over:
        assert segments(text[:-over]).parts == parts - 1


def test_a_stray_has_a_name() -> None:
    assert cost("it’s").strays[0].name == "U+2019 RIGHT SINGLE QUOTATION MARK"
    assert cost("a\u200bb\u200b").invisible == 2


@given(st.text(max_size=300))
def test_no_text_is_made_dearer_or_unreadable(text: str) -> None:
    found = cost(text)
    assert found.parts_then >= 1
    if found.cheaper is not None:
        assert is_gsm7(found.cheaper)
        assert not cost(found.cheaper).strays


def test_everybody_gets_a_text_in_some_language(settings: object) -> None:
    one = Recipient(b"", Sealed(1, b""), None, "km-Latn")
    from gateway import config

    programme = config.load(default_language="en")
    assert composer({"km": "ខ", "en": "Hi"}, programme)(one)[0] == "Hi"
    assert composer({"km": "ខ"}, programme)(one)[0] == "ខ"
    assert composer({"km": "ខ", "km-Latn": "kh", "en": "Hi"}, programme)(one)[0] == "kh"
