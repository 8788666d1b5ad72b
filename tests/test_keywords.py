"""What an SMS is understood as: a keyword in one of three scripts, numbers, or neither."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.menus.keywords import MOST_NUMBERS, WORDS, Keyword, Said, understand

RATE, FORUM, INFO, LANG = Keyword.RATE, Keyword.FORUM, Keyword.INFO, Keyword.LANG
HELP, STOP, START, RECORD = Keyword.HELP, Keyword.STOP, Keyword.START, Keyword.RECORD
NOTHING = Said()
ZWSP = "\u200b"

EVERY_WORD = [(word.strip(), keyword) for keyword, words in WORDS.items() for word in words.split(",")]


@pytest.mark.parametrize(("word", "keyword"), EVERY_WORD)
def test_every_word_of_the_table_is_understood_however_it_is_typed(word: str, keyword: Keyword) -> None:
    for typed in (
        word,
        word.upper(),
        word.capitalize(),
        f"  {word}\r\n",
        f"{word}.",
        f"“{word}”!!!",
        f"- {word} -",
        f"\ufeff{word}{ZWSP}",
        ZWSP.join(word) if " " not in word else word,
        word.replace(" ", "  "),
        f"{word} 🙏",
    ):
        assert understand(typed) == Said(keyword), repr(typed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # English
        ("RATE", Said(RATE)),
        ("Rate 2 5", Said(RATE, ("2", "5"))),
        ("rate 2 5 1", Said(RATE, ("2", "5", "1"))),
        ("RATE 1 2 5 1", Said(RATE, ("1", "2", "5", "1"))),
        ("rate: 2, 5", Said(RATE, ("2", "5"))),
        ("RATE-2-5", Said(RATE, ("2", "5"))),
        ("rate 2/5.", Said(RATE, ("2", "5"))),
        ("rate\t2\r\n5", Said(RATE, ("2", "5"))),
        ("vote 2 5", Said(RATE, ("2", "5"))),
        ("RATE 2", Said(RATE, ("2",))),
        ("rate the health centre", Said(RATE)),
        ("rate 1 2 3 4 5", Said(RATE)),  # more than anybody is asked for
        ("forum?", Said(FORUM)),
        ("Forum when", Said(FORUM)),
        ("INFO birth certificate", Said(INFO)),
        ("lang", Said(LANG)),
        ("Language please", Said(LANG)),
        ("HELP!", Said(HELP)),
        ("help me", Said(HELP)),
        ("STOP", Said(STOP)),
        ("stop.", Said(STOP)),
        ("Stop sending me this", Said(STOP)),
        ("STOP 1", Said(STOP)),
        ("OFF", Said(STOP)),
        ("off!", Said(STOP)),
        ("(Off)", Said(STOP)),
        ("stopall", Said(STOP)),
        ("unsubscribe me", Said(STOP)),
        ("ON", Said(START)),
        ("on.", Said(START)),
        ("Start", Said(START)),
        # Khmer
        ("វាយតម្លៃ", Said(RATE)),
        ("វាយតម្លៃ ២ ៥", Said(RATE, ("2", "5"))),
        ("វាយតម្លៃ៖ ២ ៥ ១", Said(RATE, ("2", "5", "1"))),
        (f"វាយ{ZWSP}តម្លៃ 2 5", Said(RATE, ("2", "5"))),
        ("វាយដម្លៃ", NOTHING),  # the letters ដ and ត are two; only under another letter do they look alike
        ("វេទិកា", Said(FORUM)),
        ("ព័ត៌មាន", Said(INFO)),
        ("ពត៌មាន។", Said(INFO)),
        ("ភាសា", Said(LANG)),
        ("ជំនួយ", Said(HELP)),
        ("ឈប់", Said(STOP)),
        ("ឈប់។", Said(STOP)),
        (f"ឈ{ZWSP}ប់", Said(STOP)),
        ("ឈប់ ផ្ញើ សារ", Said(STOP)),
        ("បិទ", Said(STOP)),
        ("បើក", Said(START)),
        ("បេីក", Said(START)),  # E and II typed one by one
        ("ចាប់ផ្តើម", Said(START)),
        ("ចាប់ផ្ដើម", Said(START)),  # coeng DA, which looks like coeng TA
        # Khmer in Latin letters
        ("Chhop", Said(STOP)),
        ("chhop phnhae sar", Said(STOP)),
        ("vay tamlai 2 5", Said(RATE, ("2", "5"))),
        ("Vaytamlai 2 5 1", Said(RATE, ("2", "5", "1"))),
        ("pheasa", Said(LANG)),
        ("baek", Said(START)),
        ("Chap phdaem", Said(START)),
        # a volunteer's card; from anybody else it is no keyword (sms.py)
        ("R 2 5 1", Said(RECORD, ("2", "5", "1"))),
        ("r2 5 1", Said(RECORD, ("2", "5", "1"))),
        ("R ២ ៥ ៣ ៤ ១", Said(RECORD, ("2", "5", "3", "4", "1"))),
        ("R", Said(RECORD)),
        ("record 2 five 1", Said(RECORD)),
        ("កត់ 2 5 1", Said(RECORD, ("2", "5", "1"))),
        ("road 2 5 1", NOTHING),
        # numbers
        ("5", Said(None, ("5",))),
        ("៥", Said(None, ("5",))),
        (" ៥។ ", Said(None, ("5",))),
        ("5!", Said(None, ("5",))),
        (f"{ZWSP}5{ZWSP}", Said(None, ("5",))),
        ("5\ufe0f\u20e3", Said(None, ("5",))),  # the key 5 as an emoji
        ("٥", Said(None, ("5",))),
        ("1 2 5 1", Said(None, ("1", "2", "5", "1"))),
        ("១ ២ ៥ ១", Said(None, ("1", "2", "5", "1"))),
        ("1,2,5,1", Said(None, ("1", "2", "5", "1"))),
        ("1*2*5*1#", Said(None, ("1", "2", "5", "1"))),
        ("1-2-5-1", Said(None, ("1", "2", "5", "1"))),
        ("1\n2\n5\n1", Said(None, ("1", "2", "5", "1"))),
        ("1 2 5", Said(None, ("1", "2", "5"))),
        ("2 5", Said(None, ("2", "5"))),
        ("0", Said(None, ("0",))),
        ("10", Said(None, ("10",))),
        # neither
        ("", NOTHING),
        (" ", NOTHING),
        ("?", NOTHING),
        ("👍", NOTHING),
        ("²", NOTHING),  # a digit to Unicode, but none that anybody answers with
        ("①", NOTHING),
        ("-1", Said(None, ("1",))),
        ("12345", NOTHING),
        ("1 2 3 4 5", NOTHING),
        ("010 000 001 1 2", NOTHING),
        ("five", NOTHING),
        ("2 people", NOTHING),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, said: Said) -> None:
    assert understand(text) == said


@pytest.mark.parametrize(
    "sentence",
    [
        "on monday we come",
        "On my way",
        "we start on monday",
        "start of the meeting?",
        "off to the market",
        "the end of the month",
        "end of the road is flooded",
        "End of month ok?",
        "quit smoking posters at the clinic",
        "cancel the meeting please",
        "the bus did not stop",
        "please do not stop the music",
        "don't stop",
        "they come and stop there",
        "nonstop",
        "stopped raining",
        "bet you are right",
        "offer",
        "online",
        "ending",
        "vote for the blue party",
        "I am on",
        "is the light off",
        "we rate it high",
        "ឈប់សម្រាកថ្ងៃណា",  # "when is the holiday": begins with the letters of STOP
        "បើកថ្ងៃណា",  # "on which day is it open": begins with the letters of ON
        "ថ្ងៃនេះឈប់",
        "ma-on",
    ],
)
def test_an_ordinary_sentence_neither_stops_nor_starts_nor_rates(sentence: str) -> None:
    assert understand(sentence) == NOTHING


def test_no_word_stands_for_two_things() -> None:
    words = [word.casefold() for word, _ in EVERY_WORD]
    assert len(words) == len(set(words))


scripts = st.characters(exclude_categories=()) | st.sampled_from("កខឈប់ស្តុ៊៉៌្\u200b0១២៣៤៥*#.,–²①stopno \n")
texts = st.text(scripts, max_size=60) | st.lists(st.sampled_from([w for w, _ in EVERY_WORD] + ["2", "៥", "."])).map(
    " ".join
)


@settings(max_examples=400, deadline=None)
@given(texts)
@example("\ud800")  # half of an emoji, as a broken gateway may send it
@example("\0")
@example("្" * 60)
def test_any_text_is_understood_as_something(text: str) -> None:
    said = understand(text)
    assert len(said.numbers) <= MOST_NUMBERS
    assert all(number.isascii() and number.isdigit() and 1 <= len(number) <= 4 for number in said.numbers)
    assert not said.numbers or said.keyword in (None, RATE, RECORD)
    assert understand(f" {text}\n") == said


@given(st.sampled_from([word for word, keyword in EVERY_WORD if keyword is STOP]), st.text(" .!?,;:()\"'-…។\u200b\n"))
def test_nothing_around_a_stop_word_takes_it_away(word: str, around: str) -> None:
    assert understand(around + word + around) == Said(STOP)
