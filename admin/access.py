"""Logging in and out, one's own password, one's language."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import structlog
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField  # type: ignore[import-untyped]

from admin.limits import Limits
from admin.rights import first_page
from admin.sessions import Sessions
from admin.wording import LANGUAGES
from gateway.menus.phrases import Words
from gateway.models import staff
from gateway.models.store import Store

_ = Words
log = structlog.get_logger()

SHORTEST = 10
"""Characters of a password."""


class LoginForm(FlaskForm):  # type: ignore[misc]
    """A name and a password."""

    name = StringField()
    password = PasswordField()


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password twice; the one until now, unless that was for one time."""

    current = PasswordField()
    new = PasswordField()
    again = PasswordField()


def inside(target: str | None, role: str) -> str:
    """The target when it is a page of the panel, else the first page of the role: no link leads elsewhere."""
    safe = target and target.startswith("/admin/") and target.isprintable() and "\\" not in target
    return target if target and safe else url_for(first_page(role))


def complaint(new: str, again: str) -> Words | None:
    """What is wrong with a new password, by itself."""
    if len(new) < SHORTEST:
        return _("Too short: a password has at least {n} characters.", n=str(SHORTEST))
    if new != again:
        return _("The two new passwords are not the same.")
    return None


def add_routes(
    panel: Blueprint,
    store: Store,
    sessions: Sessions,
    limits: Limits,
    now: Callable[[], datetime],
) -> None:
    """`/admin/login`, `/admin/logout`, `/admin/password`, `/admin/language`."""

    def too_many(until: datetime) -> Response:
        page = render_template("admin/error.html", what="too many", again=until)
        seconds = max(1, math.ceil((until - now()).total_seconds()))
        return Response(page, 429, {"Retry-After": str(seconds)}, content_type="text/html; charset=utf-8")

    @panel.route("/login", methods=["GET", "POST"])
    def login() -> Response | tuple[str, int]:
        wanted = request.args.get("next")
        if current_user.is_authenticated:
            return redirect(inside(wanted, current_user.member.role))
        form = LoginForm()
        if not form.validate_on_submit():
            return render_template("admin/login.html", form=form, wrong=False), 200
        name = (form.name.data or "").strip()
        if until := limits.refused_until(name, request.remote_addr or ""):
            return too_many(until)
        with store.read() as db:
            member = staff.verify(db, name, form.password.data or "")
        if member is None:
            log.warning("panel.login_refused")
            return render_template("admin/login.html", form=form, wrong=True), 401
        limits.forget(name)
        if request.args.get("lang") in LANGUAGES:  # chosen just now, on this page
            with store.write() as db:
                staff.speak(db, member.id, request.args["lang"])
        sessions.begin(member)
        log.info("panel.login", member=member.id)
        target = inside(wanted, member.role)
        return redirect(url_for("admin.password", next=target) if member.one_time else target)

    @panel.post("/logout")
    def logout() -> Response:
        sessions.end()
        return redirect(url_for("admin.login"))

    @panel.route("/password", methods=["GET", "POST"])
    def password() -> Response | tuple[str, int]:
        member: staff.Member = current_user.member
        form = PasswordForm()
        wrong = None
        if form.validate_on_submit():
            if until := limits.refused_until(member.name, request.remote_addr or ""):
                return too_many(until)
            wrong = _refused(store, member, form)
            if wrong is None:
                with store.write() as db:
                    staff.reset_password(db, member.name, form.new.data, one_time=False)
                    changed = staff.find_member(db, member.id)
                assert changed is not None  # in one transaction
                sessions.renew(changed)
                log.info("panel.password_changed", member=member.id)
                flash(_("Your password was changed.").msgid)
                return redirect(inside(request.args.get("next"), member.role))
        page = render_template("admin/password.html", form=form, wrong=wrong, shortest=SHORTEST)
        return page, 422 if wrong else 200

    @panel.post("/language")
    def language() -> Response:
        wish = request.form.get("lang")
        if wish in LANGUAGES:
            with store.write() as db:
                staff.speak(db, current_user.member.id, wish)
        return redirect(inside(request.form.get("back"), current_user.member.role))


def _refused(store: Store, member: staff.Member, form: PasswordForm) -> Words | None:
    """Why a new password is not taken; None when it is."""
    wrong = complaint(form.new.data or "", form.again.data or "")
    if wrong:
        return wrong
    with store.read() as db:
        if not member.one_time and staff.verify(db, member.name, form.current.data or "") is None:
            return _("The current password is not right.")
        if staff.verify(db, member.name, form.new.data) is not None:
            return _("The new password must be different from the current one.")
    return None
