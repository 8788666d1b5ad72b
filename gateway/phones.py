"""Phone numbers: repaired to E.164, told by operator, masked.

Source: DOMAIN.md, Phones. Numbers leave this module only as `+` and digits.
"""

from __future__ import annotations

import re

import phonenumbers

from gateway.text import western_digits

PREFIXES: dict[str, str] = {
    prefix: operator
    for operator, prefixes in {
        "smart": "10 15 16 69 70 81 86 87 93 96 98",
        "cellcard": "11 12 14 17 61 76 77 78 79 85 89 92 95 99",
        "metfone": "31 60 66 67 68 71 88 90 97",
        "seatel": "18",
        "qb": "13 80 83 84",
        "cootel": "38",
        "kingtel": "39",
    }.items()
    for prefix in prefixes.split()
}
"""The first two national digits of a Cambodian mobile number and its operator: there is no number portability."""

_SEPARATORS = re.compile(r"[\s().\-\u200b\u2010-\u2015/]")
_CAMBODIAN = re.compile(r"\+855[1-9]\d{7,8}")
_READABLE = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_IN_ONE = r"(?<![^\W_])(?<!\d\.)(?:\+|%2B)?\d{8,15}(?![^\W_])"
_IN_GROUPS = r"(?<![\w.])(?:(?:\+|%2B)[1-9]\d{0,3}|\(?[0០]\d\d)(?:[ .()-]{1,3}\d{1,4}){2,5}(?!\w)"
_ANY_NUMBER = re.compile(f"(?P<readable>{_READABLE})|{_IN_ONE}|{_IN_GROUPS}", re.IGNORECASE)
"""A number in one piece or in groups; dates, times and UUIDs are met first, so that they stay."""


class NotANumber(ValueError):
    """The text is no phone number. The message says why and never repeats the text."""


def e164(text: str, home: str = "855") -> str:
    """A number as `+85510000001`, whatever was lost or added on the way.

    Takes a missing `+`, `00`, a national leading 0 (after the code too), spaces and Khmer digits.
    Raises NotANumber.
    """
    number = _SEPARATORS.sub("", western_digits(text.strip()))
    if number.startswith("00"):
        number = "+" + number[2:]
    elif number.startswith("0"):
        number = f"+{home}{number[1:]}"
    elif not number.startswith("+"):
        # by its length, not its beginning: 85 512 345 is a Cellcard number that lost its 0
        number = "+" + number if len(number) > 9 else f"+{home}{number}"
    if number.startswith(f"+{home}0"):
        number = f"+{home}{number[len(home) + 2 :]}"
    if not (number[1:].isascii() and number[1:].isdigit()):
        raise NotANumber("a phone number has digits only")
    if number.startswith("+855"):
        if not _CAMBODIAN.fullmatch(number):
            raise NotANumber("a Cambodian number has 8 or 9 digits after 855")
    elif not 8 <= len(number) - 1 <= 15 or number[1] == "0":
        raise NotANumber("a phone number has 8 to 15 digits with its country code")
    return number


def calling_code(number: str, served: tuple[str, ...]) -> str | None:
    """Which of the served calling codes an E.164 number has, or None."""
    return next((code for code in served if number.startswith("+" + code)), None)


def operator(number: str) -> str | None:
    """The Cambodian operator of an E.164 mobile number; None for landlines and other countries."""
    return PREFIXES.get(number[4:6]) if number.startswith("+855") else None


def is_mobile(number: str) -> bool:
    """Whether an E.164 number can be a person's mobile; short codes and landlines are not."""
    if number.startswith("+855"):
        return operator(number) is not None and _CAMBODIAN.fullmatch(number) is not None
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
    return kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)


def masked(number: str) -> str:
    """A number as staff see it: `+855 •• ••• •21`."""
    return f"{number[:4]} •• ••• •{number[-2:]}"


def scrub(text: str) -> str:
    """The text with everything that looks like a phone number blotted out: the last guard of the log.

    Times, dates, versions and hexadecimal ids stay readable.
    """
    return _ANY_NUMBER.sub(_blotted, text)


def _blotted(found: re.Match[str]) -> str:
    digits = sum(char.isdigit() for char in found[0].lower().removeprefix("%2b"))
    return found[0] if found["readable"] or not 8 <= digits <= 15 else "[number]"
