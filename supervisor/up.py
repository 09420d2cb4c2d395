"""What `lungline up` does: makes the home, starts its processes, and attends to them until it is asked to stop."""

from contextlib import suppress
from functools import partial
from typing import Final

from db.migrate import upgrade
from jobs.app import make_app
from jobs.queues import require
from lungline import RESEARCH_USE, __version__, broker, log
from lungline.errors import BrokerError, SettingsError
from lungline.masked import masked
from lungline.presence import Presence
from lungline.processes import is_ready, own_command, own_processes
from lungline.settings import Settings, unknown
from lungline.temporary import describe_fault
from supervisor import own_broker
from supervisor.child import Child
from supervisor.display import Counter, open_display, say
from supervisor.supervisor import Supervisor

_TEND_SECONDS: Final = 0.5


def run(settings: Settings) -> None:
    """Runs everything on this machine until SIGTERM, SIGHUP or Ctrl-C; to be called from the main thread.

    Raises:
        AlreadyRunningError: another `up` runs on this home.
        SettingsError: a folder cannot be made, or the database is another installation's.
        BrokerError: this machine needs a Redis server of its own and has none.
    """
    log.configure("up", settings.log_format)
    make_folders(settings)
    presence = Presence.take(settings.layout.run, "up")
    for address in (settings.layout.flower_address, settings.layout.web_address):
        address.unlink(missing_ok=True)  # of an earlier `up`
    upgrade(settings)
    greet(settings)
    supervisor = Supervisor(settings.layout.run, settings.layout.logs)
    try:
        for child in children(settings):
            supervisor.add(child)
        presence.tell(ready=True)
        _attend(settings, supervisor)
        say("stopping ...")
    finally:
        supervisor.stop()
        presence.leave()
    say("stopped")


def make_folders(settings: Settings) -> None:
    """Makes home, store and inbox where they are not there yet.

    Raises:
        SettingsError: one cannot be made.
    """
    for name, folder in (("HOME", settings.home), ("STORE", settings.store), ("INBOX", settings.inbox)):
        try:
            # others, such as the PACS, write into the inbox alone; a folder that is there already keeps its mode
            folder.mkdir(parents=True, exist_ok=True, mode=0o777 if name == "INBOX" else 0o700)
        except OSError as error:
            raise SettingsError(f"LUNGLINE_{name} cannot be created ({type(error).__name__}): set it to another folder.") from None


def children(settings: Settings) -> list[Child]:
    """What `up` keeps alive, in the order of their start."""
    found = []
    if not settings.broker_url:
        found.append(Child("redis", lambda: own_broker.command(settings), base=True, probe=lambda: broker.answers(settings)))
    for name, arguments in own_processes(settings).items():
        found.append(Child(name, partial(own_command, *arguments)))
    return found


def greet(settings: Settings) -> None:
    """Says what runs where, and at once what is wrong: else only the logs of the processes would."""
    say(
        f"Lungline {__version__}. {RESEARCH_USE}",
        f"  inbox     {settings.inbox}",
        f"  database  {masked(settings.database_url)}",
        f"  logs      {settings.layout.logs}",
    )
    if settings.dicom_port is not None:
        say(f"  receiver  {settings.dicom_address} port {settings.dicom_port}, AE title {settings.dicom_ae_title}")
    for name in unknown():
        say(f"  {name} is not a setting and has no effect; see `lungline settings`")
    if settings.broker_url:
        try:
            require(make_app(settings))
        except BrokerError as error:  # it may be mended while the processes run
            say(f"  broker    cannot be used: {error}")
    if said := describe_fault():
        say(f"  {said}")


def _attend(settings: Settings, supervisor: Supervisor) -> None:
    """Keeps the processes alive and shows how it goes, until this process is asked to stop."""
    counter = Counter(settings.database_url)
    ready = False
    with open_display() as display:
        while supervisor.tend(_TEND_SECONDS):
            with suppress(OSError):  # whoever looked has gone; the work goes on
                if not ready and is_ready(settings):
                    ready = True
                    say(f"  Flower    {_flower(settings)}", f"  page      {_page(settings)}", "ready")
                display.show(counter.latest, ready=ready)


def _flower(settings: Settings) -> str:
    address = settings.layout.flower_address.read_text().strip()
    return f"{address} (user admin, password in {settings.layout.flower_password})"


def _page(settings: Settings) -> str:
    address = settings.layout.web_address.read_text().strip()
    password = settings.layout.web_password
    return f"{address} (user admin, password for the first log-in in {password})" if password.exists() else address
