"""Mati: an SMS and USSD feedback gateway for basic phones. `create_app` wires the web side and owns no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from gateway.config import Settings


def served() -> Flask:
    """The application, as a web server's process loads it."""
    from gateway.garbage import look_seldom

    app = create_app()
    look_seldom(from_here=True)
    return app


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask application. Without settings they come from the environment.

    The imports stand here so that `mati tally` and the supervisor do not load a web server.
    """
    from flask import Flask
    from werkzeug.middleware.proxy_fix import ProxyFix

    from admin import set_up as set_up_panel
    from gateway import config, headers, logs, pages, results_pages, webhooks
    from gateway.conversation import Conversations
    from gateway.models.store import Store
    from gateway.privacy import Keys
    from gateway.providers import all_providers
    from gateway.receipts import ReceiptDesk
    from gateway.sms import SmsDesk
    from gateway.workers.wakeups import WakeUps

    settings = settings or config.load()
    logs.set_up()
    store = Store(settings.database)
    store.must_be_current()
    keys = Keys(settings)
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=webhooks.MOST_BYTES, SECRET_KEY=keys.derived("panel cookies"))
    talks = Conversations(store, keys, settings)
    desks = webhooks.Desks(
        providers=all_providers(settings),
        talks=talks,
        sms=SmsDesk(store, keys, settings, talks),
        receipts=ReceiptDesk(store, settings),
        wake=WakeUps(settings.redis_url).wake,
    )
    app.register_blueprint(pages.blueprint(settings, store))
    app.register_blueprint(results_pages.blueprint(settings, store))
    set_up_panel(app, settings, store, keys)
    headers.protect(app)
    webhooks.mount(app, desks, settings)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app
