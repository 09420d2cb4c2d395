"""Flower with every path closed to whoever has no password."""

import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from celery import Celery
from flower.app import Flower
from flower.options import options
from flower.urls import settings as pages
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.web import RedirectHandler, RequestHandler

from supervisor.flower_events import LastingEvents


class ClosedFlower(Flower):  # type: ignore[misc]  # Flower has no types
    """Answers 401 to whoever has no credentials, before any page is looked for: Flower itself leaves some of its pages open."""

    def __init__(self, app: Celery, loop: IOLoop, report: Callable[[bool], None]) -> None:
        events = LastingEvents(
            app,
            loop,
            report=report,
            db=options.db,
            persistent=options.persistent,
            state_save_interval=options.state_save_interval,
            max_tasks_in_memory=options.max_tasks,
            max_workers_in_memory=options.max_workers,
        )
        prefix = f"/{options.url_prefix}" if options.url_prefix else ""
        below = {name: prefix + pages[name] for name in ("login_url", "static_url_prefix")}  # Flower's own command does it there
        super().__init__(options=options, capp=app, events=events, io_loop=loop, **(pages | below))
        if prefix:
            self.add_handlers(".*", [(prefix, RedirectHandler, {"url": f"{prefix}/"})])
        self._expected = b"Basic " + b64encode(options.basic_auth[0].encode())

    def find_handler(self, request: HTTPServerRequest, **arguments: Any) -> HTTPMessageDelegate:
        given = request.headers.get("Authorization", "").encode()
        if hmac.compare_digest(given, self._expected):
            found: HTTPMessageDelegate = super().find_handler(request, **arguments)
            return found
        return self.get_handler_delegate(request, Refusal)  # type: ignore[no-any-return]


class Refusal(RequestHandler):
    """401, whatever was asked for and how."""

    def check_xsrf_cookie(self) -> None:
        pass  # it would answer 403 first

    def prepare(self) -> None:
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="Lungline"')
        self.finish("The user is admin; the password lies in secrets/flower.password of LUNGLINE_HOME.\n")
