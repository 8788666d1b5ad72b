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

from admin import assets, audit, home, rights, scope
from admin.figures import council, publishing, record, reports, rounds, tallies, volunteers, weekly
from admin.meetings import commitments, forums, issues
from admin.messaging import broadcasts, contact_files, contacts, message_page, messages, polls, providers
from admin.people import access, factor, joining, kept_forms, logins, own_login
from admin.people.limits import Limits
from admin.people.sessions import Sessions
from admin.programme import audit_page, comments, information, pauses, place_files, places, services
from admin.wording import LANGUAGES, Wording, spoken
from gateway import second_factor
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.installation import is_demo, pause
from gateway.models.staff import Member
from gateway.models.store import DatabaseDown, Store
from gateway.privacy import Keys
from gateway.text import shown_parts
from gateway.times import utc_now

_ = Words

NAV: tuple[tuple[Words, tuple[tuple[str, Words], ...]], ...] = (
    (_("Figures"), (
        ("admin.tallies", _("Tallies")),
        ("admin.rounds", _("Rounds")),
        ("admin.weekly", _("Weekly tallies")),
        ("admin.comments", _("Comments")),
        ("admin.council", _("Your commune")),
    )),
    (_("Meeting people"), (
        ("admin.forums", _("Forums")),
        ("admin.commitments", _("Commitments")),
        ("admin.issues", _("Issues of groups")),
    )),
    (_("Messages"), (
        ("admin.broadcasts", _("Broadcasts")),
        ("admin.polls", _("Polls")),
        ("admin.messages", _("Messages")),
        ("admin.contacts", _("Contacts")),
        ("admin.providers", _("Providers")),
    )),
    (_("Programme"), (
        ("admin.places", _("Places")),
        ("admin.information", _("Information")),
        ("admin.logins", _("Logins")),
        ("admin.audit", _("Audit log")),
    )),
)  # fmt: skip
"""What stands at the top of every page: pages by what they are for, in this order."""
LARGEST = {
    "admin.contacts_brought": contact_files.MOST_BYTES + 64 * 1024,
    "admin.issues_brought": contact_files.MOST_BYTES + 64 * 1024,
    "admin.places_brought": place_files.MOST_BYTES + 64 * 1024,
}
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
    sessions = Sessions(app, store, keys, now)
    door = access.Door(settings, store, keys, sessions, Limits(settings, keys), now)
    app.register_blueprint(blueprint(settings, store, keys, csrf, door, now))


def blueprint(
    settings: Settings,
    store: Store,
    keys: Keys,
    csrf: CSRFProtect,
    door: access.Door,
    now: Callable[[], datetime],
) -> Blueprint:
    """All routes under /admin/."""
    sessions = door.sessions
    panel = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")
    files = assets.load()
    by_name = {asset.name: asset for asset in files.values()}

    @panel.before_request
    def guard() -> AnyResponse | None:
        if request.endpoint in rights.OPEN:
            csrf.protect()
            audit.note_who_is_in()
            return None
        if not current_user.is_authenticated:
            sessions.tell_if_expired(kept_forms.keep(store, keys, csrf, sessions, now))
            wanted = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("admin.login", next=wanted))
        if request.endpoint in LARGEST:  # before anything reads the form
            request.max_content_length = LARGEST[request.endpoint]
        csrf.protect()
        sessions.touch()
        if current_user.member.one_time and request.endpoint not in rights.ALWAYS:
            return redirect(url_for("admin.password"))
        if second_factor.is_due(settings, current_user.member) and request.endpoint not in rights.FACTOR:
            wanted = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("admin.factor", next=wanted))
        scope.check(store)
        if sent := kept_forms.is_sent_twice(store):
            return sent
        audit.begin(store, now)
        return None

    @panel.after_request
    def keep_nothing(response: Response) -> Response:
        audit.end(store, now, response)
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
            "in_parts": shown_parts,
            "asset": lambda name: url_for("admin.asset", name=files[name].name),
            "demo": demo,
            "handset": demo and settings.is_local,
            "languages": LANGUAGES,
            "member": member,
            "nav": _nav() if member and not second_factor.is_due(settings, member) else [],
            "begins_at_home": bool(member and rights.first_page(member.role) == "admin.home"),
            "is_here": _is_here,
            "here_in": lambda lines: any(_is_here(endpoint) for endpoint, _label in lines),
            "may_open": lambda endpoint: bool(member and scope.may_open(endpoint)),
            "pause": days if days and days[1] >= settings.day(now()) else None,
            "here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        }

    @panel.get("/static/<name>")
    def asset(name: str) -> Response:
        found = by_name.get(name)
        return found.answer() if found else Response("not found\n", 404, content_type="text/plain")

    @panel.get("/<path:rest>")
    def nowhere(**_rest: str) -> str:
        abort(404)

    access.add_routes(panel, door)
    factor.add_routes(panel, door)
    own_login.add_routes(panel, door)
    joining.add_routes(panel, door)
    kept_forms.add_routes(panel, store, keys, now)
    _add_pages(panel, settings, store, keys, now)
    _add_refusals(panel, store)
    return panel


def _nav() -> list[tuple[Words, list[tuple[str, Words]]]]:
    """The pages that who is logged in may open, in their groups; a group without any is left out."""
    groups = ((title, [line for line in lines if scope.may_open(line[0])]) for title, lines in NAV)
    return [(title, lines) for title, lines in groups if lines]


def _is_here(endpoint: str) -> bool:
    """Whether the page that is asked for is this one, or one of those below it."""
    return request.endpoint == endpoint or (request.endpoint or "").startswith(f"{endpoint}_")


def _add_pages(panel: Blueprint, settings: Settings, store: Store, keys: Keys, now: Callable[[], datetime]) -> None:
    """The groups of pages, each of a module of its own."""
    home.add_routes(panel, store, settings, now)
    tallies.add_routes(panel, store, settings, now)
    rounds.add_routes(panel, store, settings, keys, now)
    services.add_routes(panel, store, now)
    forums.add_routes(panel, store, settings, now)
    commitments.add_routes(panel, store, settings, keys, now)
    issues.add_routes(panel, store, settings, keys, now)
    broadcasts.add_routes(panel, store, settings, keys, now)
    polls.add_routes(panel, store, settings, keys, now)
    weekly.add_routes(panel, store, settings, now)
    comments.add_routes(panel, store, settings, keys, now)
    publishing.add_routes(panel, store, settings, now)
    council.add_routes(panel, store, settings, now)
    reports.add_routes(panel, store, settings, now)
    pauses.add_routes(panel, store, settings, now)
    contacts.add_routes(panel, store, settings, keys, now)
    messages.add_routes(panel, store, settings, keys, now)
    message_page.add_routes(panel, store, settings, keys, now)
    information.add_routes(panel, store, settings, now)
    providers.add_routes(panel, store, settings, now)
    places.add_routes(panel, store, settings, keys, now)
    logins.add_routes(panel, store, settings, keys, now)
    audit_page.add_routes(panel, store, settings)
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
        page = str(request.endpoint)
        again = url_for(page.replace("_brought", "_import")) if page in LARGEST else None
        most = LARGEST.get(page, contact_files.MOST_BYTES) // 1024 // 1024
        return render_template("admin/error.html", what="too large", most=most, again=again), 413

    @panel.errorhandler(CSRFError)
    def stale(_error: CSRFError) -> tuple[str, int]:
        return render_template("admin/error.html", what="stale"), 400
