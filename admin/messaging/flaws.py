"""What can be wrong with a contact, a group or a file of them or of places, as the panel says it."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from gateway.contacts import contacts, groups, sheets
from gateway.contacts import lists as contact_lists
from gateway.contacts.contacts import Refused
from gateway.contacts.sheets import Problem
from gateway.menus.phrases import Words
from gateway.places import PlaceFlaw

_ = Words

FLAWS: Mapping[enum.StrEnum, Words] = {
    contacts.Flaw.EMPTY: _("This is missing."),
    contacts.Flaw.ROUNDED: _(
        "A spreadsheet rounded this number: its digits are gone. Format the column as text, then type it again."
    ),
    contacts.Flaw.SEVERAL: _("More than one number. Give each a line of its own."),
    contacts.Flaw.NOT_DIGITS: _("A phone number has digits only."),
    contacts.Flaw.SHORT: _("Too short: short codes and services are no contacts."),
    contacts.Flaw.LENGTH: _("Not the length of a phone number. A Cambodian one has 8 or 9 digits after the 0 or 855."),
    contacts.Flaw.NOT_MOBILE: _("Not the number of a mobile phone, so that no SMS reaches it."),
    contacts.Flaw.ABROAD: _("The number of a country that is not served. Served are numbers with {codes}."),
    contacts.Flaw.FORMULA: _("It begins with {sign}, and a spreadsheet would take it for a formula. Write it without."),
    contacts.Flaw.TOO_LONG: _("Longer than {most} characters."),
    contacts.Flaw.NO_CONSENT: _("Write where and when this person agreed to get messages."),
    contacts.Flaw.NO_COMMUNE: _("A councillor needs a commune, the one whose tally they get."),
    groups.GroupFlaw.SEPARATOR: _(
        "A group's name has no comma, semicolon or bar: in a file they stand between groups."
    ),
    groups.GroupFlaw.TAKEN: _("There is a group of this name already."),
    contact_lists.ListFlaw.NO_NUMBERS: _(
        "There is no column for the numbers. Head it: number, or លេខទូរស័ព្ទ. Is the first line the header?"
    ),
    contact_lists.ListFlaw.NO_LINES: _("The file has a header and no line below it."),
    contact_lists.ListFlaw.ROLE: _("{cell} is no role. Write person, institution or councillor."),
    contact_lists.ListFlaw.LANGUAGE: _("{cell} is no language. Write km, km-Latn (Khmer in Latin letters) or en."),
    contact_lists.ListFlaw.COMMUNE: _("{cell} is no commune that is known here. Write its code or its name."),
    contact_lists.ListFlaw.COMMUNES: _("{cell} is the name of several communes. Write one of the codes {codes}."),
    contact_lists.ListFlaw.ANOTHER: _(
        "Line {line} has the same number and says something else here. Keep what is right."
    ),
    contact_lists.ListFlaw.NO_CONSENTS: _(
        "{n} of them are new people without a consent. Write where and when they agreed: below, or in a column."
    ),
    PlaceFlaw.NO_COLUMNS: _("Columns that are missing: {missing}. It needs {columns}. Is the first line the header?"),
    PlaceFlaw.CODE: _("A code has 2, 4, 6 or 8 digits, as text. Did the spreadsheet take away a leading 0?"),
    PlaceFlaw.LEVEL: _("A code of {digits} digits is a {level}."),
    PlaceFlaw.TWICE: _("It stands on line {line} too."),
    PlaceFlaw.NOWHERE: _("{above}, in which it lies, is not known and not in the file."),
    PlaceFlaw.CUT: _("The line ends before this column."),
    PlaceFlaw.NAMELESS: _("This is missing."),
    sheets.Flaw.UNREADABLE: _("The file cannot be read."),
    sheets.Flaw.EMPTY: _("The file is empty. It needs at least a column with the numbers."),
    sheets.Flaw.WORKBOOK: _("This is a workbook. In the spreadsheet choose “Save as”, then “CSV UTF-8”."),
    sheets.Flaw.NOT_TEXT: _("This is no text in UTF-8. In the spreadsheet choose “Save as”, then “CSV UTF-8”."),
    sheets.Flaw.NUL: _("The file is damaged, or in UTF-16 without its mark. Save it as “CSV UTF-8”."),
    sheets.Flaw.TWO_COLUMNS: _("Two columns mean the same, {first} and {second}. Keep one."),
    sheets.Flaw.BROKEN: _("The cells cannot be told apart from here on. Is a quotation mark left open?"),
    sheets.Flaw.OVERFULL: _(
        "More cells than the header has. Is there a comma in a cell without quotation marks around it?"
    ),
}


def said(what: Refused | Problem) -> Words:
    """A flaw with its values."""
    assert isinstance(what.flaw, enum.StrEnum)  # all those of the panel are
    return FLAWS[what.flaw].given(**what.values)
