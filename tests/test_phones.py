"""Phone numbers as people write them, as operators own them, as staff and logs may see them."""

from __future__ import annotations

import json
import logging
import uuid

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import logs
from gateway.phones import PREFIXES, NotANumber, calling_code, e164, is_mobile, masked, operator, scrub

SMART = "+85510000001"
BY_OPERATOR = {
    "smart": [10, 15, 16, 69, 70, 81, 86, 87, 93, 96, 98],
    "cellcard": [11, 12, 14, 17, 61, 76, 77, 78, 79, 85, 89, 92, 95, 99],
    "metfone": [31, 60, 66, 67, 68, 71, 88, 90, 97],
    "seatel": [18],
    "qb": [13, 80, 83, 84],
    "cootel": [38],
    "kingtel": [39],
}
"""DOMAIN.md, Phones."""
quick = settings(deadline=None, max_examples=200, database=None)


class TestE164:
    @pytest.mark.parametrize(
        ("written", "number"),
        [
            (SMART, SMART),
            ("85510000001", SMART),  # the + was lost
            (" 85510000001", SMART),  # a + that came unencoded in a URL
            ("0085510000001", SMART),
            ("010000001", SMART),
            ("10000001", SMART),  # a spreadsheet ate the 0
            ("+855010000001", SMART),  # the national 0 after the code
            ("855010000001", SMART),
            ("00855010000001", SMART),
            ("+855 (0)10 000 001", SMART),
            ("010 000 001", SMART),
            ("010-000-001", SMART),
            ("010.000.001", SMART),
            ("(010) 000/001", SMART),
            ("+855\u00a010\u200b000\u2011001\n", SMART),
            ("០១០០០០០០១", SMART),
            ("+៨៥៥១០០០០០០១", SMART),
            ("0960000001", "+855960000001"),  # nine national digits
            ("960000001", "+855960000001"),
            ("855960000001", "+855960000001"),
            ("085512345", "+85585512345"),
            ("85512345", "+85585512345"),  # a Cellcard number that lost its 0, not 855 and five digits
            ("023000001", "+85523000001"),  # a landline is a number as well
            ("+66812345678", "+66812345678"),
            ("0066812345678", "+66812345678"),
            ("66812345678", "+66812345678"),
        ],
    )
    def test_repairs_what_was_lost_or_added(self, written: str, number: str) -> None:
        assert e164(written) == number

    @pytest.mark.parametrize(
        "written",
        [
            "", " ", "+", "0", "00", "855", "8550", "1234567", "Smart", "SMART AXIATA", "+855", "+8551000000",
            "+8551000000001", "+855 10 000 00x", "+855+10000001", "10000001 ext 2", "+0855100000", "+1234567",
            "+1234567890123456", "００", "²³¹", "010 000 001,010 000 002", "+855１２３", "tel:+85510000001",
        ],
    )  # fmt: skip
    def test_refuses_what_is_no_number(self, written: str) -> None:
        with pytest.raises(NotANumber):
            e164(written)

    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            ("+855100000019999", "a Cambodian number has 8 or 9 digits after 855"),
            ("no 10000001", "a phone number has digits only"),
            ("+1234567", "a phone number has 8 to 15 digits with its country code"),
        ],
    )
    def test_says_why_and_never_repeats_the_text(self, written: str, reason: str) -> None:
        with pytest.raises(NotANumber) as refusal:
            e164(written)
        assert str(refusal.value) == reason

    def test_home_may_be_another_country(self) -> None:
        assert e164("0812345678", home="66") == "+66812345678"
        assert e164("812345678", home="66") == "+66812345678"
        assert e164("66812345678", home="66") == "+66812345678"
        assert e164("+85510000001", home="66") == SMART

    @quick
    @given(st.text(max_size=24))
    def test_gives_digits_after_a_plus_or_refuses(self, text: str) -> None:
        try:
            number = e164(text)
        except NotANumber:
            return
        assert number[0] == "+"
        assert number[1:].isascii()
        assert number[1:].isdigit()
        assert e164(number) == number

    @quick
    @given(st.sampled_from(sorted(PREFIXES)), st.integers(0, 10**7 - 1), st.booleans())
    def test_every_way_of_writing_a_number_is_the_same_number(self, prefix: str, rest: int, long: bool) -> None:
        national = prefix + (f"{rest:07}" if long else f"{rest % 10**6:06}")
        ways = [national, "0" + national, "855" + national, "+855" + national, "+8550" + national, "00855" + national]
        assert {e164(way) for way in ways} == {"+855" + national}


