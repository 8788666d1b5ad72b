"""Logging in, in one step or two, and out; one's own password, one's language."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField  # type: ignore[import-untyped]

from admin import audit
from admin.people.limits import Limits
from admin.people.sessions import Sessions
from admin.rights import first_page
from admin.wording import LANGUAGES, Wording, spoken
from gateway import second_factor
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models import staff
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words
log = structlog.get_logger()

SHORTEST = 10
"""Characters of a password."""
SOON = timedelta(hours=1)
"""A time within it is told without its day."""


class LoginForm(FlaskForm):  # type: ignore[misc]
    """A name and a password."""

    name = StringField()
    password = PasswordField()


class CodeForm(FlaskForm):  # type: ignore[misc]
    """A code of the second factor."""

    code = StringField()


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


@dataclass(frozen=True)
class Door:
    """What everybody passes who comes in."""

    settings: Settings
    store: Store
    keys: Keys
    sessions: Sessions
    limits: Limits
    now: Callable[[], datetime]

    def enter(self, member: staff.Member, wanted: str | None, told: Words | None = None) -> Response:
        """Logs in, and leads on: to the form that was kept, to the page that was wanted, or to the first one.

        What comes before all of these (a password of one's own, a second factor) the guard asks for.
        """
        if request.args.get("lang") in LANGUAGES:  # chosen just now, on this page
            with self.store.write() as db:
                staff.speak(db, member.id, request.args["lang"])
        self.sessions.begin(member)
        log.info("panel.login", member=member.id)
        if told:
            flash(
                Wording(spoken(current_user.member.language, self.settings.default_language), self.settings.zone)(told)
            )
        form = self.sessions.take_form()
        target = url_for("admin.kept", upload=form) if form else inside(wanted, member.role)
        return redirect(url_for("admin.password", next=target) if member.one_time else target)

    def shut_until(self, name: str, *, code: bool = False) -> Response | None:
        """Counts a try; the page that says how long to wait, when there were too many."""
        until = self.limits.refused_until(name, request.remote_addr or "", code=code)
        if until is None:
            return None
        page = render_template("admin/error.html", what="too many", again=until, soon=until - self.now() < SOON)
        seconds = max(1, math.ceil((until - self.now()).total_seconds()))
        return Response(page, 429, {"Retry-After": str(seconds)}, content_type="text/html; charset=utf-8")

    def knows(self, member: staff.Member, typed: str) -> bool:
        """Whether somebody who is logged in says the password once more, or a code."""
        with self.store.read() as db:
            if staff.verify(db, member.name, typed) is not None:
                return True
        with self.store.write() as db:
            return second_factor.use(db, self.keys, member.id, typed, self.now())


def add_routes(panel: Blueprint, door: Door) -> None:
    """`/admin/login`, `/admin/login/code`, `/admin/logout`, `/admin/password`, `/admin/language`."""
    store, sessions, limits = door.store, door.sessions, door.limits

    @panel.route("/login", methods=["GET", "POST"])
    def login() -> Response | tuple[str, int]:
        wanted = request.args.get("next")
        if current_user.is_authenticated:
            return redirect(inside(wanted, current_user.member.role))
        form = LoginForm()
        if not form.validate_on_submit():
            return render_template("admin/login.html", form=form), 200
        name = (form.name.data or "").strip()
        if wait := door.shut_until(name):
            return wait
        with store.read() as db:
            member = staff.verify(db, name, form.password.data or "")
            tried = staff.id_of(db, name)
        if member is None:
            log.warning("panel.login_refused")
            audit.tell(member=tried)
            wrong = _("Name or password is not right.")
            return render_template("admin/login.html", form=form, wrong=wrong), 401
        if member.is_shut_out:
            log.warning("panel.no_code_left", member=member.id)
            audit.tell(member=member.id)
            wrong = _("All your printed codes are used. Ask an admin for a reset: a new one-time password.")
            return render_template("admin/login.html", form=form, wrong=wrong), 403
        if member.has_factor:  # whoever has one is asked, whether the programme wants it or not
            sessions.begin_half(member)
            return redirect(url_for("admin.login_code", lang=request.args.get("lang"), next=wanted))
        limits.forget(name)
        return door.enter(member, wanted)

    @panel.post("/logout")
    def logout() -> Response:
        sessions.end()
        return redirect(url_for("admin.login"))

    @panel.post("/language")
    def language() -> Response:
        wish = request.form.get("lang")
        if wish in LANGUAGES:
            with store.write() as db:
                staff.speak(db, current_user.member.id, wish)
        return redirect(inside(request.form.get("back"), current_user.member.role))

    _add_code(panel, door)
    _add_password(panel, door)


def _add_code(panel: Blueprint, door: Door) -> None:
    """The second step of a login, where there is one."""
    store, sessions, limits = door.store, door.sessions, door.limits

    @panel.route("/login/code", methods=["GET", "POST"], endpoint="login_code")
    def code() -> Response | tuple[str, int]:
        wanted = request.args.get("next")
        if current_user.is_authenticated:
            return redirect(inside(wanted, current_user.member.role))
        member = sessions.half()
        if member is None:
            flash(_("Enter your name and password again: a code is waited for five minutes.").msgid)
            return redirect(url_for("admin.login", lang=request.args.get("lang"), next=wanted))
        form = CodeForm()
        if not form.validate_on_submit():
            return render_template("admin/login_code.html", form=form, wrong=False), 200
        if wait := door.shut_until(member.name, code=True):
            return wait
        with store.write() as db:
            opens = second_factor.use(db, door.keys, member.id, form.code.data or "", door.now())
            left = second_factor.codes_left(db, member.id)
        if not opens:
            log.warning("panel.code_refused", member=member.id)
            audit.tell(member=member.id)
            return render_template("admin/login_code.html", form=form, wrong=True), 401
        limits.forget(member.name)
        was_printed = len(second_factor.digits(form.code.data)) == second_factor.PRINTED_DIGITS
        told = _("A printed code was used. Codes that are left: {n}.", n=str(left)) if was_printed else None
        return door.enter(member, wanted, told)


def _add_password(panel: Blueprint, door: Door) -> None:
    """One's own password."""
    store, sessions = door.store, door.sessions

    @panel.route("/password", methods=["GET", "POST"])
    def password() -> Response | tuple[str, int]:
        member: staff.Member = current_user.member
        form = PasswordForm()
        wrong = None
        if form.validate_on_submit():
            if wait := door.shut_until(member.name):
                return wait
            wrong = _refused(store, member, form)
            if wrong is None:
                with store.write() as db:
                    staff.choose_password(db, member.id, form.new.data)
                sessions.renew(member)
                log.info("panel.password_changed", member=member.id)
                flash(_("Your password was changed.").msgid)
                return redirect(inside(request.args.get("next"), member.role))
        page = render_template("admin/password.html", form=form, wrong=wrong, shortest=SHORTEST)
        return page, 422 if wrong else 200


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
