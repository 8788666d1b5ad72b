"""What is done with a commitment: how far it is, shown or hidden, told to villagers, removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import audit
from admin.meetings.commitment_words import found
from admin.meetings.forum_pages import me
from gateway.config import Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.promises import Standing
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.promises import asking, commitments, notices
from gateway.promises.checks import going
from gateway.promises.facts import history
from gateway.text import western_digits

_ = Words
log = structlog.get_logger()

NOTE = 300
"""Characters of a note on how far something is."""


def add_routes(
    panel: Blueprint,
    store: Store,
    settings: Settings,
    keys: Keys,
    now: Callable[[], datetime],
    shown: Callable[..., str],
) -> None:
    """`POST /admin/commitments/<id>/standing`, `…/shown`, `…/asked`, `…/tell`, `…/remove`; `shown`: the page of one."""

    def to_one(commitment: int) -> Response:
        return redirect(url_for("admin.commitments_one", commitment=commitment))

    @panel.post("/commitments/<int:commitment>/standing", endpoint="commitments_standing")
    def standing(commitment: int) -> Response | tuple[str, int]:
        typed = {name: request.form.get(name, "").strip() for name in ("standing", "day", "note")}
        errors, day = _wrong(typed, settings.day(now()))
        if errors or day is None:
            return shown(commitment, errors, **typed), 422
        with store.write() as db:
            before = found(db, commitment).standing
            commitments.set_standing(db, commitment, Standing(typed["standing"]), day, typed["note"], me(), now())
        audit.tell(before=str(before), after=typed["standing"])
        flash(_("Kept. It stands in the history.").msgid)
        return to_one(commitment)

    @panel.post("/commitments/<int:commitment>/shown", endpoint="commitments_shown")
    def show(commitment: int) -> Response:
        wish = request.form.get("shown") == "yes"
        with store.write() as db:
            found(db, commitment)
            commitments.show(db, commitment, wish, now())
        flash((_("Villagers see it in the menu now.") if wish else _("Villagers see it no more.")).msgid)
        return to_one(commitment)

    @panel.post("/commitments/<int:commitment>/asked", endpoint="commitments_asked")
    def close(commitment: int) -> Response:
        with store.read() as db:
            found(db, commitment)
            check = going(db, commitment)
        if check is not None and asking.close(store, keys, settings, check, now()):
            log.info("panel.check_closed", check=check, member=me())
        flash(_("Villagers are asked no more. What they said became counts, and its key is destroyed.").msgid)
        return to_one(commitment)

    @panel.post("/commitments/<int:commitment>/tell", endpoint="commitments_tell")
    def tell(commitment: int) -> Response:
        entry = request.form.get("entry", 0, type=int)
        with store.write() as db:
            found(db, commitment)
            told = notices.told_of(db, commitment, history(db, commitment)).get(entry)
            made = told.id if told else notices.draft(db, settings, commitment, entry, me(), now())
        if made is None:
            abort(404)
        if told is not None:  # a second click, or a colleague's
            return redirect(url_for("admin.broadcasts_one", broadcast=made))
        return redirect(url_for("admin.broadcasts_edit", broadcast=made))

    @panel.get("/commitments/<int:commitment>/remove", endpoint="commitments_remove")
    def sure(commitment: int) -> str:
        with store.read() as db:
            one = found(db, commitment)
            return render_template(
                "admin/commitment_remove.html",
                one=one, hangs=commitments.hangs(db, commitment), entries=len(history(db, commitment)),
            )  # fmt: skip

    @panel.post("/commitments/<int:commitment>/remove", endpoint="commitments_removed")
    def remove(commitment: int) -> Response:
        try:
            with store.write() as db:
                found(db, commitment)
                commitments.remove(db, commitment, now())
        except commitments.Hangs:
            flash(_("Villagers were asked about it or told of it, so it stays. Hide it instead.").msgid)
            return to_one(commitment)
        flash(_("The commitment was removed.").msgid)
        return redirect(url_for("admin.commitments"))


def _wrong(typed: dict[str, str], today: date) -> tuple[dict[str, Phrase], date | None]:
    """What is wrong with an entry of the history, and its day."""
    errors: dict[str, Phrase] = {}
    day = None
    if typed["standing"] not in set(Standing):
        errors["standing"] = _("Choose how far it is.")
    try:
        day = date.fromisoformat(western_digits(typed["day"]))
    except ValueError:
        errors["day"] = _("Give a day such as {example}.", example=today.isoformat())
    if day is not None and day > today:
        errors["day"] = _("This day has not come yet. Give the day since when it is so.")
    if len(typed["note"]) > NOTE:
        errors["note"] = _("Too long: at most {most} characters.", most=str(NOTE))
    return errors, day
