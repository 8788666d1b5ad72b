"""A form that came when its writer's login had just ended: kept for an hour, given back after the next login.

Only the same member sees it, and it goes only to the page of the panel that it was meant for, once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from admin.people.sessions import Sessions
from gateway.menus.phrases import Words
from gateway.models.store import Store
from gateway.models.uploads import Form, drop_upload, find_form, keep_form
from gateway.privacy import Keys

_ = Words
log = structlog.get_logger()

NEVER = ("login", "logout", "language", "password", "factor", "self", "logins", "join", "kept", "volunteers_login",
         "broadcasts_count", "polls_count")  # fmt: skip
"""Endpoints, or groups of them, whose forms are not kept: passwords, who may log in, and what scripts send."""
NAME = "kept_form"
"""The field of a form that was kept, by which it is known when it is sent."""
_HIDDEN = ("csrf_token", NAME)
_SAYS_NOTHING = ("once", "seen", "version", "token", "do", "back", "change")
"""Fields that a page writes for itself: sent along, not shown."""


def keep(store: Store, keys: Keys, csrf: CSRFProtect, sessions: Sessions, now: Callable[[], datetime]) -> str | None:
    """Keeps what was sent, when it came from a page of ours and its writer's login ended by itself; its id."""
    endpoint = (request.endpoint or "").removeprefix("admin.")
    by_script = request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    if request.method != "POST" or by_script or endpoint in NEVER or endpoint.partition("_")[0] in NEVER:
        return None
    member = sessions.left()
    if member is None:
        return None
    try:
        csrf.protect()
        fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _HIDDEN]
    except (CSRFError, RequestEntityTooLarge):
        return None
    if not fields and not request.query_string:
        return None
    log.info("panel.form_kept", member=member, page=endpoint)
    with store.write() as db:
        return keep_form(db, keys, member, Form(request.full_path.rstrip("?"), fields), now())


def is_sent_twice(store: Store) -> Response | None:
    """Of a form that was kept: lets it through once. A second click, or the page again by "back", changes nothing."""
    if request.method != "POST" or NAME not in request.form:
        return None
    with store.write() as db:
        if drop_upload(db, request.form[NAME]):
            return None
    flash(_("This form has been sent already, or thrown away.").msgid)
    return redirect(url_for("admin.home"))


def add_routes(panel: Blueprint, store: Store, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/kept/<id>`: "Send it now?"."""

    @panel.get("/kept/<upload>", endpoint="kept")
    def page(upload: str) -> str:
        with store.read() as db:
            form = find_form(db, keys, upload, current_user.member.id, now())
        if form is None:
            abort(404)
        typed = [value for name, value in form.fields if value.strip() and name not in _SAYS_NOTHING]
        return render_template("admin/kept.html", form=form, typed=typed, upload=upload, field=NAME)

    @panel.post("/kept/<upload>/drop", endpoint="kept_drop")
    def drop(upload: str) -> Response:
        with store.write() as db:
            if find_form(db, keys, upload, current_user.member.id, now()) is not None:
                drop_upload(db, upload)
        flash(_("What you had written was thrown away.").msgid)
        return redirect(url_for("admin.home"))
