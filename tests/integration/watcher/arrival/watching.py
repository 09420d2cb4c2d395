"""The watcher as a process of its own, on a home whose parts may be put elsewhere."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cli.main import app
from imaging.phantoms import picture
from lungline.presence import live
from lungline.settings import PREFIX
from tests.corpus.files import noted, png
from tests.waiting import wait_for

PICTURE = png(picture("xray", 77, side=64))
_WATCH = """
from lungline.settings import load
from watcher.limits import Limits
from watcher.watch import run
run(load(), Limits(**{limits}))
"""


def different(number: int, size: int = 0) -> bytes:
    """Readable pictures, no two alike, of some bytes at least."""
    return noted(PICTURE, b"%d" % number + bytes(size))


class Watching:
    """A home whose inbox, store and database may be put elsewhere, and its watcher."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.inbox, self.store, self.database = home / "inbox", home / "store", home / "lungline.db"
        self.settings: dict[str, str] = {"QUIET_SECONDS": "0.2", "BROKER_URL": "redis://127.0.0.1:1/0"}
        self.prelude = ""
        self.limits: dict[str, float] = {}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        places = {"HOME": self.home, "INBOX": self.inbox, "STORE": self.store, "DATABASE_URL": f"sqlite:///{self.database}"}
        variables = {f"{PREFIX}{name}": str(value) for name, value in (places | self.settings).items()}
        return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | variables

    def start(self) -> None:
        script = f"{self.prelude}\n{_WATCH.format(limits=self.limits)}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.until(lambda: live(self.home / "run").get("watch", (0, False))[1], "watching")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def query(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def files(self) -> dict[str, int]:
        return dict(self.query("SELECT outcome, count(*) FROM files GROUP BY outcome"))

    def reasons(self) -> list[str]:
        return [row[0] for row in self.query("SELECT reason FROM quarantined_files ORDER BY reason")]

    def until(self, done: Callable[[], bool], what: str, seconds: float = 180) -> None:
        def happened() -> bool:
            assert self.process is None or self.process.poll() is None, "the watcher ended"
            return done()

        try:
            wait_for(happened, what, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.files()}, {self.reasons()}, {self.reconciles()}") from None

    def takes_in(self, **outcomes: int) -> None:
        """Waits until so many files were taken in, and checks that it stays at that, and that all is accounted for."""
        self.until(lambda: self.files() == outcomes, f"taken in {outcomes}")
        self.until(lambda: self.reconciles()[0] == 0, "accounted for")
        assert self.files() == outcomes

    def reconciles(self) -> tuple[int, str]:
        """Exit status of `lungline reconcile`, and what it says."""
        result = CliRunner().invoke(app, ["reconcile"], env=self.environment)
        return result.exit_code, result.output

    def bytes_in_store(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.store.glob("[0-9a-f][0-9a-f]/*/*"))
