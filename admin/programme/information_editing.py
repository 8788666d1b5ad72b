"""Writing an information page, and changing one; how it looks on a phone is shown while one types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import structlog
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit, editing
from admin.meetings.commitment_form import CURRENCIES
from admin.programme.information_form import EVERYBODY, WRITTEN, Choice, Form
from admin.programme.information_words import ABOUTS, found
from admin.wording import SPOKEN
from gateway.config import Settings
from gateway.information import pages
from gateway.information.pages import Page
from gateway.information.sizes import MOST_PARTS, MOST_SCREENS
from gateway.menus.phrases import Words
from gateway.models.information import About, information
from gateway.models.store import Store

_ = Words
log = structlog.get_logger()


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/information/new?about=budget`, `…/count`, `…/<id>/edit`."""

    def today() -> date:
        return settings.day(now())

    @panel.get("/information/new", endpoint="information_new")
    def empty() -> str:
        about = next((one for one in About if one == request.args.get("about")), None)
        with store.read() as db:
            choice, code = Choice.known(db), request.args.get("commune", "")
            if about is None:
                return render_template("admin/information_kinds.html", commune=code)
            return form_page(db, Form.new(about, code if code in choice.communes else "", today()))

    @panel.post("/information/new", endpoint="information_made")
    def filled() -> Response | tuple[str, int]:
        form = Form.sent()
        with store.write() as db:
            page = form.page(Choice.known(db), today())
            form.complain(db, page)
            if form.errors or request.form.get("do") != "keep":
                return form_page(db, form), 422 if form.errors else 200
            made = pages.add(db, page, current_user.member.id, now())
        audit.tell(name=dict(page.title))
        log.info("panel.information_added", member=current_user.member.id, page=made)
        flash(_("The page is kept. Phones show it from its first day on.").msgid)
        return redirect(url_for("admin.information_one", page_id=made))

    @panel.post("/information/count", endpoint="information_count")
    def count() -> str:
        form = Form.sent()
        with store.read() as db:
            page = form.page(Choice.known(db), today())
        return render_template("admin/information_count.html", **_sizes(form, page))

    @panel.get("/information/<int:page_id>/edit", endpoint="information_edit")
    def edit(page_id: int) -> str:
        with store.read() as db:
            page = found(db, page_id)
            return form_page(db, Form.of(page), page)

    @panel.post("/information/<int:page_id>/edit", endpoint="information_edited")
    def edited(page_id: int) -> Response | tuple[str, int]:
        form = Form.sent()
        with store.write() as db:
            editing.hold(db, information, page_id)
            old, choice = found(db, page_id), Choice.known(db)
            page = form.page(choice, today(), old)
            form.complain(db, page)
            if request.form.get("do") == "keep":
                chosen = {"commune": {"": EVERYBODY, **choice.communes}, "service": choice.services}
                form.errors |= editing.meanwhile(Form.of(old).typed, form.typed, chosen)
            if form.errors or request.form.get("do") != "keep":
                return form_page(db, form, old), 422 if form.errors else 200
            pages.edit(db, page, now())
        flash(_("The page is changed, on phones from the next call on.").msgid)
        return redirect(url_for("admin.information_one", page_id=page_id))

    def form_page(db: Connection, form: Form, old: Page | None = None) -> str:
        choice = Choice.known(db)
        needs_one = choice.communes and (form.about is About.BUDGET or not choice.for_all)
        first = _("Choose a commune of the programme.") if needs_one else EVERYBODY
        laid_out = Form(form.typed).page(choice, today())  # what is wrong is told when it is saved, not before
        return render_template(
            "admin/information_form.html", form=form, old=old, made=form.about not in WRITTEN,
            places=[("", first), *choice.communes.items()],
            version=editing.digest(Form.of(old).typed) if old else "", heading=ABOUTS[form.about],
            kinds=[(str(one), ABOUTS[one]) for one in WRITTEN], currencies=CURRENCIES,
            named=[("", _("None in particular")), *choice.services.items()], **_sizes(form, laid_out),
        )  # fmt: skip


def _sizes(form: Form, page: Page) -> Mapping[str, Any]:
    return {"sizes": form.sizes(page), "words": SPOKEN, "most_screens": MOST_SCREENS, "most_parts": MOST_PARTS}
