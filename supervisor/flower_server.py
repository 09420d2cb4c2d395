"""Flower as Lungline runs it: behind a password, with a history that outlives it, for looking alone."""

import errno
import logging
import os
import secrets
import signal
from typing import Final, NoReturn

from flower.app import Flower
from flower.options import options
from tornado.ioloop import IOLoop

from jobs.app import make_app
from lungline.durable import create_text, replace_text
from lungline.errors import SettingsError
from lungline.presence import Presence
from lungline.settings import Settings
from supervisor.flower_app import ClosedFlower

_USER: Final = "admin"
_LOOPBACK: Final = "127.0.0.1"
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")
_PORTS: Final = 100  # so many are tried, from the wanted one on
_TASKS: Final = 10_000  # that are remembered
_WORKERS: Final = 100
_SAVE_SECONDS: Final = 15.0  # `kill -9` costs no more history than this
_COLUMNS: Final = "name,args,result,state,received,started,runtime,worker,uuid"


def serve(settings: Settings, presence: Presence, *, save_seconds: float = _SAVE_SECONDS) -> NoReturn:
    """Serves until SIGTERM or Ctrl-C; the address stands in `HOME/run/flower.url` then, the password in `HOME/secrets`.

    Pages are answered at once; `presence` says ready only while Flower hears the workers, too.

    Args:
        settings: of this home.
        presence: of the process `flower`.
        save_seconds: between two times that the history is saved.

    Raises:
        SettingsError: no port is free.
    """
    for noisy in ("tornado.access", "flower.inspector"):  # every refused page, and every question that a worker does not answer
        logging.getLogger(noisy).setLevel(logging.ERROR)
    folder = settings.layout.flower
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options.address = settings.flower_address
    options.basic_auth = [f"{_USER}:{_password(settings)}"]
    options.persistent = True
    options.db = str(folder / "flower.db")
    options.state_save_interval = round(save_seconds * 1000)
    options.max_tasks = _TASKS
    options.max_workers = _WORKERS
    options.tasks_columns = _COLUMNS
    options.read_only = True  # it is for looking: what runs is the supervisor's to start and stop
    options.url_prefix = settings.flower_prefix
    loop = IOLoop.current()
    server = ClosedFlower(make_app(settings), loop, report=lambda hears: presence.tell(ready=hears))
    port = _listen(server, settings.flower_port)
    replace_text(settings.layout.flower_address, _address(settings, port) + "\n", mode=0o600)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.add_callback_from_signal(server.stop))
    server.start()  # returns after `stop`, which saves the history
    os._exit(0)  # its threads may still wait for a Redis that does not answer


def _address(settings: Settings, port: int) -> str:
    shown = _LOOPBACK if settings.flower_address in _EVERY_ADDRESS else settings.flower_address
    prefix = f"/{settings.flower_prefix}" if settings.flower_prefix else ""
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{prefix}"


def _password(settings: Settings) -> str:
    """Made once a home."""
    path = settings.layout.flower_password
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        create_text(path, secrets.token_urlsafe(24) + "\n", mode=0o600)
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
