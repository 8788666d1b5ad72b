"""What the pages about information share: kinds and standings in words, what can be wrong, the page of an address."""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort
from sqlalchemy import Connection

from gateway.information import pages, words
from gateway.information.pages import Fault, Page, Standing
from gateway.menus.phrases import Words
from gateway.models.information import About

_ = Words

LAST_ID = 2**31 - 1
ABOUTS: Mapping[About, Words] = {
    About.FEES: _("Fees"),
    About.HOURS: _("Opening hours"),
    About.PAPERS: _("Papers needed"),
    About.BUDGET: _("Budget of a commune"),
    About.NOTICE: _("Notice of a purchase or concession"),
    About.OTHER: _("Something else"),
}
STANDINGS: Mapping[Standing, Words] = {
    Standing.VALID: _("Valid now"),
    Standing.TO_COME: _("To come"),
    Standing.OVER: _("Over"),
    Standing.ARCHIVED: _("Archived"),
}
FLAWS: Mapping[pages.Flaw | words.Flaw, Words] = {
    pages.Flaw.MISSING: _("This is missing."),
    pages.Flaw.SCRIPT: _("Phones that show Latin letters only cannot show this. Write it in Latin letters."),
    pages.Flaw.TITLE: _("Too long for the list on a phone: shorten it by {over} characters."),
    pages.Flaw.SOURCE: _("Too long: shorten it by {over} characters."),
    pages.Flaw.LONG: _("Longer than {most} characters."),
    pages.Flaw.SCREENS: _("It takes {n} screens; at most {most} may be. Shorten it by about {over} characters."),
    pages.Flaw.PARTS: _("It takes {n} parts as an SMS; at most {most} may be. Shorten it by about {over} characters."),
    pages.Flaw.MANY_WORDS: _("At most {most} words in a language."),
    pages.Flaw.TAKEN: _("{word} leads to another page at that time: {title}. Take another word."),
    pages.Flaw.NO_COMMUNE: _("A budget is of one commune. Choose it."),
    pages.Flaw.ENDS_FIRST: _("It would end before it begins. Change one of the two days."),
    words.Flaw.DIGITS: _("{word}: no digits. People answer questions with them."),
    words.Flaw.LETTERS: _("{word}: letters only, with commas between words."),
    words.Flaw.LENGTH: _(
        "{word}: a word has {least} to {most} letters.", least=str(words.SHORTEST), most=str(words.LONGEST)
    ),
    words.Flaw.RESERVED: _("{word} begins with a word that means something else to the gateway. Take another."),
}


def said(fault: Fault) -> Words:
    """What is wrong, with its values."""
    sentence = FLAWS[fault.flaw]
    return sentence.given(**{**sentence.values, **fault.values})


def found(db: Connection, page_id: int) -> Page:
    """The page of an address; else the page that says that nothing is there."""
    page = pages.find(db, page_id) if 0 < page_id <= LAST_ID else None
    return page or abort(404)
