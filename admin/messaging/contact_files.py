"""A file of contacts: brought, looked at, taken in. Until the yes it is kept sealed, for an hour (uploads.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import PurePath

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import audit
from admin.messaging.contact_form import ROLES
from admin.messaging.contact_lines import wording_for
from admin.messaging.flaws import said
from admin.uploads import Shelf
from admin.wording import SPOKEN
from gateway.config import Settings
from gateway.contacts import intake as contact_intake
from gateway.contacts import lists as contact_lists
from gateway.contacts.contacts import CONSENT, Refused, words
from gateway.contacts.groups import listed, name_of
from gateway.contacts.intake import Fate, Plan
from gateway.contacts.lists import Communes, Reading, Wholesale
from gateway.contacts.sheets import MOST_PROBLEMS, BadFile
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.places import places
from gateway.models.store import Store
from gateway.models.uploads import KEPT, Upload, drop_upload
from gateway.phones import masked, scrub
from gateway.privacy import Keys

_ = Words

PREVIEW = 10
"""Contacts shown of a file."""
MOST_BYTES = 10 * 1024 * 1024
FATES: Mapping[Fate, Words] = {
    Fate.NEW: _("new"),
    Fate.CHANGED: _("changed"),
    Fate.SAME: _("unchanged"),
    Fate.STOPPED: _("has stopped: left out"),
}
TAKEN_IN = _("Taken in: {new} new, {changed} changed, {same} unchanged, {stopped} left out because they have stopped.")


class Files:
    """What the pages of a file share."""

    def __init__(self, store: Store, settings: Settings, keys: Keys) -> None:
        self._store, self._settings, self._keys = store, settings, keys

    def read(self, upload: Upload) -> Reading:
        """The file as it is understood. Raises BadFile."""
        wholesale = Wholesale.of(upload.said["role"], upload.said["consent"], upload.said["group"])
        with self._store.read() as db:
            communes = Communes(db)
        sheet = contact_lists.sheet(upload.file, upload.text.encode())
        return contact_lists.read(sheet, communes, self._keys, self._settings, wholesale)

    def plan(self, upload: Upload) -> Plan:
        """What it would change. Raises BadFile."""
        reading = self.read(upload)
        with self._store.read() as db:
            return contact_intake.plan(db, reading)

    def form(self, typed: Mapping[str, str], errors: Mapping[str, Phrase], bad: BadFile | None = None) -> str:
        """The page to choose a file, with what is wrong with the one just brought."""
        with self._store.read() as db:
            names = [group.name for group in listed(db)]
        problems = bad.problems if bad else ()
        return render_template(
            "admin/contact_import.html",
            typed=typed, errors=errors, groups=names, roles=ROLES, columns=contact_lists.COLUMNS,
            problems=[(one, said(one)) for one in problems[:MOST_PROBLEMS]], more=len(problems) - MOST_PROBLEMS,
            most=MOST_BYTES // 1024 // 1024,
        )  # fmt: skip


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/contacts/import`, `/admin/contacts/import/<upload>`."""
    files, shelf = Files(store, settings, keys), Shelf(store, keys, now, "contacts", "consent")

    @panel.get("/contacts/import", endpoint="contacts_import")
    def form() -> str:
        return files.form({"role": "", "group": request.args.get("group", ""), "consent": ""}, {})

    @panel.post("/contacts/import", endpoint="contacts_brought")
    def brought() -> Response | tuple[str, int]:
        typed = {name: request.form.get(name, "") for name in ("role", "group", "consent")}
        typed["role"] = typed["role"] if typed["role"] in ROLES else ""
        errors = _errors(typed)
        file = request.files.get("file")
        if file is None or not file.filename:
            errors["file"] = _("Choose a file.")
        if file is None or errors:
            return files.form(typed, errors), 422
        name = scrub(PurePath(file.filename or "").name)
        try:
            sheet = contact_lists.sheet(name, file.read())
            upload = Upload(name, typed, sheet.text)
            files.plan(upload)
        except BadFile as bad:
            return files.form(typed, {}, bad), 422
        return shelf.keep(name, typed, upload.text)

    @panel.get("/contacts/import/<upload>", endpoint="contacts_look")
    def look(upload: str) -> Response | str | tuple[str, int]:
        kept = shelf.mine(upload)
        if kept is None:
            return shelf.too_late()
        try:
            plan = files.plan(kept)
        except BadFile as bad:  # something else has changed since it was brought
            return files.form(kept.said, {}, bad), 422
        with store.read() as db:
            rows = db.execute(places.select().where(places.c.level == "commune"))
            communes = {row.code: Name(row.name_km, row.name_en, row.name_en) for row in rows}
        return render_template(
            "admin/contact_preview.html",
            upload=upload, file=kept.file, plan=plan, steps=plan.steps[:PREVIEW], fates=FATES, Fate=Fate, roles=ROLES,
            communes=communes, languages_of=SPOKEN, masked=masked, minutes=KEPT.seconds // 60,
        )  # fmt: skip

    @panel.post("/contacts/import/<upload>", endpoint="contacts_taken_in")
    def taken_in(upload: str) -> Response | tuple[str, int]:
        kept = shelf.mine(upload)
        if kept is None:
            return shelf.too_late()
        reading = files.read(kept)
        moment = now()
        try:
            with store.write() as db:
                if not drop_upload(db, upload):  # pressed twice
                    return shelf.too_late()
                done = contact_intake.take_in(db, keys, reading, settings.day(moment), moment)
        except BadFile as bad:
            return files.form(kept.said, {}, bad), 422
        counts = {fate.name.lower(): str(done.count(fate)) for fate in Fate}
        audit.tell(new=counts["new"], changed=counts["changed"])
        flash(wording_for(settings)(TAKEN_IN.given(**counts)))
        return redirect(url_for("admin.contacts"))

    @panel.post("/contacts/import/<upload>/drop", endpoint="contacts_dropped")
    def dropped(upload: str) -> Response:
        return shelf.drop(upload)


def _errors(typed: Mapping[str, str]) -> dict[str, Phrase]:
    """What is wrong with what was said beside the file."""
    errors: dict[str, Phrase] = {}
    try:
        words(typed["consent"], CONSENT)
    except Refused as refusal:
        errors["consent"] = said(refusal)
    try:
        if typed["group"].strip():
            name_of(typed["group"])
    except Refused as refusal:
        errors["group"] = said(refusal)
    return errors