class TestOperator:
    def test_knows_the_operator_of_every_prefix(self) -> None:
        listed = {str(prefix): name for name, prefixes in BY_OPERATOR.items() for prefix in prefixes}
        assert listed == PREFIXES
        for prefix, name in listed.items():
            assert operator(f"+855{prefix}000001") == name

    @pytest.mark.parametrize("number", ["+85523000001", "+85563000001", "+66812345678", "+1202555010", "8550"])
    def test_knows_none_of_landlines_and_other_countries(self, number: str) -> None:
        assert operator(number) is None


class TestCallingCode:
    @pytest.mark.parametrize(
        ("number", "served", "code"),
        [
            (SMART, ("855",), "855"),
            (SMART, ("66", "855"), "855"),
            ("+66812345678", ("855",), None),
            ("+8562012345678", ("855",), None),
            ("85510000001", ("855",), None),
        ],
    )
    def test_is_one_of_those_served(self, number: str, served: tuple[str, ...], code: str | None) -> None:
        assert calling_code(number, served) == code


class TestIsMobile:
    @pytest.mark.parametrize("prefixes", BY_OPERATOR.values(), ids=BY_OPERATOR)
    def test_every_operators_numbers_are(self, prefixes: list[int]) -> None:
        for prefix in prefixes:
            assert is_mobile(f"+855{prefix}000001")
            assert is_mobile(f"+855{prefix}0000001")

    @pytest.mark.parametrize("number", ["+66812345678", "+33612345678", "+12025550123"])
    def test_foreign_mobiles_are(self, number: str) -> None:
        assert is_mobile(number)

    @pytest.mark.parametrize(
        "sender",
        [
            "8550", "1212", "*855#", "Smart", "Cellcard", "RCEDO 24/7", "SMART-VAS", "", "+", "+855", "+85510",
            "+8551000", "+85523000001", "+85544000001", "+33142345678", "+442071234567", "+99912345678", "010000001",
        ],
    )  # fmt: skip
    def test_short_codes_names_and_landlines_are_not(self, sender: str) -> None:
        assert not is_mobile(sender)


class TestMasked:
    @pytest.mark.parametrize(
        ("number", "shown"),
        [("+85510000021", "+855 •• ••• •21"), ("+855960000007", "+855 •• ••• •07")],
    )
    def test_shows_the_country_and_two_digits(self, number: str, shown: str) -> None:
        assert masked(number) == shown

    @quick
    @given(st.sampled_from(sorted(PREFIXES)), st.integers(0, 10**6 - 1))
    def test_never_shows_more(self, prefix: str, rest: int) -> None:
        shown = masked(f"+855{prefix}{rest:06}")
        assert [char for char in shown if char.isdigit()] == [*"855", *f"{rest:06}"[-2:]]


