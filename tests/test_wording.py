"""The words: all translated, nothing stale, GSM-7 where it must be, as long and as worded as DOMAIN.md has it."""

from __future__ import annotations

import ast
import functools
import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from gateway.config import LANGUAGES, Language
from gateway.menus import flows
from gateway.menus.engine import Talk
from gateway.menus.phrases import Name, Words
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import CATALOGUES, catalogue, render
from gateway.models.services import STANDARD
from gateway.text import USSD, fits, in_gsm7, is_gsm7, plain, segments, units

GATEWAY = Path(__file__).parents[1] / "gateway"
TRANSLATED = ("km", "km-Latn")
KHMER = re.compile("[\u1780-\u17ff]")


@functools.cache
def sentences() -> dict[str, set[str]]:
    """Every sentence in the code, `_("...")` or `Words("...")`, and the files it stands in."""
    found: dict[str, set[str]] = {}
    for path in sorted(GATEWAY.rglob("*.py")):
        tree = ast.parse(path.read_text())
        named = {"Words"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == "Words":
                named |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in named:
                first = node.args[0] if node.args else None
                assert isinstance(first, ast.Constant), (
                    f"{path}:{node.lineno}: a sentence is written out where it is used"
                )
                found.setdefault(str(first.value), set()).add(str(path.relative_to(GATEWAY)))
    return found


@functools.cache
def read(language: str) -> Catalog:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file)


def entries(language: str) -> list[Message]:
    return [entry for entry in read(language) if entry.id]


def placeholders(sentence: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(sentence) if name is not None}


class TestSentences:
    def test_are_found_in_the_menus_and_at_the_edges(self) -> None:
        files = {file for places in sentences().values() for file in places}
        assert {"menus/flows.py", "menus/welcome.py", "menus/rating.py", "menus/engine.py", "menus/screens.py"} <= files
        assert {"conversation.py", "webhooks.py"} <= files
        assert len(sentences()) > 50

    def test_are_plain_gsm7_english_with_values_that_have_names(self) -> None:
        for sentence in sentences():
            assert is_gsm7(sentence), sentence
            assert plain(sentence) == sentence == sentence.strip()
            assert all(name.isidentifier() for name in placeholders(sentence)), sentence


@pytest.mark.parametrize("language", TRANSLATED)
class TestCatalogue:
    def test_translates_every_sentence(self, language: str) -> None:
        missing = {sentence: where for sentence, where in sentences().items() if sentence not in catalogue(language)}
        assert not missing, f"add to catalogues/{language}.po"

    def test_has_nothing_that_nobody_says(self, language: str) -> None:
        stale = [str(entry.id) for entry in entries(language) if str(entry.id) not in sentences()]
        assert not stale, f"remove from catalogues/{language}.po"

    def test_says_each_thing_once_and_in_the_same_order_as_the_other(self, language: str) -> None:
        assert [entry.id for entry in entries(language)] == [entry.id for entry in entries(TRANSLATED[0])]
        text = (CATALOGUES / f"{language}.po").read_text()
        assert text.count("\nmsgid ") == len(entries(language)) + 1
        assert "#~" not in text
        assert "fuzzy" not in text

    def test_keeps_the_values_in_braces(self, language: str) -> None:
        for entry in entries(language):
            assert placeholders(str(entry.string)) == placeholders(str(entry.id)), entry.id

    def test_marks_each_entry_for_review(self, language: str) -> None:
        for entry in entries(language):
            words = {word for comment in entry.auto_comments for word in re.split(r"[,\s]+", comment)}
            assert "review" in words, f"{entry.id!r}: no native speaker has read this yet; say `#. review`"

    def test_is_as_it_is_sent(self, language: str) -> None:
        for entry in entries(language):
            said = str(entry.string)
            assert said
            assert plain(said) == said == said.strip(), f"{entry.id!r}: invisible signs, or not NFC"

    def test_is_written_in_its_script(self, language: str) -> None:
        for entry in entries(language):
            said = str(entry.string)
            if language == "km-Latn":
                assert is_gsm7(said), entry.id
                assert said.isascii(), f"{entry.id!r}: old phones type ASCII"
            elif entry.id not in ("Khmer abc", "English", "Under 15"):
                assert KHMER.search(said), entry.id


