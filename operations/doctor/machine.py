"""What `lungline doctor` looks at on the machine: versions, environment, devices, folders, temporary files, inotify."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from lungline import __version__, filesystems
from lungline.errors import SettingsError
from lungline.settings import Settings, unknown
from lungline.temporary import describe_fault, folder_for_sockets

_PACKAGES: Final = (
    "celery",
    "kombu",
    "redis",
    "flower",
    "sqlalchemy",
    "alembic",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "numpy",
    "pydicom",
)
_LEAST_FREE: Final = 5 << 30  # bytes
_FEW_WATCHES: Final = 8192


def check_versions(_: Settings) -> Iterator[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield f"Lungline {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield ", ".join(found)


def check_environment(_: Settings) -> Iterator[str]:
    if slips := unknown():
        raise SettingsError(f"{', '.join(slips)}: there is no such setting, so it has no effect; see docs/settings.md.")
    yield "no unknown LUNGLINE_* in the environment"


def check_devices(settings: Settings) -> Iterator[str]:
    from models import devices
    from models.runtimes.choice import RuntimeChoice

    devices.check("LUNGLINE_TRAINING_DEVICE", settings.training_device)
    runtime = RuntimeChoice.of(settings).choice
    if runtime == "keras":  # nothing else runs on a GPU
        devices.check("LUNGLINE_DEVICES", settings.devices)
    yield f"devices: {settings.devices} for reading, {settings.training_device} for training; {devices.at_hand()} GPUs for TensorFlow"


def check_folders(settings: Settings) -> Iterator[str]:
    for name, folder in (("INBOX", settings.inbox), ("STORE", settings.store)):
        if not folder.is_dir():
            yield f"LUNGLINE_{name} does not exist yet; `lungline up` creates it"
            continue
        is_only_read = name == "INBOX" and settings.intake == "leave"
        if not os.access(folder, os.R_OK | os.X_OK | (0 if is_only_read else os.W_OK)):
            raise SettingsError(f"LUNGLINE_{name} cannot be read and written by this user: change its permissions.")
        free = shutil.disk_usage(folder).free
        if free < _LEAST_FREE:
            raise SettingsError(f"LUNGLINE_{name} is on a disk with only {free >> 20} MiB left: free some space.")
        yield f"LUNGLINE_{name}: {filesystems.kind(folder) or 'unknown'} file system, {free >> 30} GiB free"
    if settings.inbox.is_dir() and settings.store.is_dir() and settings.inbox.stat().st_dev != settings.store.stat().st_dev:
        yield "inbox and store are on two file systems: each file is copied instead of moved"
    if settings.home in settings.inbox.parents and settings.home.is_dir() and not settings.home.stat().st_mode & 0o011:
        yield "inbox: below LUNGLINE_HOME, which only this user can enter; for a PACS with an account of its own, set "
        "LUNGLINE_INBOX to another folder"


def check_temporary(_: Settings) -> Iterator[str]:
    from imaging.isolate import SOCKET_BYTES

    if said := describe_fault():
        raise SettingsError(said)
    usual, sockets = tempfile.gettempdir(), folder_for_sockets(SOCKET_BYTES)
    yield f"temporary files: in {usual}" + ("" if str(sockets) == usual else f"; sockets in {sockets}, as that path is too long for them")


def check_watches(settings: Settings) -> Iterator[str]:
    limit = Path("/proc/sys/fs/inotify/max_user_watches")
    if settings.observer == "polling" or filesystems.is_remote(settings.inbox) or not limit.exists():
        yield "inbox: polled every 2 s"
        return
    watches = int(limit.read_text())
    few = "; few for a deep inbox: raise fs.inotify.max_user_watches" if watches < _FEW_WATCHES else ""
    yield f"inbox: inotify, {watches} watches at most{few}; also walked every minute"
