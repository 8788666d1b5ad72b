"""What can be wrong with a broadcast, as the panel says it: `gateway.bulk.complaints`, to be translated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from admin.wording import Wording
from gateway.bulk.complaints import Complaint, Value, Wrong
from gateway.menus.phrases import Words

_ = Words

COMPLAINTS: Mapping[Wrong, Words] = {
    Wrong.NO_TITLE: _("Give it a title: it is how staff find it again."),
    Wrong.NO_TEXT: _("Write the text in at least one language."),
    Wrong.NO_AUDIENCE: _("Choose who gets it: a group or a commune."),
    Wrong.NOBODY: _("Nobody would get it: those chosen have no contact, or all of them have stopped."),
    Wrong.UNKNOWN: _("There is no placeholder {placeholder}. There are {known}."),
    Wrong.LOOSE_BRACE: _("A {brace} stands alone. A placeholder is written {example}."),
    Wrong.NO_VALUE: _("{n} of them: no {placeholder}. Write {example}, and they read what follows the bar."),
    Wrong.TOO_LONG: _("This is {parts} parts long; the most is {most}. Make it shorter."),
    Wrong.NO_TIME: _("This is no time. Write it like {example}."),
    Wrong.PAST: _("This time is over. The next possible one is {next}."),
    Wrong.QUIET: _("Nothing is sent between {evening}:00 and {morning}:00. The next possible time is {next}."),
    Wrong.EXPIRES_FIRST: _("It would be too late to send before it begins: choose an end after {start}."),
    Wrong.PAUSED: _("It would be too late to send before the pause ends: it cannot leave before {start}."),
    Wrong.TOO_SLOW: _("Sending takes until {end}, but it ends at {expires}. Choose a later end, or fewer people."),
    Wrong.OWN: _("You wrote this, or changed it last. Somebody else must approve it."),
    Wrong.CHANGED: _("Somebody changed this meanwhile. Look at it again before you go on."),
    Wrong.COUNT: _("Meanwhile it is for {n} people, in {parts} parts. Look at it again before you go on."),
    Wrong.NO_NUMBER: _("This is no number of a mobile phone that we send to. Write it like {example}."),
    Wrong.STOPPED: _("This number has stopped. Send ON from it to {to} first."),
    Wrong.NOTHING_LEFT: _("There is nothing left to cancel: all of it was sent, or ended."),
    Wrong.OVER: _("It is too late: what this is about has ended."),
    Wrong.STAGE: _("This cannot be done any more, or not yet: look at how far it is."),
}


def said(complaint: Complaint, wording: Wording) -> Words:
    """A complaint with its values as the reader writes them."""
    return COMPLAINTS[complaint.wrong].given(
        **{name: _value(value, wording) for name, value in complaint.values.items()}
    )


def _value(value: Value, wording: Wording) -> str:
    match value:
        case datetime():
            return wording.moment(value)
        case date():
            return wording.date(value)
        case int():
            return wording.number(value)
        case _:
            return value
