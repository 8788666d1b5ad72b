"""A file of places: brought, looked at, taken in. Until the yes it is kept sealed, for an hour (uploads.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import PurePath

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import audit
from admin.messaging.contact_lines import wording_for
from admin.messaging.flaws import said
from admin.uploads import Shelf
from gateway.config import Settings
from gateway.contacts.sheets import MOST_PROBLEMS, BadFile, Flaw, Problem, Sheet
from gateway.menus.phrases import Phrase, Words
from gateway.models.editions import publish
from gateway.models.places import LEVELS
from gateway.models.store import Store
from gateway.models.uploads import KEPT, drop_upload
from gateway.phones import scrub
from gateway.places import COLUMNS, Plan, plan, sheet, take_in
from gateway.privacy import Keys

_ = Words

MOST_BYTES = 10 * 1024 * 1024
PREVIEW = 20
"""Places shown of a file."""
KINDS: Mapping[str, Words] = {
    "province": _("province"),
    "district": _("district"),
    "commune": _("commune"),
    "village": _("village"),
}
TAKEN_IN = _("Taken in: {places} places new or changed, {joined} communes take part from now on.")


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/places/import`, `/admin/places/import/<upload>`."""
    shelf = Shelf(store, keys, now, "places", "join")

    def form(errors: Mapping[str, Phrase], bad: BadFile | None = None, *, join: bool = False) -> str:
        problems = bad.problems if bad else ()
        return render_template(
            "admin/place_import.html",
            errors=errors, problems=[(one, _said(one)) for one in problems[:MOST_PROBLEMS]],
            more=len(problems) - MOST_PROBLEMS, most=MOST_BYTES // 1024 // 1024, columns=COLUMNS, join=join,
            levels=[(digits, KINDS[level]) for digits, level in LEVELS.items()],
        )  # fmt: skip

    def planned(read: Sheet) -> Plan:
        with store.read() as db:
            return plan(db, read)

    @panel.get("/places/import", endpoint="places_import")
    def empty() -> str:
        return form({})

    @panel.post("/places/import", endpoint="places_brought")
    def brought() -> Response | tuple[str, int]:
        file, join = request.files.get("file"), request.form.get("join") == "yes"
        if file is None or not file.filename:
            return form({"file": _("Choose a file.")}, join=join), 422
        name = scrub(PurePath(file.filename).name)
        try:
            read = sheet(name, file.read())
            planned(read)
        except BadFile as bad:
            return form({}, bad, join=join), 422
        return shelf.keep(name, {"join": "yes" if join else ""}, read.text)

    @panel.get("/places/import/<upload>", endpoint="places_look")
    def look(upload: str) -> Response | str | tuple[str, int]:
        kept = shelf.mine(upload)
        if kept is None:
            return shelf.too_late()
        try:
            found = planned(sheet(kept.file, kept.text.encode()))
        except BadFile as bad:  # something else has changed since it was brought
            return form({}, bad, join=bool(kept.said["join"])), 422
        return render_template(
            "admin/place_preview.html",
            upload=upload, file=kept.file, plan=found, rows=[*found.changed, *found.new][:PREVIEW],
            changed={row["code"] for row in found.changed}, join=bool(kept.said["join"]), kinds=KINDS,
            minutes=KEPT.seconds // 60,
        )  # fmt: skip

    @panel.post("/places/import/<upload>", endpoint="places_taken_in")
    def taken_in(upload: str) -> Response | tuple[str, int]:
        kept = shelf.mine(upload)
        if kept is None:
            return shelf.too_late()
        join = bool(kept.said["join"])
        try:
            with store.write() as db:
                if not drop_upload(db, upload):  # pressed twice
                    return shelf.too_late()
                done = take_in(db, sheet(kept.file, kept.text.encode()), join=join)
                publish(db, now())
        except BadFile as bad:
            return form({}, bad, join=join), 422
        audit.tell(new=done.places, communes=done.joined)
        flash(wording_for(settings)(TAKEN_IN.given(places=str(done.places), joined=str(done.joined))))
        return redirect(url_for("admin.places"))

    @panel.post("/places/import/<upload>/drop", endpoint="places_dropped")
    def dropped(upload: str) -> Response:
        return shelf.drop(upload)


def _said(problem: Problem) -> Words:
    """What is wrong with a file, as it is said of one of places."""
    if problem.flaw == Flaw.EMPTY:
        return _("The file is empty. It needs the columns {columns}.", columns=", ".join(COLUMNS))
    return said(problem)
