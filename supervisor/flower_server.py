"""Flower as Lungline runs it: closed on every path, with a history that outlives it, and patient with a Redis that is away."""

import errno
import hmac
import logging
import os
import secrets
import signal
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final, NoReturn

import structlog
from celery import Celery
from celery.events import EventReceiver
from flower.app import Flower
from flower.events import Events
from flower.options import options
from flower.urls import settings as pages
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.web import RedirectHandler, RequestHandler

from jobs.app import make_app
from jobs.queues import require
from lungline.broker import explain
from lungline.errors import BrokerError, SettingsError
from lungline.presence import Presence
from lungline.settings import Settings
from supervisor.own_broker import write_secret

USER: Final = "admin"
_LOOPBACK: Final = "127.0.0.1"
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")
_PORTS: Final = 100  # so many are tried, from the wanted one on
_TASKS: Final = 10_000  # that are remembered
_WORKERS: Final = 100
_DEAF_SECONDS: Final = 0.5  # between two tries to hear: what workers tell meanwhile is lost to Flower, not to the ledger
_COLUMNS: Final = "name,args,result,state,received,started,runtime,worker,uuid"

_log = structlog.get_logger()


def serve(settings: Settings, presence: Presence, save_seconds: float = 15.0) -> NoReturn:
    """Serves until SIGTERM or Ctrl-C; the address stands in `HOME/run/flower.url` then, the password in `HOME/secrets`.

    Pages are answered at once; `presence` tells ready while it hears the workers, too.
    `kill -9` costs no more history than that of the last `save_seconds`.
    """
    for noisy in ("tornado.access", "flower.inspector"):  # every refused page, and every question that a worker does not answer
        logging.getLogger(noisy).setLevel(logging.ERROR)
    folder = settings.layout.flower
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options.address = settings.flower_address
    options.basic_auth = [f"{USER}:{_password(settings)}"]
    options.persistent = True
    options.db = str(folder / "flower.db")
    options.state_save_interval = round(save_seconds * 1000)
    options.max_tasks = _TASKS
    options.max_workers = _WORKERS
    options.tasks_columns = _COLUMNS
    options.read_only = True  # it is for looking: what runs is the supervisor's to start and stop
    options.url_prefix = settings.flower_prefix
    loop = IOLoop.current()
    server = ClosedFlower(make_app(settings), loop, tell=lambda hears: presence.tell(ready=hears))
    port = _listen(server, settings.flower_port)
    write_secret(settings.layout.flower_address, _address(settings, port) + "\n")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.add_callback_from_signal(server.stop))
    server.start()  # returns after `stop`, which saves the history
    os._exit(0)  # its threads may still wait for a Redis that does not answer


class ClosedFlower(Flower):  # type: ignore[misc]  # Flower has no types
    """Answers 401 to whoever has no credentials, before any page is looked for: Flower itself leaves some of its pages open."""

    def __init__(self, app: Celery, loop: IOLoop, tell: Callable[[bool], None]) -> None:
        events = LastingEvents(
            app,
            loop,
            tell=tell,
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


class LastingEvents(Events):  # type: ignore[misc]  # Flower has no types
    """Hears events again within seconds after Redis came back; Flower's own would wait as long again as it was away."""

    def __init__(self, *args: Any, tell: Callable[[bool], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tell = tell
        self._fault = ""

    def run(self) -> NoReturn:
        while True:
            try:
                with self.capp.connection() as connection:
                    receiver = Receiver(connection, handlers={"*": self.on_event}, app=self.capp)
                    receiver.on_hearing = self._hears
                    receiver.capture(limit=None, timeout=None, wakeup=True)
            except Exception as error:
                if (said := self._explain(error)) != self._fault:  # once, not twice a second of an outage
                    self._fault = said
                    _log.warning("cannot hear what the workers do", error=type(error).__name__, advice=said)
            self._tell(False)
            time.sleep(_DEAF_SECONDS)

    def _hears(self) -> None:
        self._fault = ""
        self._tell(True)

    def _explain(self, error: Exception) -> str:
        try:
            require(self.capp)
        except BrokerError as refused:
            return str(refused)
        return explain(error)


class Receiver(EventReceiver):
    """Says when it has begun to hear: what workers tell before that is lost."""

    on_hearing: Callable[[], None]
    _rounds = 0

    def on_iteration(self) -> None:
        # Not in `on_consume_ready`: kombu subscribes within the first round, of a second at most.
        self._rounds += 1
        if self._rounds == 2:
            self.on_hearing()


def _address(settings: Settings, port: int) -> str:
    shown = _LOOPBACK if settings.flower_address in _EVERY_ADDRESS else settings.flower_address
    prefix = f"/{settings.flower_prefix}" if settings.flower_prefix else ""
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{prefix}"


def _password(settings: Settings) -> str:
    """Made once a home."""
    path = settings.layout.flower_password
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def _listen(server: Flower, wanted: int) -> int:
    """Binds the wanted port, or the next free one."""
    for port in range(wanted, min(wanted + _PORTS, 65_536)):
        options.port = port
        try:
            server.start_http_server()
            return port
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise SettingsError(f"No port is free from LUNGLINE_FLOWER_PORT on (tried {_PORTS}).")
