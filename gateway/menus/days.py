"""Days and hours as villagers read them: `Wed 12/03 8:30`, in the words of each language.

A moment is local time already (`moment.astimezone(settings.zone)`): menus know no time zone. The year is never said;
nobody is told of a forum a year ahead.
"""

from __future__ import annotations

from datetime import datetime

from gateway.menus.phrases import Words

_ = Words

_WEEKDAYS = (
    _("Mon {date}"),
    _("Tue {date}"),
    _("Wed {date}"),
    _("Thu {date}"),
    _("Fri {date}"),
    _("Sat {date}"),
    _("Sun {date}"),
)


def day(moment: datetime) -> Words:
    """`Wed 12/03`."""
    return _WEEKDAYS[moment.weekday()].given(date=date(moment))


def moment(moment: datetime) -> Words:
    """`Wed 12/03 8:30`."""
    return _WEEKDAYS[moment.weekday()].given(date=f"{date(moment)} {clock(moment)}")


def hour(moment: datetime) -> Words:
    """`8:30`; in Khmer with the part of the day behind it."""
    if moment.hour < 12:
        return _("{morning}", morning=clock(moment))
    if moment.hour < 17:
        return _("{afternoon}", afternoon=clock(moment))
    return _("{evening}", evening=clock(moment))


def date(moment: datetime) -> str:
    """`12/03`: the day before the month, as it is written here."""
    return f"{moment:%d/%m}"


def clock(moment: datetime) -> str:
    """`8:30`, of 24 hours."""
    return f"{moment.hour}:{moment:%M}"
