"""How fast the watcher takes files in, and in how much memory: measured on a home of its own, with the watcher as its own process."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imaging.phantoms import picture
from lungline import broker
from lungline.presence import live
from lungline.processes import own_command
from lungline.settings import Settings
from operations.bench.figures import BenchFigure, Part
from operations.bench.pictures import write_noted
from operations.own_stack import asking, settings_for, started, wait_for


@dataclass(frozen=True)
class IntakeCost:
    """What one intake took."""

    files: int
    seconds: float
    peak_rss_kib: float
    """Of the watcher; NaN where the system does not tell."""

    @property
    def files_per_second(self) -> float:
        """The quiet period included."""
        return self.files / self.seconds


def figures(count: int, broker_command: Callable[[Settings], list[str]]) -> list[BenchFigure]:
    """The intake of `count` files as figures; see `measure`."""
    taken_in = measure(count, broker_command)
    of = f"{count:,} small PNG files at once"
    return [
        BenchFigure.over(Part.INTAKE, of, "taken in", "files/s", [taken_in.files_per_second]),
        BenchFigure.over(Part.INTAKE, of, "the watcher's peak memory", "MiB", [taken_in.peak_rss_kib / 1024]),
    ]


def measure(count: int, broker_command: Callable[[Settings], list[str]]) -> IntakeCost:
    """Drops `count` small PNG files, all different, into an inbox at once, and waits until the database knows them all.

    They lie on the inbox's file system and are moved in as one folder; the clock starts before that, so the quiet period counts too.
    `broker_command` gives the command that starts a Redis server of its own for a home.

    Raises:
        StackError: the watcher ended, or took nothing in for a minute.
        BrokerError: this machine has no Redis or Valkey server.
    """
    with tempfile.TemporaryDirectory(prefix="lungline-bench-") as folder:
        settings = settings_for(Path(folder))
        write_noted(settings.layout.draft, [picture("xray", side=32)], count, "intake")
        with (
            started(broker_command(settings), settings, "redis", lambda: broker.answers(settings)),
            started(own_command("watch"), settings, "watch", lambda: live(settings.layout.run).get("watch", (0, False))[1]) as watcher,
            asking(settings) as ask,
        ):
            began = time.monotonic()
            settings.layout.draft.rename(settings.inbox / "draft")
            failure = f"The watcher did not take in all {count} files; see `lungline doctor`."
            wait_for(lambda: ask("SELECT count(*) FROM files"), count, watcher, failure)
            return IntakeCost(count, time.monotonic() - began, _peak_kib(watcher.pid))


def _peak_kib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1])
    return float("nan")
