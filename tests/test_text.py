"""Lengths, parts, pages and matching of texts in Khmer, English and emoji."""

import csv
import unicodedata
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
import smsutil
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.text import (
    SMS,
    USSD,
    Limit,
    Segments,
    clusters,
    cut,
    fits,
    fold,
    is_gsm7,
    pages,
    plain,
    segments,
    septets,
    shown_parts,
    size,
    split,
    units,
    western_digits,
)

GAZETTEER = Path(__file__).parents[2] / "shared" / "data" / "gazetteer.csv"
BREAKS = " \r\n"
COENG = "\u17d2"
DEPENDENT = {COENG, *map(chr, range(0x17B6, 0x17C6))}

steady = settings(deadline=None, max_examples=150, database=None)

# Every mark in every order, so that much of it is no word of any language.
chaos = st.text(
    [chr(code) for code in range(0x1780, 0x17EA)]
    + list("\u17d2\u17d2\u17dd\u17c1\u17b8\u17b6\u17d2\u178a\u200b\u200c\u200d")
    + list("\u0300\u0323\u3099\u0345\u0338\u20e3\ufe0f\U0001f3fd\U0001f1f0")
    + list(" aÅ=.\t\r\n1👍❤"),
    max_size=24,
)
khmer = ["ខ្មែ", "ស្ត្រី", "ប៉ា", "ក់", "ពោ", "ធិ៍", "ឃុំ", "ង", "៣", "។", "៖", "៕"]
latin = ["commune", "x", "é", "€", "[", "5", ".", " ", " ", "\n", "\r\n", "\u200b"]
emoji = ["👍🏽", "👩\u200d👩\u200d👧", "🇰🇭", "❤️", "1️⃣"]
pieces = st.sampled_from([*khmer, *latin, *emoji])
mixes = st.lists(pieces, max_size=40).map("".join)
limits = st.builds(Limit, septets=st.integers(1, 40), units=st.integers(1, 30))


class TestLength:
    @pytest.mark.parametrize(
        ("text", "length"),
        [
            pytest.param("", 0, id="nothing"),
            pytest.param("Commune 1-5", 11, id="plain English"),
            pytest.param("@£$¥èéùìòÇØøÅåÆæßÉÄÖÑÜ§¿äöñüà", 29, id="European letters"),
            pytest.param("ΔΦΓΛΩΠΨΣΘΞ", 10, id="Greek capitals"),
            pytest.param("\r\n", 2, id="a line's end"),
            pytest.param("5€", 3, id="the euro costs two"),
            pytest.param("^{}\\[~]|€\f", 20, id="every extension character"),
        ],
    )
    def test_septets(self, text: str, length: int) -> None:
        assert is_gsm7(text)
        assert septets(text) == size(text) == length

    @pytest.mark.parametrize(
        ("text", "length"),
        [
            pytest.param("ឃុំ", 3, id="Khmer: a unit for every mark"),
            pytest.param("ខ្មែរ", 5, id="a coeng is a unit of its own"),
            pytest.param("Voilà ç", 7, id="small c with cedilla is not GSM-7"),
            pytest.param("it’s", 4, id="neither is a curly apostrophe"),
            pytest.param("`", 1, id="nor a backtick"),
            pytest.param("\t", 1, id="nor a tab"),
            pytest.param("\x1b", 1, id="nor the escape: a code, no character"),
            pytest.param("👍", 2, id="emoji are surrogate pairs"),
            pytest.param("\ud83d", 1, id="half a pair that a provider let through"),
        ],
    )
    def test_units(self, text: str, length: int) -> None:
        assert not is_gsm7(text)
        assert units(text) == size(text) == length

    def test_septets_of_khmer_name_the_character_but_not_the_text(self) -> None:
        with pytest.raises(ValueError, match=r"U\+17D4") as error:
            septets("my secret។")
        assert "secret" not in str(error.value)

    @pytest.mark.parametrize(
        ("text", "limit", "fitting"),
        [
            pytest.param("x" * 182, USSD, True, id="a full USSD screen"),
            pytest.param("x" * 183, USSD, False, id="one too many on a screen"),
            pytest.param("x" * 180 + "€", USSD, True, id="euro at the end of a screen"),
            pytest.param("x" * 181 + "€", USSD, False, id="euro over the end"),
            pytest.param("ក" * 80, USSD, True, id="a full Khmer screen"),
            pytest.param("x" * 80 + "ក", USSD, False, id="one Khmer letter costs all"),
            pytest.param("x" * 160, SMS, True, id="a full SMS"),
            pytest.param("ក" * 70, SMS, True, id="a full Khmer SMS"),
            pytest.param("ក" * 71, SMS, False, id="one over in an SMS"),
        ],
    )
    def test_fits(self, text: str, limit: Limit, fitting: bool) -> None:
        assert fits(text, limit) is fitting


