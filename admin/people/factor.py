"""The second factor of one's own login: an app, or printed codes. Set up, renewed, taken away.

The secret of an app waits in the cookie, sealed, until a code shows that the app has it. The page of the printed codes
is the answer to its form: a redirect would have to carry them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import segno
import structlog
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response

from admin.people.access import Door, inside
from gateway import second_factor
from gateway.config import STAFF
from gateway.menus.phrases import Words
from gateway.privacy import KeyProblem, Keys, Sealed

_ = Words
log = structlog.get_logger()

NEITHER = _("Neither your password nor a code that can still be used.")
_WAITING = "app"


@dataclass(frozen=True)
class Pages:
    """What the pages share."""

    door: Door

    def needed(self) -> bool:
        """Whether a role cannot be without."""
        return self.door.settings.second_factor and current_user.member.role in STAFF

    def shown(self, errors: Mapping[str, Words]) -> str:
        """The page of both."""
        there = self.there()
        due = second_factor.is_due(self.door.settings, current_user.member)
        return render_template("admin/factor.html", needed=self.needed(), due=due, errors=errors, here=home(), **there)

    def there(self) -> dict[str, int]:
        """Whether there is an app, and how many codes are left."""
        with self.door.store.read() as db:
            member = current_user.member.id
            app, codes = second_factor.has_app(db, member), second_factor.codes_left(db, member)
        return {"app": app, "codes": codes}

    def refused(self, about: str) -> Any:
        """What is answered where neither the password nor a code was given; None where one was."""
        if wait := self.door.shut_until(current_user.member.name):
            return wait
        if self.door.knows(current_user.member, request.form.get("again", "")):
            return None
        return self.shown({about: NEITHER}), 422

    def drawn(self, secret: str, errors: Mapping[str, Words]) -> tuple[str, int]:
        """The page that brings a secret into an app."""
        member = current_user.member
        address = second_factor.address(self.door.settings, secret, member.name)
        code = segno.make(address, error="m", micro=False)
        # of our own making: squares, no text
        picture = Markup(code.svg_inline(scale=5, dark="#000", light="#fff", omitsize=True))  # noqa: S704
        grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
        body = render_template(
            "admin/factor_app.html", secret=grouped, qr=picture, address=address, errors=errors, asks=member.has_factor
        )
        return body, 422 if errors else 200


def add_routes(panel: Blueprint, door: Door) -> None:
    """`/admin/self/factor` and below."""
    pages, store = Pages(door), door.store

    @panel.get("/self/factor", endpoint="factor")
    def page() -> str:
        return pages.shown({})

    @panel.post("/self/factor/codes", endpoint="factor_codes")
    def codes() -> Any:
        member = current_user.member
        if refused := pages.refused("codes"):
            return refused
        with store.write() as db:
            sheet = second_factor.print_codes(db, door.keys, member.id)
        log.info("panel.factor_codes", member=member.id)
        grouped = [f"{code[:5]} {code[5:]}" for code in sheet]
        return render_template(
            "admin/factor_codes.html", codes=grouped, address=door.settings.address,
            made=door.settings.day(door.now()), onward=_onward(), here=home(),
        )  # fmt: skip

    @panel.get("/self/factor/<any(codes, off):_deed>", endpoint="factor_seen")
    def seen(**_deed: str) -> Response:  # who changes the language on the page that answers a form
        return redirect(home())

    @panel.post("/self/factor/off", endpoint="factor_off")
    def off() -> Any:
        """Takes one of the two away; the last one only from who needs none."""
        member, what, there = current_user.member, request.form.get("what", ""), pages.there()
        if not there.get(what):  # a second click, or nothing of ours
            return redirect(home())
        if pages.needed() and not all(there.values()):
            return pages.shown({"role": _("Your role needs a second factor: set up the other one first.")}), 422
        if refused := pages.refused(what):
            return refused
        with store.write() as db:
            (second_factor.forget_app if what == "app" else second_factor.forget_codes)(db, member.id)
            if not pages.needed():
                second_factor.go_without(db, member.id)
        log.info("panel.factor_off", member=member.id, what=what)
        flash(_("It opens nothing any more.").msgid)
        return redirect(home())

    _add_app(panel, pages)


def _add_app(panel: Blueprint, pages: Pages) -> None:
    door = pages.door
    store, keys = door.store, door.keys

    @panel.route("/self/factor/app", methods=["GET", "POST"], endpoint="factor_app")
    def app() -> Response | tuple[str, int]:
        member, errors = current_user.member, dict[str, Words]()
        secret = _waiting(keys, member.id)
        if secret is None:  # a first look; or it is long ago, and the picture is another now
            secret = second_factor.new_secret()
            _wait(keys, member.id, secret)
            return pages.drawn(secret, {})
        if request.method == "POST":
            with store.read() as db:
                if second_factor.is_app(db, keys, member.id, secret):  # a second click
                    return done()
            step = second_factor.step_of(secret, request.form.get("code", ""), door.now())
            if member.has_factor and (wait := door.shut_until(member.name)):
                return wait
            if step is None:
                errors["code"] = _("This is not the code that the app shows now. Is the phone's clock right?")
            elif member.has_factor and not door.knows(member, request.form.get("again", "")):
                errors["again"] = NEITHER
            else:
                with store.write() as db:
                    second_factor.set_app(db, keys, member.id, secret, step)
                log.info("panel.factor_app", member=member.id)
                flash(_("The app is set up. From now on you are asked for its code when you log in.").msgid)
                return done()
        return pages.drawn(secret, errors)

    def done() -> Response:
        session.pop(_WAITING, None)
        return redirect(_onward())


def _onward() -> str:
    """Where one wanted to go before."""
    wanted = request.args.get("next")
    return inside(wanted, current_user.member.role) if wanted else home()


def home() -> str:
    """The address of the page of the second factor, with where one wanted to go."""
    return url_for("admin.factor", next=request.args.get("next"))


def _wait(keys: Keys, member_id: int, secret: str) -> None:
    sealed = keys.seal(secret, f"an app of {member_id}")
    session[_WAITING] = [sealed.key, base64.b64encode(sealed.data).decode()]


def _waiting(keys: Keys, member_id: int) -> str | None:
    """The secret that was shown and not yet tried."""
    key, data = session.get(_WAITING) or (0, "")
    try:
        return keys.open(Sealed(key, base64.b64decode(data)), f"an app of {member_id}") if key else None
    except (KeyProblem, binascii.Error):  # sealed long ago
        return None