class TestRendering:
    @pytest.mark.parametrize(
        ("phrase", "km", "latn", "en"),
        [
            ("as it is", "as it is", "as it is", "as it is"),
            (Name("តាផូ", "Ta Phou", "Ta Phou commune"), "តាផូ", "Ta Phou", "Ta Phou commune"),
            (Words("Go on"), "បន្ត", "Bantor", "Go on"),
            (Words("Reply with one number, {first} to {last}.", first="1", last="5"), "សូមឆ្លើយលេខតែមួយ ពី 1 ដល់ 5។",
             "Som chhlaoy lek te muoy, pi 1 dol 5.", "Reply with one number, 1 to 5."),
            (Words("{service}", service=Name("សាលា", "Sala", "School")), "សាលា 1-5៖", "Sala 1-5:", "School"),
            (Words("never translated"), "never translated", "never translated", "never translated"),
            (Words("{commune}: no rating is open now.", commune="{x}"), "{x}៖ ឥឡូវមិនទាន់មានការវាយតម្លៃទេ។",
             "{x}: eylov min toan mean kar vay tamlai te.", "{x}: no rating is open now."),
        ],
    )  # fmt: skip
    def test_puts_values_into_words_of_the_language(
        self, phrase: Words | Name | str, km: str, latn: str, en: str
    ) -> None:
        assert [render(phrase, language) for language in LANGUAGES] == [km, latn, en]

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_of_what_the_edges_say_fits_one_screen(self, language: Language) -> None:
        for sentence, files in sentences().items():
            if files & {"conversation.py", "webhooks.py"} and not placeholders(sentence):
                assert fits(render(Words(sentence), language), USSD), sentence


class TestLatinNames:
    """An accent that GSM-7 lacks would cost a screen more than half its room."""

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("Chambâk", "Chambak"),
            ("Kratié", "Kratié"),  # GSM-7 has it
            ("Cha\u0302mbak", "Chambak"),
            ("Ōsaka Ệ", "Osaka E"),
            ("Khum 1 (€)", "Khum 1 (€)"),
            ("ឃុំ", "ឃុំ"),
            ("a ≠ b", "a ≠ b"),  # no letter: it would say something else
        ],
    )
    def test_lose_the_accents_that_gsm7_lacks(self, name: str, shown: str) -> None:
        assert in_gsm7(name) == shown


# DOMAIN.md, Wording -------------------------------------------------------------------------------

COMMUNES = [
    ["010303", 1, "ពន្លៃ", "Ponley", 1],
    ["010407", 2, "ទានកាំ", "Tean Kam", 1],
    ["010806", 3, "តាផូ", "Ta Phou", 1],
    ["010807", 4, "ទ្រាស", "Treas", 1],
]
PROGRAMME = Programme(1, {
    "communes": COMMUNES,
    "above": {},
    "services": [row[:5] for row in STANDARD],
    "rounds": {"1": [row[0] for row in STANDARD if row[-2]]},
})  # fmt: skip

