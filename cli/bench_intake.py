"""How fast the watcher takes files in, and in how much memory: measured on a home of its own, with the watcher as its own process."""

import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lungline.errors import LunglineError
from lungline.settings import PREFIX

_A_FOLDER = 1000  # files; as a PACS has a folder a study or day
_PATIENCE_SECONDS = 60.0  # without one more file taken in
_LOOK_SECONDS = 0.1


class StuckError(LunglineError):
    """The watcher takes no more files in."""


def measure(count: int) -> dict[str, float]:
    """Drops `count` small PNG files, all different, into an inbox at once, and waits until the ledger knows them all.

    They lie on the inbox's file system and are moved in as one folder; the clock starts before that, so the quiet period counts too.

    Returns:
        `files`, `seconds`, `files_per_second`, and `peak_rss_kib` of the watcher.

    Raises:
        StuckError: the watcher ended, or took nothing in for a minute.
        BrokerError: this machine has no Redis or Valkey server.
    """
    with tempfile.TemporaryDirectory(prefix="lungline-bench-") as folder:
        home = Path(folder)
        _make(home / "draft", count)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {f"{PREFIX}HOME": folder}
        with _broker(home, environment), _watcher(home, environment) as watcher:
            began = time.monotonic()
            (home / "draft").rename(home / "inbox" / "draft")
            _wait_for(home, watcher, count)
            seconds = time.monotonic() - began
            peak = _peak_kib(watcher.pid)
    return {"files": count, "seconds": seconds, "files_per_second": count / seconds, "peak_rss_kib": peak}


def _make(folder: Path, count: int) -> None:
    """One tiny picture, with another note in each file."""
    head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0))
    tail = _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(range(row, row + 32)) for row in range(32)))) + _chunk(b"IEND", b"")
    for number in range(count):
        path = folder / f"{number // _A_FOLDER:04}" / f"{number:07}.png"
        if number % _A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(head + _chunk(b"tEXt", b"Comment\0%d" % number) + tail)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@contextmanager
def _broker(home: Path, environment: dict[str, str]) -> Iterator[None]:
    from cli.broker import answers, command
    from lungline.settings import Settings

    settings = Settings(home=home)
    with _running(command(settings), environment, home / "redis.log") as process:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not answers(settings):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StuckError("Redis does not start; see `lungline doctor`.")
            time.sleep(_LOOK_SECONDS)
        yield


@contextmanager
def _watcher(home: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    from lungline.presence import live

    with _running([sys.executable, "-m", "cli", "watch"], environment, home / "watch.log") as process:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not live(home / "run").get("watch", (0, False))[1]:
            if process.poll() is not None or time.monotonic() > deadline:
                raise StuckError("The watcher does not start; see `lungline doctor`.")
            time.sleep(_LOOK_SECONDS)
        yield process


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    output: IO[bytes]
    with log.open("wb") as output:
        here = Path(__file__).resolve().parent.parent
        process = subprocess.Popen(command, env=environment, cwd=here, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(home: Path, watcher: "subprocess.Popen[bytes]", count: int) -> None:
    from sqlalchemy import func, select

    from db.connect import connect, read_only
    from db.tables import files

    engine = read_only(connect(f"sqlite:///{home / 'lungline.db'}"))
    known, since = -1, time.monotonic()
    try:
        while known < count:
            with engine.connect() as connection:
                now = int(connection.scalar(select(func.count()).select_from(files)) or 0)
            if now > known:
                known, since = now, time.monotonic()
            elif watcher.poll() is not None or time.monotonic() - since > _PATIENCE_SECONDS:
                raise StuckError(f"The watcher took in {known} of {count} files and no more; see `lungline doctor`.")
            time.sleep(_LOOK_SECONDS)
    finally:
        engine.dispose()


def _peak_kib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1])
    return float("nan")