class TestSegments:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("", Segments("GSM-7", 0, 1), id="nothing is a part"),
            pytest.param("x" * 160, Segments("GSM-7", 160, 1), id="160"),
            pytest.param("x" * 161, Segments("GSM-7", 161, 2), id="161"),
            pytest.param("x" * 306, Segments("GSM-7", 306, 2), id="2 x 153"),
            pytest.param("x" * 307, Segments("GSM-7", 307, 3), id="2 x 153 and 1"),
            pytest.param("€" * 80, Segments("GSM-7", 160, 1), id="80 euros"),
            # 153 is odd: an escape pair in each part leaves a septet empty.
            pytest.param("€" * 153, Segments("GSM-7", 306, 3), id="153 euros"),
            pytest.param("x" * 152 + "€" * 77, Segments("GSM-7", 306, 3), id="pair"),
            pytest.param("ក" * 70, Segments("UCS-2", 70, 1), id="70"),
            pytest.param("ក" * 71, Segments("UCS-2", 71, 2), id="71"),
            pytest.param("ក" * 134, Segments("UCS-2", 134, 2), id="2 x 67"),
            pytest.param("ក" * 135, Segments("UCS-2", 135, 3), id="2 x 67 and 1"),
            pytest.param("👍" * 35, Segments("UCS-2", 70, 1), id="35 thumbs"),
            pytest.param("👍" * 67, Segments("UCS-2", 134, 3), id="67 thumbs"),
        ],
    )
    def test_alphabet_length_and_parts(self, text: str, expected: Segments) -> None:
        assert segments(text) == expected

    def test_a_pair_moves_whole_to_the_next_part(self) -> None:
        assert split("x" * 152 + "€" * 4) == ["x" * 152 + "€" * 4]
        assert split("x" * 152 + "€" * 9) == ["x" * 152, "€" * 9]
        assert split("ក" * 66 + "👍" * 3) == ["ក" * 66, "👍" * 3]

    def test_a_part_may_end_inside_a_cluster(self) -> None:
        assert split("ក" * 67 + "ា" * 4) == ["ក" * 67, "ា" * 4]

    @steady
    @given(st.text(st.sampled_from("xé€[\nកា្👍ç"), min_size=1, max_size=400))
    def test_agrees_with_smsutil(self, text: str) -> None:
        # smsutil differs by design, on texts that are not drawn here: it takes the
        # escape for a character (no phone shows it), and an empty text for UTF-16.
        theirs = smsutil.split(text)
        gsm7 = theirs.encoding == "gsm0338"
        length = theirs.total_bytes if gsm7 else theirs.total_bytes // 2
        encoding = "GSM-7" if gsm7 else "UCS-2"
        ours = segments(text)
        assert (ours.encoding, ours.length) == (encoding, length)
        assert ours.parts == len(theirs.parts)
        assert split(text) == [part.content for part in theirs.parts]

    @steady
    @given(st.text(max_size=300))
    def test_parts_join_to_the_text_and_have_room(self, text: str) -> None:
        parts = split(text)
        room, cost = (153, septets) if is_gsm7(text) else (67, units)
        assert "".join(parts) == text
        assert len(parts) == 1 or max(map(cost, parts)) <= room


