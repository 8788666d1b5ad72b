"""What the pages about commitments share: how far one is, in words; what is wrong with one; the one of an address."""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort
from sqlalchemy import Connection

from gateway.menus.phrases import Words
from gateway.models.promises import Standing
from gateway.promises import money, rules
from gateway.promises.commitments import find
from gateway.promises.facts import Commitment
from gateway.promises.rules import Wrong

_ = Words

LAST_ID = 2**31 - 1
STANDINGS: Mapping[Standing, Words] = {
    Standing.DONE: _("Done"),
    Standing.UNDER_WAY: _("Under way"),
    Standing.PLANNED: _("Planned"),
    Standing.DROPPED: _("Dropped"),
}
"""How far a commitment is, in the order of its bar."""
COLOURS: Mapping[Standing, str] = {
    Standing.DONE: "s5",
    Standing.UNDER_WAY: "s4",
    Standing.PLANNED: "s3",
    Standing.DROPPED: "s1",
}
"""Of the parts of a bar (panel.css): told apart by the colour-blind."""
FLAWS: Mapping[rules.Flaw, Words] = {
    rules.Flaw.COMMUNE: _("Choose a commune of the programme."),
    rules.Flaw.STAYS: _(
        "Villagers or the council know of it: it stays in its commune. Write a new one for the other commune."
    ),
    rules.Flaw.ROUND: _("This round was not in this commune."),
    rules.Flaw.FORUM: _("This forum was not in this commune."),
    rules.Flaw.NO_ACTIVITY: _("Say what is to be done: villagers read it in this language."),
    rules.Flaw.TOO_LONG_FOR_A_SCREEN: _(
        "Too long for a villager's screen: {n} characters, {most} fit. The rest can stand under place or quantity."
    ),
    rules.Flaw.BRACES: _("No braces here: everybody reads the same."),
    rules.Flaw.EMPTY: _("This is missing."),
    rules.Flaw.TOO_LONG: _("Too long: at most {most} characters."),
    rules.Flaw.DUE_FIRST: _("It is due before it starts. Change one of the two days."),
    rules.Flaw.FAR_OFF: _("This day is more than 20 years off. Is the year right?"),
    rules.Flaw.NEGATIVE: _("This cannot be negative."),
    rules.Flaw.TOO_BIG: _("More than {most}. Is there a digit too many?"),
    rules.Flaw.NO_CURRENCY: _("Say in which currency."),
    rules.Flaw.OTHER_CURRENCY: _(
        "This is in {found}, the commitment in {meant}. Write all amounts of a commitment in one currency."
    ),
    rules.Flaw.RIEL: _("Riels have no cents. Write a whole number."),
    rules.Flaw.OVER_COST: _(
        "Those who pay give {sum} together, which is more than the cost. Mend the cost, or one of their amounts."
    ),
    rules.Flaw.WITHOUT_PAYER: _("Say who pays this."),
    rules.Flaw.TWICE: _("This one stands here twice. Add the two up."),
    rules.Flaw.MANY_SOURCES: _("At most {most} who pay."),
    rules.Flaw.MORE_FEMALE: _("More than there are in all."),
    rules.Flaw.NO_TOTAL: _("Say how many they are in all, women and men together."),
}
"""What can be wrong with a commitment, as the panel says it."""
NOT_MONEY: Mapping[money.Flaw, Words] = {
    money.Flaw.EMPTY: _("Write an amount, such as 4,257.33."),
    money.Flaw.NOT_MONEY: _("{typed} is no amount of money. Write one such as 4,257.33."),
    money.Flaw.NEGATIVE: _("An amount cannot be negative. Write it without the minus."),
    money.Flaw.DECIMALS: _(
        "More than two digits behind the point. Write cents with two digits, and a comma between thousands."
    ),
    money.Flaw.COMMAS: _("Commas stand between thousands, a point before the cents: 4,257.33."),
    money.Flaw.RIEL: _("Riels have no cents. Write a whole number."),
    money.Flaw.TWO: _("Two currencies. Write the amount in one, {first} or {second}."),
    money.Flaw.OTHER: _(
        "This is in {found}, the commitment in {meant}. Write all amounts of a commitment in one currency."
    ),
    money.Flaw.TOO_BIG: _("More than {most}. Is there a digit too many?"),
}
"""What can be wrong with an amount that was typed."""


def said(wrong: Wrong) -> Words:
    """What is wrong, with its values."""
    return FLAWS[wrong.flaw].given(**wrong.values)


def said_of_money(wrong: money.NotMoney) -> Words:
    """What is wrong with an amount, with its values."""
    return NOT_MONEY[wrong.flaw].given(**wrong.values)


def found(db: Connection, commitment: int) -> Commitment:
    """The commitment of an address; else the page that says that nothing is there."""
    one = find(db, commitment) if 0 < commitment <= LAST_ID else None
    return one or abort(404)
