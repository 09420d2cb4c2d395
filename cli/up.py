"""`lungline up`: everything that one machine needs, in the foreground, until it is stopped."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lungline import RESEARCH_USE, __version__

if TYPE_CHECKING:
    from rich.live import Live

    from cli.supervise import Child, Supervisor
    from lungline.settings import Settings

_Counts = dict[str, int | float | None]
_LINE_SECONDS: Final = 10  # at least so long between two lines of counts where there is no terminal


def up() -> None:
    """Start everything on this machine, and keep it running until Ctrl-C."""
    from cli.supervise import Supervisor
    from db.migrate import upgrade
    from lungline import log
    from lungline.presence import Presence
    from lungline.settings import load
    from lungline.temporary import trouble

    settings = load()
    log.configure("up")
    _make_folders(settings)
    presence = Presence.take(settings.layout.run, "up")
    settings.layout.flower_address.unlink(missing_ok=True)  # an earlier Flower's
    upgrade(settings)
    _say(*_welcome(settings))
    _warn_of_unknown()
    _warn_of_broker(settings)
    if said := trouble():
        _say(f"  {said}")
    supervisor = Supervisor(settings.layout.run, settings.layout.logs)
    try:
        for child in _children(settings):
            supervisor.add(child)
        presence.tell(ready=True)
        _attend(settings, supervisor)
        _say("stopping ...")
    finally:
        supervisor.stop()
        presence.leave()
    _say("stopped")


def _make_folders(settings: "Settings") -> None:
    from lungline.errors import SettingsError

    for name, folder in (("HOME", settings.home), ("STORE", settings.store), ("INBOX", settings.inbox)):
        try:
            # others, such as the PACS, write into the inbox alone; a folder that is there already keeps its mode
            folder.mkdir(parents=True, exist_ok=True, mode=0o777 if name == "INBOX" else 0o700)
        except OSError as error:
            raise SettingsError(f"LUNGLINE_{name} cannot be made ({type(error).__name__}): set it to a folder that can.") from None


def _children(settings: "Settings") -> "list[Child]":
    """In the order of their start."""
    from cli import broker
    from cli.processes import own_command, own_processes
    from cli.supervise import Child

    children = []
    if not settings.broker_url:
        children.append(Child("redis", lambda: broker.command(settings), base=True, probe=lambda: broker.answers(settings)))
    for name, arguments in own_processes(settings).items():
        children.append(Child(name, partial(own_command, *arguments)))
    return children


def _welcome(settings: "Settings") -> Sequence[str]:
    from cli.masked import masked

    return (
        f"Lungline {__version__}. {RESEARCH_USE}",
        f"  inbox     {settings.inbox}",
        f"  database  {masked(settings.database_url)}",
        f"  logs      {settings.layout.logs}",
    )


def _warn_of_unknown() -> None:
    from lungline.settings import unknown

    for name in unknown():
        _say(f"  {name} is no setting and changes nothing; see `lungline settings`")


def _warn_of_broker(settings: "Settings") -> None:
    """Says at once what a broker of the admin's refuses: else only the logs of the processes would. It may be mended while they run."""
    from jobs.app import make_app
    from jobs.queues import require
    from lungline.errors import BrokerError

    if settings.broker_url:
        try:
            require(make_app(settings))
        except BrokerError as error:
            _say(f"  broker    not usable: {error}")


def _attend(settings: "Settings", supervisor: "Supervisor") -> None:
    """Shows how it goes, until this process is asked to stop."""
    from rich.text import Text

    from cli.processes import is_ready

    counter = _Counter(settings.database_url)
    counter.start()
    lines = _Lines()
    ready = False
    with _live_line() as live:
        while supervisor.tend(0.5):
            with suppress(OSError):  # whoever looked has gone; the work goes on
                if not ready and is_ready(settings):
                    ready = True
                    _say(f"  Flower    {_flower(settings)}", "ready")
                if live:
                    live.update(Text(_sentence(counter.latest, ready=ready)), refresh=True)
                else:
                    lines.show(counter.latest)


@contextmanager
def _live_line() -> "Iterator[Live | None]":
    """One line at the bottom of the terminal, with all other output above it; None where there is no terminal."""
    from rich.console import Console
    from rich.live import Live

    from lungline import log

    console = Console()
    if not console.is_terminal:
        yield None
        return
    live = Live(console=console, auto_refresh=False, transient=True)
    live.start()
    log.configure("up")  # again, since `live` has taken over standard error
    try:
        yield live
    finally:
        with suppress(OSError):
            live.stop()


def _flower(settings: "Settings") -> str:
    address = settings.layout.flower_address.read_text().strip()
    return f"{address} (user admin, password in {settings.layout.secrets / 'flower.password'})"


class _Counter(threading.Thread):
    """Counts in a thread, so that a database that hangs does not keep the supervisor from its work."""

    def __init__(self, database_url: str) -> None:
        super().__init__(daemon=True)
        self.latest: _Counts | None = None
        self._database_url = database_url

    def run(self) -> None:
        from db.connect import connect
        from db.status import counts

        engine = connect(self._database_url)
        while True:
            try:
                self.latest = counts(engine)
            except Exception:  # whatever it is, this thread goes on counting
                self.latest = None
            time.sleep(1)


class _Lines:
    """Counts as log lines: when they have changed, and not too often."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._at = 0.0

    def show(self, counts: _Counts | None) -> None:
        import structlog

        shown = {name: count for name, count in (counts or {}).items() if name != "oldest_waiting_seconds"}
        if shown and shown != self._last and time.monotonic() - self._at >= _LINE_SECONDS:
            self._last, self._at = shown, time.monotonic()
            structlog.get_logger().info("counts", **shown)


def _sentence(counts: _Counts | None, *, ready: bool) -> str:
    state = "running" if ready else "starting"
    if counts is None:
        return f"{state} · the database does not answer" if ready else state
    said = " · ".join(f"{counts[name]} {name}" for name in ("files", "waiting", "reading", "done", "quarantined", "duplicates", "refused"))
    oldest = counts["oldest_waiting_seconds"]
    return f"{state} · {said}" + (f" · the oldest has waited {oldest:.0f} s" if oldest else "")


def _say(*lines: str) -> None:
    with suppress(OSError):  # the terminal may have gone
        print(*lines, sep="\n", flush=True)