class TestShownParts:
    def test_a_cluster_stands_whole_in_the_part_that_begins_it(self) -> None:
        text = "ក" * 66 + "បា" + "ខ" * 5
        assert split(text) == ["ក" * 66 + "ប", "ា" + "ខ" * 5]
        assert shown_parts(text) == ["ក" * 66 + "បា", "ខ" * 5]
        assert shown_parts("ក" * 70) == ["ក" * 70]
        assert shown_parts("") == [""]

    @steady
    @given(st.text(st.sampled_from("xé€[\nកា្👍ç"), max_size=400))
    def test_there_are_as_many_as_are_sent_and_nothing_is_lost(self, text: str) -> None:
        parts = shown_parts(text)
        assert len(parts) == len(split(text))
        assert "".join(parts) == text
        assert [one for part in parts for one in clusters(part)] == clusters(text)


class TestClusters:
    @pytest.mark.parametrize(
        "expected",
        [
            pytest.param([], id="nothing"),
            pytest.param(["ខ្មែ", "រ"], id="coeng and vowel"),
            pytest.param(["ស្ត្រី"], id="two coengs and a vowel"),
            pytest.param(["ប៉ុ", "ន្មា", "ន"], id="shifter and vowel"),
            pytest.param(["ពោ", "ធិ៍", "រាំ"], id="silent sign, nikahit"),
            pytest.param(["អ៊ុ", "ន"], id="triisap"),
            pytest.param(["ឲ្យ"], id="coeng on an independent vowel"),
            pytest.param(["ក្ឫ"], id="coeng and an independent vowel"),
            pytest.param(["៣", "០", "៖", "ៗ", "។", "៛"], id="digits and signs alone"),
            pytest.param(["ក\u200c៊ី", "ក\u200d្ក"], id="joiners"),
            pytest.param(["ក្\u200cក"], id="a joiner inside a coeng"),
            pytest.param(["ក្\u17ddក", "ក"], id="a coeng that NFC parted"),
            pytest.param(["ក្", "\u200b", "ក"], id="a zero-width space ends it"),
            pytest.param(["ក", "\u200b", "ា"], id="even before a vowel"),
            pytest.param(["ក្", " ", "ក"], id="so does a space"),
            pytest.param(["្ក", "ក"], id="a coeng at the start keeps its letter"),
            pytest.param([" ", "ា", "ក"], id="a vowel after a space"),
            pytest.param(["e\u0301", "a\u0308\u0323"], id="Latin accents"),
            pytest.param(["ที่", "นี่"], id="Thai"),
            pytest.param(["a", "\r\n", "\n", "\r", "b"], id="line ends"),
            pytest.param(["👍🏽", "👍", "❤️"], id="skin tone and selector"),
            pytest.param(["👩‍👩‍👧", "🏳️‍🌈", "x"], id="emoji joined"),
            pytest.param(["🇰🇭", "🇫🇷", "🇰"], id="flags, two letters each"),
            pytest.param(["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "x"], id="a flag of tags"),
            pytest.param(["1️⃣", "2"], id="keycap"),
        ],
    )
    def test_what_a_reader_sees_as_one(self, expected: list[str]) -> None:
        assert clusters("".join(expected)) == expected

    @steady
    @given(chaos | mixes | st.text())
    def test_join_to_the_text_and_keep_marks_with_a_base(self, text: str) -> None:
        found = clusters(text)
        assert "".join(found) == text
        assert all(found)
        for before, cluster in pairwise(found):
            line_end = unicodedata.category(before[-1]) in {"Cc", "Zl", "Zp"}
            after_break = line_end or before in {" ", "\u200b"}
            assert after_break or cluster[0] not in DEPENDENT
            # A coeng at the end waits for no letter that comes next.
            assert not (before[-1] == COENG and "\u1780" <= cluster[0] <= "\u17b3")

    @steady
    @given(st.lists(pieces.filter(lambda piece: len(clusters(piece)) == 1)))
    def test_syllables_come_back_as_they_went_in(self, syllables: list[str]) -> None:
        assert clusters("".join(syllables)) == syllables


class TestCut:
    @pytest.mark.parametrize(
        ("text", "limit", "expected"),
        [
            pytest.param("one two", Limit(7, 7), ("one two", ""), id="all of it"),
            pytest.param("one two", Limit(5, 5), ("one", "two"), id="at a space"),
            pytest.param("one two", Limit(3, 3), ("one", "two"), id="space just over"),
            pytest.param("one\ntwo", Limit(5, 5), ("one", "two"), id="at a newline"),
            pytest.param("one\r\ntwo", Limit(5, 5), ("one", "two"), id="at CRLF"),
            pytest.param("one \n two", Limit(5, 5), ("one", "two"), id="drops the run"),
            pytest.param("one \ttwo", Limit(5, 5), ("one", "\ttwo"), id="keeps a tab"),
            pytest.param("x" * 183, USSD, ("x" * 182, "x"), id="a screen of GSM-7"),
            pytest.param("one  ", Limit(3, 3), ("one", ""), id="nothing but space left"),
            pytest.param("a longword", Limit(6, 6), ("a long", "word"), id="space too early"),
            pytest.param("a b longer", Limit(6, 6), ("a b", "longer"), id="exactly half full"),
            pytest.param("អរគុណ។បាន", Limit(8, 8), ("អរគុណ។", "បាន"), id="after a full stop"),
            pytest.param("ឃុំ៖តាផូ", Limit(6, 6), ("ឃុំ៖", "តាផូ"), id="after a colon"),
            pytest.param("ឃុំ។ តាផូ", Limit(6, 6), ("ឃុំ។", "តាផូ"), id="stop, then space"),
            pytest.param("ខ្មែរខ្មែរ", Limit(8, 8), ("ខ្មែរ", "ខ្មែរ"), id="not before a coeng"),
            pytest.param("កាក់", Limit(3, 3), ("កា", "ក់"), id="not before a sign"),
            pytest.param("ស្ត្រីក", Limit(2, 2), ("ស្ត្រី", "ក"), id="one, if too long"),
            pytest.param("ab👍🏽", Limit(9, 5), ("ab", "👍🏽"), id="emoji whole"),
            pytest.param("ab€", Limit(3, 3), ("ab", "€"), id="euro costs two septets"),
            pytest.param("abcdef ក", Limit(9, 4), ("abcd", "ef ក"), id="whole is UCS-2"),
            # The head alone will be sent as GSM-7, where two euros cost four.
            pytest.param("€€ក", Limit(3, 2), ("€", "€ក"), id="head alone is GSM-7"),
            pytest.param("    abc", Limit(3, 3), ("   ", "abc"), id="only spaces"),
            pytest.param("abc", Limit(0, 0), ("a", "bc"), id="no room at all"),
        ],
    )
    def test_head_and_rest(self, text: str, limit: Limit, expected: tuple[str, str]) -> None:
        assert cut(text, limit) == expected

    @steady
    @given(st.lists(st.sampled_from(["ខ្មែ", "ក់", "x", "€", "👍🏽"]), min_size=1), limits)
    def test_without_a_break_the_head_is_the_longest_that_fits(self, syllables: list[str], limit: Limit) -> None:
        text = "".join(syllables)
        head, rest = cut(text, limit)
        room, cost = (limit.septets, septets) if is_gsm7(text) else (limit.units, units)
        assert head + rest == text
        if rest:
            longer = head + clusters(rest)[0]
            assert cost(longer) > room or not fits(longer, limit)

    @steady
    @given(mixes, st.integers(1, 30))
    def test_a_head_that_stops_early_is_half_full(self, text: str, n: int) -> None:
        limit = Limit(2 * n, n)
        head, rest = cut(text, limit)
        room, cost = (limit.septets, septets) if is_gsm7(text) else (limit.units, units)
        taken = text.removesuffix(rest)
        if rest and cost(taken + clusters(rest)[0]) <= room:
            assert 2 * cost(head) >= room


class TestPages:
    def test_an_empty_text_is_an_empty_page(self) -> None:
        assert pages("", USSD) == [""]

    def test_a_list_of_communes_breaks_between_words(self) -> None:
        text = "ឃុំ៖ 1 ពន្លៃ 2 ទានកាំ 3 តាផូ 4 ទ្រាស"
        assert pages(text, Limit(40, 20)) == ["ឃុំ៖ 1 ពន្លៃ 2", "ទានកាំ 3 តាផូ 4", "ទ្រាស"]

    def test_a_page_of_latin_after_khmer_has_the_room_of_gsm7(self) -> None:
        text = "ក" * 80 + "x" * 182
        assert pages(text, USSD) == ["ក" * 80, "x" * 182]

    @steady
    @given(mixes | chaos, limits)
    def test_fit_and_lose_nothing_but_breaks(self, text: str, limit: Limit) -> None:
        found = pages(text, limit)
        for page in found:
            assert fits(page, limit) or len(clusters(page)) == 1
        end = 0
        for page in found:
            start = text.index(page, end)
            assert text[end:start].strip(BREAKS) == ""
            end = start + len(page)
        assert text[end:].strip(BREAKS) == ""
        assert text.startswith(found[0])

    @steady
    @given(mixes | chaos, limits)
    def test_cut_no_cluster(self, text: str, limit: Limit) -> None:
        kept = [cluster for page in pages(text, limit) for cluster in clusters(page)]
        assert [c for c in kept if c.strip(BREAKS)] == [c for c in clusters(text) if c.strip(BREAKS)]


class TestPlain:
    @pytest.mark.parametrize(
        ("text", "sent"),
        [
            pytest.param("ដង\u200bរ៉ែក", "ដងរ៉ែក", id="zero-width space"),
            pytest.param("\ufeffON", "ON", id="byte order mark"),
            pytest.param("com\u00admune", "commune", id="soft hyphen"),
            pytest.param("\u200e1\u202a2\u202c\u20663\u2069", "123", id="bidi controls"),
            pytest.param("a\x00b\x1bc\x7fd", "abcd", id="control characters"),
            pytest.param("1\r\n2\n3", "1\n2\n3", id="newlines stay"),
            pytest.param("cafe\u0301", "café", id="NFC, and so GSM-7"),
            pytest.param("ក\u200cក\u200dក", "ក\u200cក\u200dក", id="joiners stay"),
            pytest.param("ស្ដី ៣។", "ស្ដី ៣។", id="Khmer is sent as written"),
        ],
    )
    def test_what_we_send(self, text: str, sent: str) -> None:
        assert plain(text) == sent

    @steady
    @given(st.text() | chaos)
    def test_is_idempotent_and_hides_nothing(self, text: str) -> None:
        once = plain(text)
        assert plain(once) == once
        assert not {"\u200b", "\ufeff", "\u00ad", "\u202e", "\t"} & set(once)


class TestDigits:
    @pytest.mark.parametrize(
        ("text", "western"),
        [
            pytest.param("០១២៣៤៥៦៧៨៩", "0123456789", id="Khmer"),
            pytest.param("ឃុំ ១2៣", "ឃុំ 123", id="mixed"),
            pytest.param("๕ ໕ ５ ٥ 𝟓", "5 5 5 5 5", id="Thai, Lao, wide, Arabic, bold"),
            pytest.param("½ ² ៳ Ⅳ", "½ ² ៳ Ⅳ", id="numbers that are no digits"),
        ],
    )
    def test_western_digits(self, text: str, western: str) -> None:
        assert western_digits(text) == western


class TestFold:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            pytest.param(" stop! ", "STOP", id="case and punctuation"),
            pytest.param("ឈប់។", "ឈប់", id="Khmer full stop"),
            pytest.param("ផ្សេងៗ", "ផ្សេង", id="repetition sign"),
            pytest.param("ឈប់៕ «៖»៙៚", "ឈប់", id="other Khmer punctuation"),
            pytest.param("១,២.៥/១", "1 2 5 1", id="Khmer digits, any separator"),
            pytest.param("1\t2\r\n5\u00a01", "1 2 5 1", id="any white space"),
            pytest.param("1️⃣ 2️⃣", "1 2", id="keycap digits"),
            pytest.param("5 👍🏽❤️", "5", id="emoji"),
            pytest.param("“ON” – it’s", "on it s", id="curly quotes and dashes"),
            pytest.param("STRASSE É", "straße e\u0301", id="full case folding"),
            pytest.param("ដង\u200bរ៉ែក", "ដងរ៉ែក", id="zero-width space"),
            pytest.param("ព\u200cន្\u200dលៃ", "ពន្លៃ", id="joiners"),
            pytest.param("បណ្ដាញ", "បណ្តាញ", id="coeng DA as coeng TA"),
            pytest.param("ស្ដ្រី", "ស្ត្រី", id="coeng DA under coeng RO"),
            pytest.param("ស្រ្តី", "ស្ត្រី", id="coeng RO typed first"),
            pytest.param("ស្រ្ដី", "ស្ត្រី", id="both"),
            pytest.param("ពៅ្ន", "ព្នៅ", id="vowel before coeng"),
            pytest.param("ខំាកឺត", "ខាំកឺត", id="sign before vowel"),
            pytest.param("បុ៉ន្មាន", "ប៉ុន្មាន", id="vowel before shifter"),
            pytest.param("ប\u17c1\u17b8ក", "បើក", id="split vowel OE"),
            pytest.param("ប\u17b8\u17c1ក", "បើក", id="split vowel OE reversed"),
            pytest.param("រ\u17c1\u17b6ង", "រោង", id="split vowel OO"),
            pytest.param("រ\u17c1\u17b6\u17c7", "រោះ", id="split vowel and a sign"),
            pytest.param("ក\u17b4\u17d2\u034f", "ក", id="marks that show nothing"),
            pytest.param("ក\u17dd\u17d2ក", "ក្ក", id="a sign that NFC moves"),
        ],
    )
    def test_what_is_typed_matches_what_is_meant(self, typed: str, meant: str) -> None:
        assert fold(typed) == fold(meant)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param("ដា", "តា", id="the letters DA and TA, which look unlike"),
            pytest.param("កា", "ក", id="with and without a vowel"),
            pytest.param("ប៉ា", "បា", id="with and without a shifter"),
            pytest.param("12", "1 2", id="one number and two"),
            pytest.param("កើ", "កោ", id="two split vowels"),
            pytest.param("ក្ខ", "កខ", id="with and without a coeng"),
        ],
    )
    def test_what_differs_stays_apart(self, one: str, other: str) -> None:
        assert fold(one) != fold(other)

    @pytest.mark.parametrize("word", ["ប៉ុន្មាន", "ស្ត្រី", "ខាំ", "ពោធិ៍", "ខ្លាំង", "ម៉ោង"])
    def test_a_well_spelt_word_is_its_own_fold(self, word: str) -> None:
        assert fold(word) == word

    @pytest.mark.parametrize("text", ["", " \n", "។!?", "\u200b", "👍"])
    def test_nothing_to_match_is_empty(self, text: str) -> None:
        assert fold(text) == ""

    @settings(steady, max_examples=400)
    @given(chaos | mixes | st.text())
    @example("б\u030f\u17b6\u17d2\u178f")  # NFC would part a coeng moved to the accent
    @example("ក\u17c1\u17bd\u17b6")  # joined after sorting, and sorted after joining
    @example("k\u0300\u200d\u17d2\u178f")  # without the joiner, NFC parts this coeng
    @example("ΐ")  # folded to three characters, which NFC joins
    def test_is_idempotent_and_clean(self, text: str) -> None:
        once = fold(text)
        assert fold(once) == once
        assert once == " ".join(once.split()) == plain(once) == western_digits(once)
        assert "\u17d2\u178a" not in once
        assert not any(unicodedata.category(char)[0] in "PS" for char in once)


