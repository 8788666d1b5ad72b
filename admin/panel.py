"""The panel's frame: who may come in, what every page knows, what is said when something is not there.

Nothing is open that is not named in `rights.OPEN`: every other page asks for a login first, whose role may open it
(`rights`), and takes no form without its token (CSRF). The webhooks are outside the blueprint, and so outside all of
this.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import Forbidden, NotFound, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from admin import (
    access,
    assets,
    broadcasts,
    contact_files,
    contacts,
    council,
    forums,
    logins,
    messages,
    pauses,
    polls,
    publishing,
    record,
    reports,
    rights,
    rounds,
    services,
    tallies,
    volunteers,
    weekly,
)
from admin.limits import Limits
from admin.sessions import Sessions
from admin.wording import LANGUAGES, Wording, spoken
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.installation import is_demo, pause
from gateway.models.staff import Member
from gateway.models.store import DatabaseDown, Store
from gateway.privacy import Keys
from gateway.times import utc_now

_ = Words

NAV: tuple[tuple[Words, tuple[tuple[str, Words], ...]], ...] = (
    (_("Figures"), (
        ("admin.tallies", _("Tallies")),
        ("admin.rounds", _("Rounds")),
        ("admin.weekly", _("Weekly tallies")),
        ("admin.council", _("Your commune")),
    )),
    (_("Meeting people"), (
        ("admin.forums", _("Forums")),
    )),
    (_("Messages"), (
        ("admin.broadcasts", _("Broadcasts")),
        ("admin.polls", _("Polls")),
        ("admin.messages", _("Messages")),
        ("admin.contacts", _("Contacts")),
    )),
    (_("Programme"), (
        ("admin.logins", _("Logins")),
    )),
)  # fmt: skip
"""What stands at the top of every page: pages by what they are for, in this order."""
LARGEST = {"admin.contacts_brought": contact_files.MOST_BYTES + 64 * 1024}
"""Bytes of a form with a file, by its page; others are as small as a webhook's (`MAX_CONTENT_LENGTH`)."""


def set_up(app: Flask, settings: Settings, store: Store, keys: Keys, now: Callable[[], datetime] = utc_now) -> None:
    """Adds the panel to the application."""
    app.config.update(
        SESSION_COOKIE_NAME="mati",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.address.startswith("https://"),
        WTF_CSRF_CHECK_DEFAULT=False,  # the panel asks for it itself: webhooks have no token
        WTF_CSRF_TIME_LIMIT=None,  # it lives as long as its session
        WTF_CSRF_SSL_STRICT=False,  # that would want the Referer header, which our pages forbid
    )
    csrf = CSRFProtect(app)
    sessions = Sessions(app, store, now)
    limits = Limits(settings, keys)
    app.register_blueprint(blueprint(settings, store, keys, csrf, sessions, limits, now))


def blueprint(
    settings: Settings,
    store: Store,
    keys: Keys,
    csrf: CSRFProtect,
    sessions: Sessions,
    limits: Limits,
    now: Callable[[], datetime],
) -> Blueprint:
    """All routes under /admin/."""
    panel = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")
    files = assets.load()
    by_name = {asset.name: asset for asset in files.values()}

    @panel.before_request
    def guard() -> AnyResponse | None:
        if request.endpoint in rights.OPEN:
            csrf.protect()
            return None
        if not current_user.is_authenticated:
            sessions.tell_if_expired()
            wanted = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("admin.login", next=wanted))
        if request.endpoint in LARGEST:  # before anything reads the form
            request.max_content_length = LARGEST[request.endpoint]
        csrf.protect()
        sessions.touch()
        if current_user.member.one_time and request.endpoint not in rights.ALWAYS:
            return redirect(url_for("admin.password"))
        if not rights.may_open(current_user.member.role, request.endpoint):
            abort(403)
        return None

    @panel.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def wording() -> Wording:
        if current_user.is_authenticated:
            wish = current_user.member.language
        else:
            wish = request.args.get("lang", sessions.last_language)
        return Wording(spoken(wish, settings.default_language), settings.zone)

    @panel.context_processor
    def every_page() -> dict[str, Any]:
        try:
            with store.read() as db:
                demo, days = is_demo(db), pause(db)
            member: Member | None = current_user.member if current_user.is_authenticated else None
            words = wording()
        except DatabaseDown:  # the page that says so needs nothing of this
            return {}
        return {
            "_": words,
            "asset": lambda name: url_for("admin.asset", name=files[name].name),
            "demo": demo,
            "handset": demo and settings.is_local,
            "languages": LANGUAGES,
            "member": member,
            "nav": _nav(member) if member else [],
            "may_open": lambda endpoint: bool(member and rights.may_open(member.role, endpoint)),
            "pause": days if days and days[1] >= settings.day(now()) else None,
            "here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        }

    @panel.get("/static/<name>")
    def asset(name: str) -> Response:
        found = by_name.get(name)
        return found.answer() if found else Response("not found\n", 404, content_type="text/plain")

    @panel.get("/")
    def home() -> AnyResponse:
        return redirect(url_for(rights.first_page(current_user.member.role)))

    @panel.get("/<path:rest>")
    def nowhere(**_rest: str) -> str:
        abort(404)

    access.add_routes(panel, store, sessions, limits, now)
    _add_pages(panel, settings, store, keys, now)
    _add_refusals(panel, store)
    return panel


def _nav(member: Member) -> list[tuple[Words, list[tuple[str, Words]]]]:
    """The pages that a member may open, in their groups; a group without any is left out."""
    groups = ((title, [line for line in lines if rights.may_open(member.role, line[0])]) for title, lines in NAV)
    return [(title, lines) for title, lines in groups if lines]


def _add_pages(panel: Blueprint, settings: Settings, store: Store, keys: Keys, now: Callable[[], datetime]) -> None:
    """The groups of pages, each of a module of its own."""
    tallies.add_routes(panel, store, settings, now)
    rounds.add_routes(panel, store, settings, keys, now)
    services.add_routes(panel, store, now)
    forums.add_routes(panel, store, settings, now)
    broadcasts.add_routes(panel, store, settings, keys, now)
    polls.add_routes(panel, store, settings, keys, now)
    weekly.add_routes(panel, store, settings, now)
    publishing.add_routes(panel, store, settings, now)
    council.add_routes(panel, store, settings, now)
    reports.add_routes(panel, store, settings)
    pauses.add_routes(panel, store, settings, now)
    contacts.add_routes(panel, store, settings, keys, now)
    messages.add_routes(panel, store, settings, keys, now)
    logins.add_routes(panel, store)
    volunteers.add_routes(panel, store, settings, keys, now)
    record.add_routes(panel, store, settings, keys, now)


def _add_refusals(panel: Blueprint, store: Store) -> None:
    """What is said instead of a page."""

    @panel.errorhandler(404)
    def missing(_error: NotFound) -> tuple[str, int]:
        with store.read() as db:
            return render_template("admin/error.html", what="missing", communes=tallies.programme(db)), 404

    @panel.errorhandler(403)
    def forbidden(_error: Forbidden) -> tuple[str, int]:
        return render_template("admin/error.html", what="forbidden"), 403

    @panel.errorhandler(RequestEntityTooLarge)
    def too_large(_error: RequestEntityTooLarge) -> tuple[str, int]:
        return render_template("admin/error.html", what="too large", most=contact_files.MOST_BYTES // 1024 // 1024), 413

    @panel.errorhandler(CSRFError)
    def stale(_error: CSRFError) -> tuple[str, int]:
        return render_template("admin/error.html", what="stale"), 400
