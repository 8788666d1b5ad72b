"""The Citizens' Rating Report of a closed round: choose its communes, read it, print it, take it as a file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from importlib.util import find_spec

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from admin import scope
from admin.wording import SPOKEN, spoken
from gateway.config import LANGUAGES, Language, Settings
from gateway.menus.phrases import Name, Words
from gateway.menus.wording import render
from gateway.models.store import Store
from gateway.scorecard import report_words
from gateway.scorecard.report import Report, StillOpen, of_round
from gateway.scorecard.report_files import KINDS
from gateway.scorecard.report_page import NoPdf, page
from gateway.scorecard.results import NoResults
from gateway.scorecard.round_list import found, members

_ = Words

MOST = 40
"""So many communes stand beside each other in one report."""


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/rounds/<id>/report`, and `report.html`, `.pdf`, `.csv`, `.xlsx` beside it."""

    def report_in(db: Connection, round_id: int, codes: Sequence[str]) -> Report:
        try:
            return of_round(db, round_id, codes, settings.min_raters, settings.day(now()))
        except NoResults:
            abort(404)

    def wished() -> Language:
        given = request.args.get("lang")
        mine = spoken(current_user.member.language, settings.default_language)
        return next(one for one in LANGUAGES if one == (given if given in LANGUAGES else mine))

    @panel.get("/rounds/<int:round_id>/report", endpoint="rounds_report")
    def overview(round_id: int) -> tuple[str, int]:
        with store.read() as db:
            listed, names = found(db, round_id, settings.min_raters, scope.mine(db)), _names(db, round_id)
            if listed is None:
                abort(404)
            codes = _chosen(names)
            closed = listed.closed is not None
            report = report_in(db, round_id, codes) if closed and len(codes) <= MOST else None
        say = partial(render, language=spoken(current_user.member.language, settings.default_language))
        body = render_template(
            "admin/report.html",
            round=listed,
            names=names,
            codes=codes,
            report=report,
            most=MOST,
            too_many=len(codes) > MOST,
            kinds=KINDS,
            has_pdf=find_spec("weasyprint") is not None,
            lang=wished(),
            spoken=SPOKEN,
            words=report_words,
            say=say,
        )
        return body, 200 if len(codes) <= MOST else 422

    @panel.get("/rounds/<int:round_id>/report.<kind>", endpoint="rounds_report_file")
    def file(round_id: int, kind: str) -> AnyResponse:
        if f".{kind}" not in KINDS:
            abort(404)
        back = url_for("admin.rounds_report", round_id=round_id, commune=request.args.getlist("commune"))
        with store.read() as db:
            names = _names(db, round_id)
            codes = _chosen(names)
            if not names or len(codes) > MOST:
                return redirect(back)
            try:
                report = report_in(db, round_id, codes)
            except StillOpen:
                return redirect(back)  # it says there what to do
        media_type, made = KINDS[f".{kind}"]
        if kind == "html":
            return _shown(report, wished())
        try:
            content = made(report, wished())
        except NoPdf:
            flash(_NO_PDF.msgid)
            return redirect(back)
        name = f"report-{codes[0] if len(codes) == 1 else 'group'}-round-{report.results.number}.{kind}"
        return Response(
            content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, content_type=media_type
        )


_NO_PDF = _("PDF needs an extra on the server: pip install 'mati[pdf]'. Until then, open the report and print it.")


def _names(db: Connection, round_id: int) -> dict[str, Name]:
    return {code: name for code, (name, _number) in members(db, round_id, scope.mine(db)).items()}


def _chosen(names: dict[str, Name]) -> list[str]:
    """The communes asked for, in the order of the programme; without any: all, or the first of very many."""
    wanted = set(request.args.getlist("commune"))
    if wanted - names.keys():
        abort(404)
    return [code for code in names if code in wanted] or list(names)[: None if len(names) <= MOST else 1]


def _shown(report: Report, language: Language) -> Response:
    """The page by itself. Its own style may stand in it, nothing else may be loaded."""
    made = page(report, language)
    hashed = base64.b64encode(hashlib.sha256(made.style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; img-src data:; base-uri 'none'; form-action 'none'"
    return Response(
        made.html,
        headers={"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"},
        content_type="text/html; charset=utf-8",
    )
