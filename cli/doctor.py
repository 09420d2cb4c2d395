"""`lungline doctor`: looks at everything that Lungline stands on, and says what to do about what is wrong."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings

_PACKAGES = ("celery", "kombu", "redis", "flower", "sqlalchemy", "alembic", "keras", "tensorflow", "tensorflow-cpu", "numpy", "pydicom")
_LEAST_FREE = 5 << 30  # bytes
_FEW_WATCHES = 8192


def doctor() -> None:
    """Check versions, settings, folders, database, broker and models; exit 1 if something is wrong."""
    from lungline.errors import LunglineError
    from lungline.settings import load

    settings = load()
    wrong = 0
    machine: tuple[Check, ...] = (_versions, _environment, _devices, _folders, _temporary, _watches)
    installed: tuple[Check, ...] = (_key, _database, _broker, _processes, _models)
    for check in (*machine, *installed, _recipes, _training_data, _weights, _last_run):
        try:
            for sentence in check(settings):
                print(f"ok     {sentence}")
        except LunglineError as error:
            wrong += 1
            print(f"WRONG  {error}")
        except Exception as error:  # its words may quote an address or a path; the other checks are still worth making
            wrong += 1
            print(f"WRONG  the check of {check.__name__.strip('_')} failed unexpectedly ({type(error).__name__})")
    raise typer.Exit(1 if wrong else 0)


Check = Callable[["Settings"], Iterator[str]]


def _versions(_: "Settings") -> Iterator[str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from lungline import __version__

    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield f"Lungline {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield ", ".join(found)


def _environment(_: "Settings") -> Iterator[str]:
    from lungline.errors import SettingsError
    from lungline.settings import unknown

    if slips := unknown():
        raise SettingsError(f"{', '.join(slips)}: no such setting, so it changes nothing; see docs/settings.md.")
    yield "no unknown LUNGLINE_* in the environment"


def _devices(settings: "Settings") -> Iterator[str]:
    from models import devices
    from models.runtimes.choice import RuntimeChoice

    devices.check("LUNGLINE_TRAINING_DEVICE", settings.training_device)
    runtime = RuntimeChoice.of(settings).choice
    if runtime == "keras":  # nothing else runs on a GPU
        devices.check("LUNGLINE_DEVICES", settings.devices)
    yield f"devices: {settings.devices} for reading, {settings.training_device} for training; {devices.at_hand()} GPUs for TensorFlow"


def _folders(settings: "Settings") -> Iterator[str]:
    import os
    import shutil

    from lungline import filesystems
    from lungline.errors import SettingsError

    for name, folder in (("INBOX", settings.inbox), ("STORE", settings.store)):
        if not folder.is_dir():
            yield f"LUNGLINE_{name} is not there yet; `lungline up` makes it"
            continue
        writable = name == "INBOX" and settings.intake == "leave"
        if not os.access(folder, os.R_OK | os.X_OK | (0 if writable else os.W_OK)):
            raise SettingsError(f"LUNGLINE_{name} may not be read and written by this user.")
        free = shutil.disk_usage(folder).free
        if free < _LEAST_FREE:
            raise SettingsError(f"LUNGLINE_{name} lies on a disk with {free >> 20} MiB left: make room.")
        yield f"LUNGLINE_{name}: {filesystems.kind(folder) or 'unknown'} file system, {free >> 30} GiB free"
    if settings.inbox.is_dir() and settings.store.is_dir() and settings.inbox.stat().st_dev != settings.store.stat().st_dev:
        yield "inbox and store lie on two file systems: each file is copied instead of moved"
    if settings.home in settings.inbox.parents and settings.home.is_dir() and not settings.home.stat().st_mode & 0o011:
        yield "inbox: lies below LUNGLINE_HOME, which this user alone may enter; set LUNGLINE_INBOX for a PACS with an account of its own"


def _temporary(_: "Settings") -> Iterator[str]:
    import tempfile

    from imaging.isolate import SOCKET_BYTES
    from lungline.errors import SettingsError
    from lungline.temporary import folder_for_sockets, trouble

    if said := trouble():
        raise SettingsError(said)
    usual, sockets = tempfile.gettempdir(), folder_for_sockets(SOCKET_BYTES)
    yield f"temporary files: in {usual}" + ("" if str(sockets) == usual else f"; sockets, for which its path is too long, in {sockets}")


def _key(settings: "Settings") -> Iterator[str]:
    from lungline.errors import SettingsError

    if not settings.key_file.exists():
        yield "LUNGLINE_KEY_FILE is not there yet; `lungline up` makes it"
        return
    if settings.key_file.stat().st_mode & 0o077:
        raise SettingsError("LUNGLINE_KEY_FILE may be read by others: chmod 600.")
    yield "pseudonym key: mode 0600; keep a copy of it apart from the database"


def _database(settings: "Settings") -> Iterator[str]:
    from db.migrate import HEAD, open_database

    engine = open_database(settings)
    yield f"database: {engine.dialect.name}, at version {HEAD}, written with this key"


def _broker(settings: "Settings") -> Iterator[str]:
    from jobs.app import make_app
    from jobs.kinds import KINDS, queues_of
    from jobs.queues import may_ask_for_run, queue_lengths, require
    from lungline.broker import address_of
    from lungline.errors import SettingsError

    try:
        settings.broker  # noqa: B018
    except SettingsError:
        yield "broker: none set; `lungline up` starts its own"
        return
    if not settings.broker_url and "redis" not in _live(settings):
        yield "broker: our own, not running now; `lungline up` starts it"
        return
    app = make_app(settings)
    require(app)
    lengths = queue_lengths(app, queues_of(KINDS))
    yield "broker: answers; " + ", ".join(f"{length} in `{queue}`" for queue, length in lengths.items())
    if not may_ask_for_run(app):
        yield "broker: its account may not ask INFO; what a restarted Redis lost is rung again after 10 s instead of at once"
    address = address_of(settings)
    if address.is_unverified:
        yield "broker: TLS without a check of its certificate, as LUNGLINE_BROKER_URL asks for: whoever is between can read the password"
    elif address.tls:
        yield "broker: TLS, its certificate and host are checked"


def _processes(settings: "Settings") -> Iterator[str]:
    from lungline.errors import SettingsError
    from lungline.processes import not_ready

    processes = _live(settings)
    if not processes:
        yield "processes: none runs; `lungline up` starts them"
        return
    # without `up`, a service manager decides what runs on this host
    if lame := not_ready(settings, () if "up" in processes else list(processes)):
        raise SettingsError(
            f"Processes run, but not ready: {', '.join(lame)}. If it stays so, look into {settings.layout.logs}, or the journal."
        )
    yield f"processes: {len(processes)} run, all ready"


def _live(settings: "Settings") -> dict[str, tuple[int, bool]]:
    from lungline.presence import live

    return live(settings.layout.run)


def _models(settings: "Settings") -> Iterator[str]:
    from db import versions
    from db.migrate import open_database
    from lungline import log
    from lungline.layout import Store
    from models import pose, registry
    from models.runtimes.choice import RuntimeChoice
    from workers import catalogue

    log.configure("doctor")  # to standard error: what is passed over
    models, choice = Store(settings.store).models, RuntimeChoice.of(settings)
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, models)
        champions = [registry.find(version, models) for version in versions.champions(connection).values()]
    for files in champions:
        by = ", ".join(f"{place.member.version} by {choice.describe(place)}" for place in files.places)
        yield f"model {files.version}: files whole; {by}"
    yield f"network {pose.shipped().version}, which knows how a picture lies: files whole"


def _recipes(settings: "Settings") -> Iterator[str]:
    from lungline.errors import SettingsError, TrainingError
    from training.retraining import recipe_choice

    named = recipe_choice.names_in(settings.retrain_recipes)
    if not named:
        yield "retraining: by the recipes that made the champions"
        return
    try:
        names = recipe_choice.chosen(named, {})
    except TrainingError as error:
        raise SettingsError(f"LUNGLINE_RETRAIN_RECIPES: {error}") from None
    yield f"retraining: by {', '.join(names)}"


def _training_data(settings: "Settings") -> Iterator[str]:
    import os

    from lungline.errors import SettingsError

    if settings.training_data is None:
        yield "LUNGLINE_TRAINING_DATA is not set; a retraining learns from imported labels alone"
        return
    if not os.access(settings.training_data / "manifest.csv", os.R_OK):
        raise SettingsError("LUNGLINE_TRAINING_DATA holds no manifest.csv that this user may read; `lungline data build` makes one.")
    yield "LUNGLINE_TRAINING_DATA: holds a manifest.csv"


def _weights(settings: "Settings") -> Iterator[str]:
    import os

    from lungline.errors import SettingsError

    if settings.weights_dir is None:
        yield "LUNGLINE_WEIGHTS_DIR is not set; a recipe that needs ImageNet weights downloads them"
        return
    if not (os.access(settings.weights_dir, os.R_OK | os.X_OK) and settings.weights_dir.is_dir()):
        raise SettingsError("LUNGLINE_WEIGHTS_DIR is no folder that this user may read: make it, or leave it unset.")
    found = len(list(settings.weights_dir.glob("*_notop.weights.h5")))
    yield f"LUNGLINE_WEIGHTS_DIR: {found} files of ImageNet weights"


def _last_run(settings: "Settings") -> Iterator[str]:
    from db import runs
    from db.connect import read_only
    from db.migrate import open_database

    with read_only(open_database(settings)).connect() as connection:
        last = runs.latest(connection)
    if last is None:
        yield "last training run: none yet"
    else:
        why = f": {last['reason']} See docs/retraining.md" if last["state"] == "failed" else ""
        yield f"last training run: {last['state']}{why}"


def _watches(settings: "Settings") -> Iterator[str]:
    from pathlib import Path

    from lungline import filesystems

    limit = Path("/proc/sys/fs/inotify/max_user_watches")
    if settings.observer == "polling" or filesystems.is_remote(settings.inbox) or not limit.exists():
        yield "inbox: polled every 2 s"
        return
    watches = int(limit.read_text())
    few = "; few for a deep inbox: raise fs.inotify.max_user_watches" if watches < _FEW_WATCHES else ""
    yield f"inbox: inotify, {watches} watches at most{few}; walked every minute besides"
