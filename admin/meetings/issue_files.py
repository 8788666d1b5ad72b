"""A file of issues: brought, looked at, taken in. Until the yes it is kept sealed, for an hour (uploads.py)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import PurePath

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import audit
from admin.meetings.forum_pages import me
from admin.meetings.issue_words import STATES, said_of
from admin.messaging.contact_files import MOST_BYTES
from admin.messaging.contact_lines import wording_for
from admin.messaging.flaws import said as said_of_file
from admin.uploads import Shelf
from gateway.config import Settings
from gateway.contacts.sheets import MOST_PROBLEMS, BadFile
from gateway.menus.phrases import Phrase, Words
from gateway.models.store import Store
from gateway.models.uploads import KEPT, Upload, drop_upload
from gateway.phones import scrub
from gateway.privacy import Keys
from gateway.promises import issue_lists, issues
from gateway.promises.issue_lists import COLUMNS, NEEDED, Reading
from gateway.promises.issues import Wanted

_ = Words

PREVIEW = 20
"""Issues shown of a file."""
TAKEN_IN = _("Taken in: {new} new issues; {there} were there already.")
EXAMPLES = {
    "raised_by": _("The group that raised it."),
    "commune": _("Its code or its name; empty: several."),
    "subject": _("In a sentence."),
    "to_whom": _("The council, an office, a district."),
    "since": _("The day, as 2023-05-31 or 31/05/2023."),
    "solved": _("open, partly or fully; empty: open."),
    "solved_on": _("The day; needed for partly and fully."),
    "done": _("May be empty."),
}
"""What stands in a column."""


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/issues/import`, `/admin/issues/import/<upload>`."""
    shelf = Shelf(store, keys, now, "issues", "of")

    def read(upload: Upload) -> Reading:
        """The file as it is understood. Raises BadFile."""
        with store.read() as db:
            return issue_lists.read(db, issue_lists.sheet(upload.file, upload.text.encode()), settings.day(now()))

    def form_page(errors: dict[str, Phrase], bad: BadFile | None = None) -> str:
        problems = bad.problems if bad else ()
        return render_template(
            "admin/issue_import.html",
            errors=errors, problems=[(one, said_of(one) or said_of_file(one)) for one in problems[:MOST_PROBLEMS]],
            more=len(problems) - MOST_PROBLEMS, columns=COLUMNS, needed=NEEDED, examples=EXAMPLES,
            most=MOST_BYTES // 1024 // 1024,
        )  # fmt: skip

    @panel.get("/issues/import", endpoint="issues_import")
    def form() -> str:
        return form_page({})

    @panel.post("/issues/import", endpoint="issues_brought")
    def brought() -> Response | tuple[str, int]:
        file = request.files.get("file")
        if file is None or not file.filename:
            return form_page({"file": _("Choose a file.")}), 422
        name = scrub(PurePath(file.filename).name)
        try:
            upload = Upload(name, {}, issue_lists.sheet(name, file.read()).text)
            read(upload)
        except BadFile as bad:
            return form_page({}, bad), 422
        return shelf.keep(name, {"of": "issues"}, upload.text)

    @panel.get("/issues/import/<upload>", endpoint="issues_look")
    def look(upload: str) -> Response | str | tuple[str, int]:
        kept = shelf.mine(upload)
        if kept is None:
            return shelf.too_late()
        try:
            reading = read(kept)
        except BadFile as bad:  # something else has changed since it was brought
            return form_page({}, bad), 422
        return render_template(
            "admin/issue_preview.html",
            upload=upload, file=kept.file, reading=reading, lines=reading.issues[:PREVIEW], states=STATES,
            counts={state: sum(one.solved is state for one in reading.issues) for state in STATES},
            minutes=KEPT.seconds // 60,
        )  # fmt: skip

    @panel.post("/issues/import/<upload>", endpoint="issues_taken_in")
    def taken_in(upload: str) -> Response | tuple[str, int]:
        kept, moment = shelf.mine(upload), now()
        if kept is None:
            return shelf.too_late()
        try:
            reading = read(kept)
        except BadFile as bad:
            return form_page({}, bad), 422
        today = settings.day(moment)
        with store.write() as db:
            if not drop_upload(db, upload):  # pressed twice
                return shelf.too_late()
            before = len(issues.listed(db, Wanted(), today))
            for one in reading.issues:
                issues.add(db, one, today, me(), moment)
            new = len(issues.listed(db, Wanted(), today)) - before
        audit.tell(new=new)
        counts = {"new": str(new), "there": str(len(reading.issues) - new)}
        flash(wording_for(settings)(TAKEN_IN.given(**counts)))
        return redirect(url_for("admin.issues"))

    @panel.post("/issues/import/<upload>/drop", endpoint="issues_dropped")
    def dropped(upload: str) -> Response:
        return shelf.drop(upload)
