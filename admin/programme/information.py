"""Information pages: what people may read by phone, how often it is read (DOMAIN.md, table, rows 9 and 15)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import scope
from admin.paging import page_of
from admin.programme import information_editing
from admin.programme.information_form import EVERYBODY, Choice
from admin.programme.information_words import ABOUTS, STANDINGS, found, said
from admin.wording import SPOKEN
from gateway.config import LANGUAGES, Settings
from gateway.information import pages, reads
from gateway.information.pages import Page, Refused, Standing, Wanted
from gateway.information.sizes import MOST_PARTS, MOST_SCREENS
from gateway.menus.phrases import Name, Words
from gateway.models.information import About
from gateway.models.store import Store

_ = Words

PAGE = 25
"""Pages a page of the list."""
MOST_READ = 10
MONTHS = 12
"""Of readings that are told."""
FOR_ALL = "all"
"""In an address: pages for all communes."""


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/information`, `…/<id>`, `…/<id>/archive`, and what the form adds."""
    information_editing.add_routes(panel, store, settings, now)

    def today() -> date:
        return settings.day(now())

    @panel.get("/information", endpoint="information")
    def listed() -> str:
        with store.read() as db:
            choice, wanted = Choice.known(db), _wanted(db)
            number, last = page_of(pages.count(db, wanted, today()), PAGE)
            shown = pages.listed(db, wanted, today(), (number - 1) * PAGE, PAGE)
            most = reads.most_read(db, _months_ago(today()), MOST_READ, pages.of(wanted.mine))
            read = pages.by_id(db, [page for page, _times in most])
            return render_template(
                "admin/information.html", shown=shown, read=reads.times(db, [one.id for one in shown]), today=today(),
                most=[(read[page], times) for page, times in most], since=_months_ago(today()), page=number,
                pages=last, wanted=_asked(), is_any=pages.is_any(db, wanted.mine), **names(choice),
            )  # fmt: skip

    @panel.get("/information/<int:page_id>", endpoint="information_one")
    def one(page_id: int) -> str:
        with store.read() as db:
            return one_page(db, found(db, page_id))

    @panel.post("/information/<int:page_id>/archive", endpoint="information_archive")
    def archive(page_id: int) -> Response | tuple[str, int]:
        away = request.form.get("away") == "yes"
        with store.write() as db:
            page = found(db, page_id)
            try:
                pages.archive(db, page, now(), away=away)
            except Refused as refused:
                return one_page(db, page, [said(fault) for fault in refused.faults.values()]), 422
        words = _("The page is archived: phones do not show it any more.") if away else _("The page is back.")
        flash(words.msgid)
        return redirect(url_for("admin.information_one", page_id=page_id))

    def one_page(db: Connection, page: Page, wrong: list[Words] | None = None) -> str:
        return render_template(
            "admin/information_page.html", page=page, standing=page.standing(today()), wrong=wrong or [],
            sizes={one: page.size(one) for one in LANGUAGES}, months=reads.by_month(db, page.id)[:MONTHS],
            most_screens=MOST_SCREENS, most_parts=MOST_PARTS, words=SPOKEN, sms_number=settings.sms_number,
            **names(Choice.known(db)),
        )  # fmt: skip


def names(choice: Choice) -> dict[str, Any]:
    """What lists and pages call things by."""
    return {
        "communes": choice.communes, "services": choice.services, "for_all": choice.for_all, "everybody": EVERYBODY,
        "abouts": ABOUTS, "standings": STANDINGS, "all": FOR_ALL, "title_of": title_of,
    }  # fmt: skip


def title_of(page: Page) -> Name:
    """A page's title, for the panel's reader."""
    return Name(*(page.title[one] for one in LANGUAGES))


def _wanted(db: Connection) -> Wanted:
    asked = _asked()
    code = asked.get("where")
    return Wanted(
        commune="" if code == FOR_ALL else code,
        service=asked.get("service"),
        about=next((one for one in About if one == asked.get("about")), None),
        standing=next((one for one in Standing if one == asked.get("standing")), None),
        mine=scope.mine(db),
    )


def _asked() -> dict[str, str]:
    """What the list is sifted by."""
    names = ("where", "service", "about", "standing")
    return {name: value for name in names if (value := request.args.get(name, ""))}


def _months_ago(day: date) -> date:
    """The first of the month eleven months before: a year's readings, with those of this month."""
    months = day.year * 12 + day.month - MONTHS
    return date(months // 12, months % 12 + 1, 1)
