"""After a forum: how many came, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin.meetings.forum_form import measured
from admin.meetings.forum_pages import found, me, refuse, to_one
from admin.wording import SPOKEN
from gateway.bulk.previews import Plan, preview, tidy
from gateway.config import LANGUAGES, Settings
from gateway.forums import results as forum_results
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum, named
from gateway.forums.plans import NotNow, title_of
from gateway.menus.phrases import Words
from gateway.models.messages import Kind
from gateway.models.store import Store
from gateway.text import western_digits

_ = Words

MOST = 100_000
"""More people than a commune has."""
LONGEST = 300
"""Signs of what came of a forum: five parts in Khmer."""


def counted(forum: Forum) -> dict[str, str]:
    """How many came, as it stands in the form."""
    numbers = {"total": forum.attended, "women": forum.women, "men": forum.men}
    return {name: "" if number is None else str(number) for name, number in numbers.items()}


def add_routes(
    panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime], shown: Callable[..., str]
) -> None:
    """`POST /admin/forums/<id>/attendance`, `…/outcome`; `shown` is the page of one, with what was refused."""

    @panel.post("/forums/<int:forum_id>/attendance", endpoint="forums_attendance")
    def attendance(forum_id: int) -> Response | tuple[str, int]:
        with store.read() as db:
            found(db, forum_id)
        typed = {name: request.form.get(name, "").strip() for name in ("total", "women", "men")}
        numbers, errors = _numbers(typed)
        if errors:
            return shown(forum_id, errors, **typed), 422
        try:
            with store.write() as db:
                forum_results.note_attendance(
                    db, forum_id, numbers["total"] or 0, numbers["women"], numbers["men"], now()
                )
            flash(_("Kept.").msgid)
        except NotNow as problem:
            refuse(problem.why)
        return to_one(forum_id)

    @panel.get("/forums/<int:forum_id>/outcome", endpoint="forums_outcome")
    def written(forum_id: int) -> str:
        with store.read() as db:
            forum = found(db, forum_id)
        return page(forum, forum.outcome, {})

    @panel.post("/forums/<int:forum_id>/outcome", endpoint="forums_told")
    def outcome(forum_id: int) -> Response | tuple[str, int]:
        with store.read() as db:
            forum = found(db, forum_id)
        texts = {one: request.form.get(f"outcome-{one}", "") for one in LANGUAGES}
        errors = _wrong(texts)
        if errors or request.form.get("do") != "keep":
            return page(forum, texts, errors), 422 if errors else 200
        try:
            with store.write() as db:
                broadcast = forum_results.draft_outcome(db, settings, forum_id, tidy(texts), me(), now())
        except NotNow as problem:
            refuse(problem.why)
            return to_one(forum_id)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    def page(forum: Forum, texts: Mapping[Any, str], errors: Mapping[str, Words]) -> str:
        told: dict[str, str] = {str(one): text for one, text in tidy(texts).items()}
        said = {} if errors or not told else forum_words.outcome(replace(forum, outcome=told), settings.zone)
        with store.read() as db:
            seen = preview(db, settings, Plan(Kind.RESULT, title_of(forum, settings), said, forum.told), now())[0]
        return render_template(
            "admin/forum_outcome.html",
            forum=forum, title=named(forum.title), texts=texts, errors=errors, words=SPOKEN, seen=seen,
            sentences=measured(said),
        )  # fmt: skip


def _wrong(texts: Mapping[Any, str]) -> dict[str, Words]:
    errors: dict[str, Words] = {}
    for one, text in texts.items():
        if "{" in text or "}" in text:
            errors[f"outcome-{one}"] = _("No braces here: everybody reads the same.")
        elif len(text) > LONGEST:
            errors[f"outcome-{one}"] = _("Too long: at most {n} signs.", n=str(LONGEST))
    if not tidy(texts):
        errors[f"outcome-{LANGUAGES[0]}"] = _("Write what came of it, in at least one language.")
    return errors


def _numbers(typed: Mapping[str, str]) -> tuple[dict[str, int | None], dict[str, Words]]:
    """The numbers of an attendance; women and men may be left out."""
    numbers: dict[str, int | None] = {}
    errors: dict[str, Words] = {}
    for name, text in typed.items():
        digits = western_digits(text)
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= len(str(MOST)) else None
        numbers[name] = number
        if text and (number is None or number > MOST):
            errors[name] = _("Write a whole number, in digits.")
    total, women, men = (numbers[name] for name in ("total", "women", "men"))
    if total is None and not errors:
        errors["total"] = _("Say how many came in all.")
    if not errors and total is not None and (women or 0) + (men or 0) > total:
        errors["total"] = _("Women and men together are {n}, more than came in all.", n=str((women or 0) + (men or 0)))
    return numbers, errors
