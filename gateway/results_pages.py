"""The public results: what a round's owner chose to publish, as pages for any phone and as JSON. No login, no cookie.

Addresses stay the same for ever: a commune's code and its own count of rounds. `docs/results.md` has the JSON.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.exceptions import NotFound

from gateway import information_pages
from gateway.config import FLOOR, Settings
from gateway.menus.wording import render
from gateway.models.installation import is_demo
from gateway.models.store import Store
from gateway.promises import checks
from gateway.promises.told import told as promises_told
from gateway.scorecard import publishing, tallies
from gateway.scorecard.publishing import Published, Reader
from gateway.scorecard.results import Results, ServiceResult
from gateway.scorecard.tallies import Figures, ServiceTally, Tally
from gateway.times import utc_now
from gateway.wording import LANGUAGES, Sentence, Wording, spoken

_ = Sentence

PAGE = 60
"""Rounds a page of the list, or of the JSON."""
MOST = 10_000
"""No page and no round has a higher number."""
FRESH = 300
"""Seconds for which a copy may be shown without asking: so long may it take until something appears, or is gone."""
SCALE = {
    1: _("Very dissatisfied"),
    2: _("Dissatisfied"),
    3: _("Acceptable"),
    4: _("Satisfied"),
    5: _("Very satisfied"),
}
"""The words of the I-SAF scorecard (DOMAIN.md, Services)."""


def blueprint(settings: Settings, store: Store, now: Callable[[], datetime] = utc_now) -> Blueprint:
    """`/results/`, `/results/<commune>/<round>`, `/results.json`, `/information/`."""
    public = Blueprint("results", __name__, template_folder="templates")

    def today() -> date:
        return settings.day(now())

    def wording() -> Wording:
        return Wording(spoken(request.args.get("lang"), settings.default_language), settings.zone)

    def page(template: str, demo: bool, **values: Any) -> Response:
        say = wording()
        other = url_for(
            request.endpoint or "results.list", **{**(request.view_args or {}), **_asked(), "lang": say.other}
        )
        always = {"_": say, "lang": say.language, "languages": LANGUAGES, "other": other, "demo": demo}
        body = render_template(template, **always, **values)
        return Response(body, content_type="text/html; charset=utf-8")

    @public.get("/results/", endpoint="list")
    def listed() -> Response:
        wanted, number = request.args.get("q", "").strip(), _page()
        with store.read() as db:
            codes = publishing.named(db, Reader.PUBLIC, today(), wanted) if wanted else None
            found, more = _rounds(db, today(), codes, number)
            response = page(
                "results.html", is_demo(db), rounds=found, more=more, page=number, wanted=wanted, settings=settings,
                at_list=True,
            )  # fmt: skip
        return _kept(response)

    @public.get("/results/<commune>/<int:number>", endpoint="one")
    def single(commune: str, number: int) -> Response:
        with store.read() as db:
            known = _is_code(commune) and number <= MOST
            told = publishing.read(db, commune, number, Reader.PUBLIC, today()) if known else None
            if told is None:
                abort(404)
            others = publishing.published(db, Reader.PUBLIC, today(), codes=[commune])
            round_, results = told
            response = page(
                "result.html", is_demo(db), round=round_, results=results, others=others, scale=SCALE,
                minimum=max(settings.min_raters, FLOOR), marks=marks, promises=promises_told(db, commune, today()),
                definition=checks.DEFINITION, say=functools.partial(render, language=wording().language),
            )  # fmt: skip
        return _kept(response)

    @public.get("/results.json", endpoint="json")
    def as_json() -> Response:
        language = spoken(request.args.get("lang"), "en")  # as `mati tally --json` has it
        commune, number = request.args.get("commune"), _page()
        if commune is not None and not _is_code(commune):
            abort(404)
        with store.read() as db:
            found, more = _rounds(db, today(), {commune} if commune else None, number)
            read = (publishing.read(db, one.commune, one.number, Reader.PUBLIC, today()) for one in found)
            values = [result_json(*told, language) for told in read if told]
        response = Response(json.dumps(values, ensure_ascii=False), content_type="application/json")
        if more:
            following = url_for("results.json", commune=commune, lang=request.args.get("lang"), page=number + 1)
            response.headers["Link"] = f'<{following}>; rel="next"'
        response.headers["Access-Control-Allow-Origin"] = "*"
        return _kept(response)

    information_pages.add_routes(public, store, today, lambda *args, **values: _kept(page(*args, **values)))

    @public.get("/results/<path:rest>")
    def nowhere(**_rest: str) -> str:
        abort(404)

    @public.errorhandler(404)
    def missing(_error: NotFound) -> tuple[Response, int]:
        with store.read() as db:
            return page("results_none.html", is_demo(db)), 404

    return public


def marks(figures: Figures) -> list[tuple[int, float, float]]:
    """The parts of a bar: the score, where its part begins, and how wide it is, in hundredths of the bar."""
    parts, begin = [], 0.0
    for score, count in enumerate(figures.counts, 1):
        width = 100 * count / figures.n
        if count:
            parts.append((score, round(begin, 2), round(width, 2)))
        begin += width
    return parts


def result_json(round_: Published, results: Results, language: str) -> dict[str, Any]:
    """A published round: the form of CONTRACT.md, Tally JSON, and what only results have."""
    services = tuple(ServiceTally(one.service, one.number, one.name, one.figures) for one in results.services)
    tally = Tally(round_.commune, round_.name, round_.number, round_.first, round_.last, False, services)
    values = tallies.as_json(tally, language)
    lines = zip(values["services"], results.services, strict=True)
    values["services"] = [line | _more_json(service, language) for line, service in lines]
    public = round_.standing.public
    return values | {"public_on": public.isoformat() if public else None}


def _more_json(service: ServiceResult, language: str) -> dict[str, Any]:
    change = service.change
    return {
        "margin": round(service.figures.margin, 4) if service.figures else None,
        "change": {"points": change.points, "margin": change.margin} if change else None,
        "indicators": [
            {
                "indicator": one.id,
                "label": render(one.text, language),
                "n": one.figures.n if one.figures else None,
                "counts": list(one.figures.counts) if one.figures else None,
                "satisfied": round(one.figures.satisfied, 4) if one.figures else None,
                "shown": one.figures is not None,
            }
            for one in service.indicators
        ],
    }


def _rounds(db: Connection, today: date, codes: set[str] | None, number: int) -> tuple[list[Published], bool]:
    """A page of the rounds that are public, and whether there are more."""
    skip = (number - 1) * PAGE
    found = publishing.published(db, Reader.PUBLIC, today, codes=codes, skip=skip, most=PAGE + 1)
    if skip and not found:
        abort(404)
    return list(found[:PAGE]), len(found) > PAGE


def _asked() -> dict[str, str]:
    """What was asked of a list, for a link to the same in the other language."""
    return {name: value for name, value in request.args.items() if name in ("q", "page")}


def _page() -> int:
    """Which page of a list is asked for."""
    number = request.args.get("page", 1, type=int)
    if not 1 <= number <= MOST:
        abort(404)
    return number


def _is_code(commune: str) -> bool:
    """Whether it can be a commune's code: no database is asked for anything else."""
    return commune.isascii() and commune.isdecimal() and len(commune) <= 8


def _kept(response: Response) -> Response:
    """May be kept for minutes; who asks again is told that nothing changed, by what the page says."""
    response.headers["Cache-Control"] = f"public, max-age={FRESH}"
    response.set_etag(hashlib.sha256(response.data).hexdigest()[:24], weak=True)  # compressed or not
    response.make_conditional(request)
    return response
