"""`lungline web`: the page as a process, on the port that is set or the next free one."""

import errno
import signal
import socket
from typing import Final

import structlog
import uvicorn

from lungline.durable import replace_text
from lungline.errors import LunglineError, SettingsError
from lungline.presence import Presence
from lungline.settings import Settings
from web.app import make_page
from web.site import Site

NAME: Final = "web"
_LOOPBACK: Final = "127.0.0.1"
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")
_PORTS: Final = 100  # so many are tried, from the wanted one on
_STOP_SECONDS: Final = 5
_CONNECTIONS_MAX: Final = 200
_BACKLOG: Final = 128

log = structlog.get_logger()


def serve(settings: Settings, presence: Presence) -> None:
    """Serves until SIGTERM or Ctrl-C; the address stands in `HOME/run/web.url` then, the first user's password in `HOME/secrets`.

    Args:
        settings: of this home.
        presence: of the process `web`.

    Raises:
        SettingsError: no port is free, or the address is not this machine's.
    """
    listening = _listen(settings)
    port = listening.getsockname()[1]
    site = Site(settings)

    def on_start() -> None:
        _open_database(site)
        replace_text(settings.layout.web_address, address_of(settings, port) + "\n", mode=0o600)
        presence.tell(ready=True)
        log.info("ready", port=port)

    config = uvicorn.Config(
        make_page(site, on_start),
        log_config=None,
        access_log=False,  # addresses of studies and scans are for their readers alone
        server_header=False,
        proxy_headers=bool(settings.web_proxies),
        forwarded_allow_ips=[proxy.strip() for proxy in settings.web_proxies.split(",") if proxy.strip()],
        limit_concurrency=_CONNECTIONS_MAX,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises anew what it was stopped by, once it has stopped
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listening])
    log.info("stopped")


def address_of(settings: Settings, port: int) -> str:
    """What a browser on this machine asks for."""
    shown = _LOOPBACK if settings.web_address in _EVERY_ADDRESS else settings.web_address
    prefix = f"/{settings.web_prefix}/" if settings.web_prefix else ""
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{prefix}"


def _open_database(site: Site) -> None:
    """So that the first user's password is there before anybody asks; if it cannot be opened now, the first request tries again."""
    try:
        site.database.engine()
    except (LunglineError, OSError) as error:
        log.error("the database cannot be opened; the page says so until it can", error=type(error).__name__)


def _listen(settings: Settings) -> socket.socket:
    """Binds the wanted port, or the next free one."""
    family = socket.AF_INET6 if ":" in settings.web_address else socket.AF_INET
    for port in range(settings.web_port, min(settings.web_port + _PORTS, 65_536)):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.web_address, port))
            listening.listen(_BACKLOG)
            return listening
        except OSError as error:
            listening.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise SettingsError("LUNGLINE_WEB_ADDRESS is not an address of this machine.") from None
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise SettingsError(f"No port is free from LUNGLINE_WEB_PORT on (tried {_PORTS}).")
