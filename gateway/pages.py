"""The public pages: what this is, and whether it is well."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template
from redis import Redis
from redis.exceptions import RedisError

from gateway.config import Settings
from gateway.models.installation import is_demo
from gateway.models.store import DatabaseDown, Store, StoreProblem


def blueprint(settings: Settings, store: Store) -> Blueprint:
    """`/`, `/healthz`, `/readyz`."""
    pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    redis = Redis.from_url(settings.redis_url, socket_timeout=2) if settings.redis_url else None

    @pages.get("/")
    def home() -> str:
        with store.read() as db:
            demo = is_demo(db)
        return render_template("home.html", demo=demo, settings=settings)

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