# DOMAIN.md, "Wording": every row that states a length.
WORDING = {
    "welcome, km": (
        "ឃុំមិនឃើញលេខអ្នកទេ។ ក្រុមហ៊ុនទូរស័ព្ទអាចឃើញ។ 1=បន្ត 2=abc 3=EN 0=ឈប់",
        68,
    ),
    "welcome, en": (
        (
            "Rate commune services. The commune never sees your number; your phone company "
            "can see you used this. 1=Go on 2=Khmer abc 3=English 0=Leave"
        ),
        138,
    ),
    "score, km": (
        "មណ្ឌលសុខភាព 1-5៖ 1 មិនពេញចិត្តខ្លាំង 3 ទទួលយកបាន 5 ពេញចិត្តខ្លាំង",
        65,
    ),
    "who, km": (
        "អ្នកជា៖ 1 ស្រី15-30 2 ស្រី>30 3 ប្រុស15-30 4 ប្រុស>30 5 <15 6 ផ្សេង 7 មិនឆ្លើយ",
        78,
    ),
    "who, en": (
        ("You are: 1 Woman 15-30 2 Woman over 30 3 Man 15-30 4 Man over 30 5 Under 15 6 Other 7 No answer 0 Back"),
        102,
    ),
    "thanks by USSD, en": ("Thank you! Received.", 20),
    "thanks by SMS, km": (
        "អរគុណ! បានទទួលហើយ។ បើប្រើទូរស័ព្ទរួម សូមលុបសារនេះ និងសារដែលផ្ញើ។",
        64,
    ),
    "thanks by SMS, en": (
        "Thank you! Received. Shared phone? Delete this and the SMS you sent.",
        68,
    ),
    "invitation, km": (
        "RCEDO៖ វេទិកាតាផូ ពុធ 12/03 8:30 សាលាឃុំ។ មកប៉ុន្មាននាក់? 0-8 OFF=ឈប់",
        69,
    ),
    "invitation, en": (
        (
            "RCEDO: Ta Phou forum on services, Wed 12/03 8:30, commune hall. Free to attend, "
            "travel not paid. How many will come? Reply 0-8. No more SMS=OFF"
        ),
        143,
    ),
    "moved, en": (
        (
            "RCEDO: Ta Phou forum 12/03 moved to Wed 19/03 8:30, commune hall. Your reply "
            "stands; send 0 if you cannot come."
        ),
        111,
    ),
    "cancelled, en": (
        ("RCEDO: Ta Phou forum Wed 12/03 is CANCELLED. Please do not travel. We will tell you the new day."),
        96,
    ),
    "stopped, km": ("យើងនឹងមិនផ្ញើសារទៀតទេ។ ចង់ទទួលវិញ សូមផ្ញើ ON។", 45),
    "stopped, en": ("We will not send more messages. To get them again, send ON.", 59),
    "you said, we did, km": ("ឃុំឆ្លើយ៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា។", 54),
    "you said, we did, en": (
        "Commune replies: health centre open until 5pm from 1 April.",
        59,
    ),
}


