"""Comments: those that wait to be read, those that were approved, and the file of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from admin import scope
from admin.figures.tallies import programme
from admin.meetings.forum_pages import me, wording
from admin.paging import page_of
from admin.programme.service_pages import name_of
from gateway.comments import comments
from gateway.comments.comments import LONGEST, Comment, Flaw, Refused
from gateway.comments.files import KINDS
from gateway.comments.redaction import Found, is_delicate, pieces, proposed
from gateway.config import Settings
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.comments import Verdict
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.workers.housekeeping import COMMENT_DAYS

_ = Words

PAGE = 20
"""Comments a page."""
FOUND: Mapping[Found, Words] = {
    Found.NUMBER: _("number"),
    Found.LINK: _("link"),
    Found.NAME: _("perhaps a name"),
}
"""What is marked in a comment."""
FLAWS: Mapping[Flaw, tuple[str, Words]] = {
    Flaw.MISSING: ("text", _("Nothing is left of it. Write what may stand, or turn it down.")),
    Flaw.TOO_LONG: ("text", _("Longer than {most} signs. Shorten it.", most=str(LONGEST))),
    Flaw.LEADS: (
        "text", _("There is still something like a phone number or a link. Take it out; write days and sums in words."),
    ),
    Flaw.NOT_TAKEN: ("service", _("Comments on this service are not taken. Choose another, or none.")),
}  # fmt: skip
"""What is wrong with a text to approve, and at which field it is said."""
HEAD = (_("Commune"), _("Month"), _("Service"), _("Comment"))
DECIDED = _("This comment was decided already: its words are gone.")


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/comments?show=…&page=…`, `/admin/comments/approved.csv` and `.xlsx`."""

    @panel.get("/comments", endpoint="comments")
    def page() -> str:
        show = request.args.get("show", "waiting")
        if show not in ("waiting", "approved"):
            abort(404)
        with store.read() as db:
            mine = scope.mine(db)
            counts = comments.count(db, mine)
            number, pages = page_of(counts.get(Verdict(show), 0), PAGE)
            first = (number - 1) * PAGE
            waiting = comments.waiting(db, keys, first, PAGE, mine) if show == "waiting" else []
            approved = comments.approved(db, communes=mine, skip=first, most=PAGE) if show == "approved" else []
            return render_template(
                "admin/comments.html",
                show=show, waiting=[(one, pieces(one.words), is_delicate(one.words)) for one in waiting],
                approved=approved, counts=counts, Verdict=Verdict, page=number, pages=pages, taken=_taken(db),
                communes=_communes(db), found=FOUND, sms_number=settings.sms_number, kinds=KINDS,
            )  # fmt: skip

    @panel.get("/comments/approved.<kind>", endpoint="comments_file")
    def file(kind: str) -> Response:
        if kind not in KINDS:
            abort(404)
        media_type, made = KINDS[kind]
        with store.read() as db:
            told = comments.approved(db, communes=scope.mine(db))
        content = made(told, HEAD, wording(settings))
        name = f'attachment; filename="comments-{settings.day(now()).isoformat()}.{kind}"'
        return Response(content, headers={"Content-Disposition": name}, content_type=media_type)

    _add_deeds(panel, store, settings, keys, now)


def _add_deeds(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/comments/<id>`: to read one and decide; to remove an approved text."""

    @panel.get("/comments/<comment>", endpoint="comments_one")
    def one(comment: str) -> AnyResponse | str:
        with store.read() as db:
            told = comments.find(db, keys, comment)
            return form(db, told, _suggested(told), {}) if isinstance(told, Comment) else gone(told)

    @panel.post("/comments/<comment>", endpoint="comments_decided")
    def decided(comment: str) -> AnyResponse | tuple[str, int]:
        given, today = request.form, settings.day(now())
        with store.read() as db:
            told = comments.find(db, keys, comment)
            communes = _communes(db)
        if not isinstance(told, Comment):
            return gone(told)
        approves, commune = given.get("do") == "approve", given.get("commune", "")
        if not approves:
            with store.write() as db:
                done = comments.turn_down(db, comment, me(), today)
        else:
            about = (commune if commune in communes else None, given.get("service") or None)
            try:
                with store.write() as db:
                    done = comments.approve(db, comment, given.get("text", ""), *about, me(), today)
            except Refused as refused:
                field, words = FLAWS[refused.flaw]
                with store.read() as db:
                    return form(db, told, given, {field: words}), 422
        if not done:
            return gone(Verdict.APPROVED)
        flash((_("Approved: of the comment nothing is kept but this text.") if approves
               else _("Turned down: its words are gone.")).msgid)  # fmt: skip
        return redirect(url_for("admin.comments"))

    @panel.post("/comments/<comment>/remove", endpoint="comments_removed")
    def removed(comment: str) -> AnyResponse:
        with store.write() as db:
            if comments.find(db, keys, comment) is None:
                abort(404)
            done = comments.take_back(db, comment, me(), settings.day(now()))
        flash((_("The text is removed.") if done else _("It was removed already.")).msgid)
        return redirect(url_for("admin.comments", show="approved"))

    def gone(told: Verdict | None) -> AnyResponse:
        """What becomes of who comes too late."""
        if told is None:
            abort(404)
        flash(DECIDED.msgid)
        return redirect(url_for("admin.comments"))

    def form(db: Connection, told: Comment, typed: Mapping[str, str], errors: Mapping[str, Phrase]) -> str:
        marked = pieces(told.words)
        return render_template(
            "admin/comment.html",
            told=told, pieces=marked, typed=typed, errors=errors, found=FOUND, days=COMMENT_DAYS,
            there=[what for what in FOUND if any(piece.found is what for piece in marked)],
            delicate=is_delicate(told.words), taken=_taken(db), communes=_communes(db),
        )  # fmt: skip


def _suggested(told: Comment) -> dict[str, str]:
    return {"text": proposed(told.words), "commune": told.commune or "", "service": told.service or ""}


def _taken(db: Connection) -> dict[str, Name]:
    """The services on which comments are taken."""
    return {service: name_of(row) for service, row in comments.open_services(db).items()}


def _communes(db: Connection) -> dict[str, Name]:
    """The communes of who is logged in."""
    mine = scope.mine(db)
    return {one.code: one.name for one in programme(db) if mine is None or one.code in mine}