LOOKS_LIKE_A_NUMBER = [
    ("from +85510000001", "from [number]"),
    ("from 85510000001 to 8550", "from [number] to 8550"),
    ("0085510000001", "[number]"),
    ("010000001", "[number]"),
    ("10000001", "[number]"),
    ("0960000001,0960000002", "[number],[number]"),
    ("'+85510000001'", "'[number]'"),
    ('{"phone":85510000001}', '{"phone":[number]}'),
    ("from:010000001", "from:[number]"),
    ("tel:+85510000001", "tel:[number]"),
    ("?from=%2B85510000001&to=8550", "?from=[number]&to=8550"),
    ("?from=%2b85510000001", "?from=[number]"),
    ("?from=+85510000001", "?from=[number]"),
    ("session_85510000001_2", "session_[number]_2"),
    ("85510000001-3", "[number]-3"),
    ("x-85510000001", "x-[number]"),
    ("Call 85510000001.", "Call [number]."),
    ("+855 10 000 001", "[number]"),
    ("+855-10-000-001", "[number]"),
    ("+855 (0)10 000 001", "[number]"),
    ("010 000 001", "[number]"),
    ("010-000-001", "[number]"),
    ("010.000.001", "[number]"),
    ("(010) 000 001", "[number]"),
    ("ask 096 000 0001 please", "ask [number] please"),
    ("០១០០០០០០១", "[number]"),
    ("០១០ ០០០ ០០១", "[number]"),
    ("+66812345678", "[number]"),
]
STAYS_READABLE = [
    "2026-11-23T05:00:00.123456Z",
    "2026-11-23 05:00:00.12345678",
    "2026-11-23T05:00:00+07:00",
    "from 2026-11-03 to 2026-11-09",
    "Mon Nov 23 05:00:00 2026",
    "[23/Nov/2026:05:00:00 +0700]",
    "20261123T050000Z",
    "d41d8cd98f00b204e9800998ecf8427e",
    "12345678abcdef9012345678abcdef90",
    "ATUid_12345678abcdef90",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "12345678-1234-5678-1234-567812345678",
    "round-0123456789012345.key",
    "PostgreSQL 16.4, Python 3.11.2, valkey 9.1.20261123",
    "0.12345678 s",
    "127.0.0.1:8000",
    "192.168.100.100",
    "http://127.0.0.1:8000/hooks/http",
    "commune 010806",
    "counts 12 3 4 10 5, n 34",
    "2*5*1",
    "short code 8550",
    "+855 •• ••• •21",
]


class TestScrub:
    @pytest.mark.parametrize(("text", "scrubbed"), LOOKS_LIKE_A_NUMBER)
    def test_blots_out_numbers(self, text: str, scrubbed: str) -> None:
        assert scrub(text) == scrubbed

    @pytest.mark.parametrize("text", STAYS_READABLE)
    def test_leaves_times_ids_and_versions(self, text: str) -> None:
        assert scrub(text) == text

    @quick
    @given(st.uuids())
    def test_leaves_every_uuid(self, some: uuid.UUID) -> None:
        assert scrub(f"message {some} sent") == f"message {some} sent"

    @quick
    @given(
        st.sampled_from(["+855{}", "855{}", "0{}", "00855{}", "{}", "%2B855{}"]),
        st.sampled_from(sorted(PREFIXES)),
        st.integers(0, 10**7 - 1),
        st.sampled_from(["{}", "from={} x", '"{}"', ":{},", "({})", "[{}]", "-{}-", "_{}_", "/{}/", "{}.", "\t{}\n"]),
    )
    def test_no_number_is_left_wherever_it_stands(self, way: str, prefix: str, rest: int, place: str) -> None:
        number = way.format(f"{prefix}{rest:07}")
        assert scrub(place.format(number)) == place.format("[number]")

    def test_a_line_of_the_log_holds_neither_numbers_nor_tokens(self, capsys: pytest.CaptureFixture[str]) -> None:
        root = logging.getLogger()
        before = root.handlers[:], root.level
        try:
            logs.set_up()
            structlog.get_logger().info("sms.in", sender=SMART, path="/hooks/africastalking/" + "t" * 40 + "/sms")
            logging.getLogger("granian").warning("GET /hooks/kannel/%s/sms?from=%%2B85510000001", "k" * 32)
        finally:
            root.handlers[:], root.level = before
            structlog.reset_defaults()
        written = capsys.readouterr().err
        first, second = map(json.loads, written.splitlines())
        assert first["event"] == "sms.in"
        assert first["sender"] == "[number]"
        assert first["path"] == "/hooks/africastalking/[token]/sms"
        assert second["event"] == "GET /hooks/kannel/[token]/sms?from=[number]"
        assert "10000001" not in written
