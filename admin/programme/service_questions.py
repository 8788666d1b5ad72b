"""The extra questions about a service: adding, wording, ordering, archiving them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit, editing
from admin.programme.service_pages import asked, found, kept, name_of, said, texts_in
from admin.wording import SPOKEN
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.services import indicators
from gateway.models.store import Store
from gateway.scorecard import rated
from gateway.scorecard.rated import Refused

_ = Words
Deed = Callable[[Connection], dict[str, Phrase] | None]
"""What is done to a service; what is wrong with it, by field."""
Change = Callable[[str, Deed, Words], Response | tuple[str, int]]
"""Does something to a service, and shows its page."""


def add_routes(panel: Blueprint, store: Store, now: Callable[[], datetime], change: Change) -> None:
    """`/admin/services/<id>/questions/<id>` and its deeds."""

    @panel.post("/services/<service_id>/questions", endpoint="rounds_question_made")
    def added(service_id: str) -> Response | tuple[str, int]:
        def add(db: Connection) -> None:
            rated.add_question(db, service_id, texts_in("text"), now())
            audit.tell(name=texts_in("text"))

        return change(service_id, add, _("The question is added. Rounds that are opened from now on can ask it."))

    @panel.get("/services/<service_id>/questions/<question>", endpoint="rounds_question")
    def question_page(service_id: str, question: str) -> str:
        return worded(service_id, question)

    @panel.post("/services/<service_id>/questions/<question>", endpoint="rounds_question_worded")
    def question_worded(service_id: str, question: str) -> Response | tuple[str, int]:
        try:
            with store.write() as db:
                editing.hold(db, indicators, question)
                before = _texts(asked(db, service_id, question))
                errors = editing.meanwhile(before, request.form)
                if not errors:
                    rated.reword(db, service_id, question, texts_in("text"), now())
        except Refused as refused:
            errors = said(refused)
        if errors:
            return worded(service_id, question, request.form, errors), 422
        audit.tell(before=before["text-en"], after=texts_in("text")["en"])
        flash(_("The question is worded anew.").msgid)
        return redirect(url_for("admin.rounds_service", service_id=service_id))

    @panel.post("/services/<service_id>/questions/<question>/up", endpoint="rounds_question_up")
    def question_up(service_id: str, question: str) -> Response:
        with store.write() as db:
            asked(db, service_id, question)
            rated.move_up(db, service_id, question, now())
        return redirect(url_for("admin.rounds_service", service_id=service_id, _anchor="questions"))

    @panel.post("/services/<service_id>/questions/<question>/away", endpoint="rounds_question_away")
    def question_away(service_id: str, question: str) -> Response | tuple[str, int]:
        away = request.form.get("away") == "yes"
        audit.tell(on=not away)
        with store.read() as db:
            asked(db, service_id, question)
        return change(
            service_id,
            lambda db: rated.archive(db, service_id, question, now(), away=away),
            _("The question is archived: nobody is asked it any more.") if away
            else _("The question is back. Rounds that are opened from now on can ask it."),
        )  # fmt: skip

    def worded(
        service_id: str,
        question: str,
        typed: Mapping[str, str] | None = None,
        errors: Mapping[str, Phrase] | None = None,
    ) -> str:
        with store.read() as db:
            service, row = found(db, service_id), asked(db, service_id, question)
            is_asked = question in rated.being_asked(db, service_id)
        values = _texts(row)
        return render_template(
            "admin/question.html", version=editing.digest(values),
            service=service, name=name_of(service), question=row, typed=typed or values,
            errors=errors or {}, words=SPOKEN, is_asked=is_asked, text=Name(*kept(row, "text").values()),
        )  # fmt: skip


def _texts(row: Any) -> dict[str, str]:
    """A question, by the fields of the form."""
    return {f"text-{one}": text for one, text in kept(row, "text").items()}
