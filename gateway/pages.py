"""The public pages: what this is, and whether it is well."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, render_template
from flask_login import current_user
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select

from gateway.config import STAFF, Settings
from gateway.models.installation import is_demo
from gateway.models.places import communes, places
from gateway.models.store import DatabaseDown, Store, StoreProblem


def blueprint(settings: Settings, store: Store) -> Blueprint:
    """`/`, `/handset`, `/healthz`, `/readyz`."""
    pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    redis = Redis.from_url(settings.redis_url, socket_timeout=2) if settings.redis_url else None

    @pages.get("/")
    def home() -> str:
        with store.read() as db:
            demo = is_demo(db)
        return render_template("home.html", demo=demo, settings=settings)

    @pages.get("/handset")
    def handset() -> str:
        """A basic phone in the browser: on this machine alone, or for staff (CONTRACT.md, Pages)."""
        staff = current_user.is_authenticated and current_user.member.role in STAFF
        if not settings.is_local and not staff:
            abort(404)
        with store.read() as db:
            demo = is_demo(db)
            columns = (communes.c.code, communes.c.number, places.c.name_en)
            listed = select(*columns).join(places, places.c.code == communes.c.code)
            named = db.execute(listed.where(communes.c.active).order_by(communes.c.number)).all()
        options = [{"code": row.code, "name": row.name_en, "number": row.number} for row in named]
        return render_template("handset.html", demo=demo, crowd=demo, settings=settings, communes=options)

    @pages.get("/healthz")
    def healthz() -> Response:
        """The process is up."""
        return Response("ok\n", content_type="text/plain")

    @pages.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Whether database, schema and queue can be used; 503 when one cannot."""
        state = {"database": "ok", "queue": "ok"}
        try:
            store.must_be_current()
        except StoreProblem as problem:
            state["database"] = str(problem)
        try:
            if redis is None:
                state["queue"] = "REDIS_URL is not set"
            else:
                redis.ping()
        except RedisError as error:
            state["queue"] = f"cannot be reached ({type(error).__name__})"
        return jsonify(state), 200 if set(state.values()) == {"ok"} else 503

    @pages.app_errorhandler(500)
    @pages.app_errorhandler(DatabaseDown[0])
    def failed(_: Exception) -> tuple[str, int]:
        """Says so without telling what."""
        return render_template("failed.html"), 503

    return pages