class TestWording:
    @pytest.mark.parametrize("row", WORDING)
    def test_has_the_length_the_table_states(self, row: str) -> None:
        text, length = WORDING[row]
        assert is_gsm7(text) is row.endswith("en")
        assert size(text) == units(text) == length
        assert plain(text) == text
        # "who" in Khmer is the one wording for the screen alone.
        assert fits(text, USSD if row == "who, km" else SMS)

    def test_a_tally_in_khmer_takes_two_parts(self) -> None:
        tally = "តាផូ 3-9/3 %ពេញចិត្ត (នាក់,ប្រែ)\nឃុំ 58 (31,-4)\nសុខភាព 61 (23,+6)\nច្រកមួយ 72 (18,ថ្មី)\nសាលា៖ មិនបង្ហាញ\n1=លម្អិត"
        assert segments(tally) == Segments("UCS-2", 111, 2)

    def test_a_tally_in_english_takes_one(self) -> None:
        tally = (
            "Ta Phou 3-9/3 % satisfied (raters,change)\nCommune office 58 (31,-4)\n"
            "Health 61 (23,+6)\nOne-window 72 (18,new)\nSchool: not shown\n1=details"
        )
        assert segments(tally) == Segments("GSM-7", 136, 1)


@pytest.fixture(scope="module")
def places() -> list[dict[str, str]]:
    if not GAZETTEER.exists():
        pytest.skip("no ../shared/data/gazetteer.csv beside this repository")
    with GAZETTEER.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestGazetteer:
    """Every province, district, commune and village of Cambodia."""

    def test_clusters_of_names_have_a_base_and_no_loose_coeng(self, places: list[dict[str, str]]) -> None:
        for place in places:
            name = place["name_km"]
            found = clusters(name)
            assert "".join(found) == name
            for cluster in found:
                assert not unicodedata.category(cluster[0]).startswith("M"), name
                assert not cluster.endswith(COENG), name
                assert len(cluster) <= 8, name

    @pytest.mark.parametrize(("level", "parent"), [("province", 0), ("district", 2), ("commune", 4)])
    @pytest.mark.parametrize("column", ["name_km", "name_en"])
    def test_places_that_share_a_parent_stay_apart(
        self, places: list[dict[str, str]], level: str, parent: int, column: str
    ) -> None:
        folded: dict[tuple[str, str], list[str]] = defaultdict(list)
        for place in places:
            if place["level"] == level:
                key = place["code"][:parent], fold(place[column])
                folded[key].append(place["code"])
        assert [codes for codes in folded.values() if len(codes) > 1] == []

    @pytest.mark.parametrize("column", ["name_km", "name_en"])
    def test_villages_of_a_commune_meet_only_when_spelt_alike(self, places: list[dict[str, str]], column: str) -> None:
        spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
        for place in places:
            if place["level"] == "village":
                key = place["code"][:6], fold(place[column])
                spellings[key].add(place[column])
        assert [names for names in spellings.values() if len(names) > 1] == []

    def test_a_name_typed_in_two_orders_is_one(self, places: list[dict[str, str]]) -> None:
        names = {place["name_km"] for place in places}
        assert {"ពៅ្ន", "ព្នៅ"} <= names
        assert fold("ពៅ្ន") == fold("ព្នៅ")

    def test_folded_names_are_stable_and_free_of_hidden_spaces(self, places: list[dict[str, str]]) -> None:
        hidden = 0
        for place in places:
            name = place["name_km"]
            folded = fold(name)
            assert folded
            assert fold(folded) == folded
            hidden += "\u200b" in name
            assert "\u200b" not in plain(name) + folded
        assert hidden == 4  # as DOMAIN.md says

    def test_lists_of_villages_page_on_a_screen(self, places: list[dict[str, str]]) -> None:
        communes: dict[str, list[str]] = defaultdict(list)
        for place in places:
            if place["level"] == "village":
                communes[place["code"][:6]].append(plain(place["name_km"]))
        for names in communes.values():
            text = " ".join(f"{n} {name}" for n, name in enumerate(names, 1))
            found = pages(text, USSD)
            assert all(fits(page, USSD) for page in found)
            assert "".join(found).replace(" ", "") == text.replace(" ", "")