ANYTHING = r"(\n8 \S+)?\n0 \S+"
"""What a screen may have below the table's wording: the menu, and the way back."""
SCREENS: list[tuple[str, Language, list[str], str, int | None, str]] = [
    # use, language, inputs, wording, length, what may follow
    ("welcome", "km", [], "ឃុំមិនឃើញលេខអ្នកទេ។ ក្រុមហ៊ុនទូរស័ព្ទអាចឃើញ។ 1=បន្ត 2=abc 3=EN 0=ឈប់", 68, ""),
    ("welcome", "en", [], "Rate commune services. The commune never sees your number; your phone company can see you"
     " used this. 1=Go on 2=Khmer abc 3=English 0=Leave", 138, ""),
    ("commune", "km", ["1"], "ឃុំ៖ 1 ពន្លៃ 2 ទានកាំ 3 តាផូ 4 ទ្រាស", None, ANYTHING),
    ("commune", "en", ["1"], "Commune: 1 Ponley 2 Tean Kam 3 Ta Phou 4 Treas", None, ANYTHING),
    ("service", "km", ["1", "3"], "សេវា៖ 1 រដ្ឋបាលឃុំ 2 មណ្ឌលសុខភាព 3 សាលាបឋម 4 ច្រកតែមួយ", None, ANYTHING),
    ("service", "en", ["1", "3"], "Service: 1 Commune office 2 Health centre 3 Primary school 4 One-window office",
     None, ANYTHING),
    ("score", "km", ["1", "3", "2"], "មណ្ឌលសុខភាព 1-5៖ 1 មិនពេញចិត្តខ្លាំង 3 ទទួលយកបាន 5 ពេញចិត្តខ្លាំង", 65, ANYTHING),
    ("score", "en", ["1", "3", "2"], "Health centre / 1 Very dissatisfied / 2 Dissatisfied / 3 Acceptable / 4 Satisfied"
     " / 5 Very satisfied", None, ANYTHING),
    ("who", "km", ["1", "3", "2", "5"], "អ្នកជា៖ 1 ស្រី15-30 2 ស្រី>30 3 ប្រុស15-30 4 ប្រុស>30 5 <15 6 ផ្សេង 7 មិនឆ្លើយ", 78, ""),
    ("who", "en", ["1", "3", "2", "5"], "You are: 1 Woman 15-30 2 Woman over 30 3 Man 15-30 4 Man over 30 5 Under 15"
     " 6 Other 7 No answer 0 Back", 102, ""),
    ("thanks", "km", ["1", "3", "2", "5", "1"], "អរគុណ! បានទទួលហើយ។", None, ""),
    ("thanks", "en", ["1", "3", "2", "5", "1"], "Thank you! Received.", 20, ""),
]  # fmt: skip
SENTENCES = [
    ("thanks, SMS", "Thank you! Received. Shared phone? Delete this and the SMS you sent.",
     "អរគុណ! បានទទួលហើយ។ បើប្រើទូរស័ព្ទរួម សូមលុបសារនេះ និងសារដែលផ្ញើ។", 68, 64),
    ("stopped", "We will not send more messages. To get them again, send ON.",
     "យើងនឹងមិនផ្ញើសារទៀតទេ។ ចង់ទទួលវិញ សូមផ្ញើ ON។", 59, 45),
]  # fmt: skip


class TestDomainWording:
    """Options are printed `1 Label` on lines of their own, where the table writes `1=Label`: the length is the same."""

    @pytest.mark.parametrize(
        ("language", "inputs", "wording", "length", "below"),
        [row[1:] for row in SCREENS],
        ids=[f"{row[0]} {row[1]}" for row in SCREENS],
    )
    def test_is_what_the_screen_says(
        self, language: Language, inputs: list[str], wording: str, length: int | None, below: str
    ) -> None:
        facts = Facts(edition=1, language=language, commune=None, cost="", menus=flows.VERSION)
        talk = Talk(functools.partial(flows.dial, Visit(facts, PROGRAMME)), language, USSD)
        for raw in inputs:
            talk.feed(raw)
        screen = talk.screen.text
        expected = re.sub(r" (?:/ )?(\d)[= ](?=\S)", r"\n\1 ", wording)
        assert screen.startswith(expected)
        assert re.fullmatch(below, screen.removeprefix(expected)), screen
        if length is not None:
            assert units(expected) == length

    @pytest.mark.parametrize(
        ("language", "hint"),
        [("km", "សូមឆ្លើយលេខតែមួយ ពី 1 ដល់ 5។"), ("en", "Reply with one number, 1 to 5.")],
    )
    def test_is_the_hint_for_what_is_no_answer(self, language: Language, hint: str) -> None:
        words = Words("Reply with one number, {first} to {last}.", first="1", last="5")
        assert render(words, language) == hint

    @pytest.mark.parametrize(("en", "km", "en_length", "km_length"), [row[1:] for row in SENTENCES])
    def test_is_what_an_sms_says(self, en: str, km: str, en_length: int, km_length: int) -> None:
        assert en in sentences()
        assert render(Words(en), "km") == km
        assert (segments(en).length, segments(km).length) == (en_length, km_length)
        assert {segments(render(Words(en), language)).parts for language in LANGUAGES} == {1}
