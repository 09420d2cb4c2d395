"""Lungline as its users have it: a home, the `lungline` command, an inbox, and a database to query."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.networks import lend
from tests.waiting import wait_for

LUNGLINE = Path(sys.executable).with_name("lungline")
READY_SECONDS = 150.0  # a promise of 60 s is not tested on a machine that runs other tests beside


class Stack:
    """One home. Knows only the contract: commands, settings, inbox, views."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.settings = settings
        self._up: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LUNGLINE_")}
        return plain | {"LUNGLINE_HOME": str(self.home)} | {f"LUNGLINE_{name}": value for name, value in self.settings.items()}

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def store(self) -> Path:
        return self.home / "store"

    def run(self, *arguments: str | Path, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Any command, to its end."""
        command = [str(LUNGLINE), *map(str, arguments)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout)

    def up(self) -> None:
        """Starts everything and waits until it is ready."""
        lend(self.home / "cache" / "networks")
        self._up = subprocess.Popen(
            [str(LUNGLINE), "up"],
            env=self.environment,
            cwd=self._odd_folder(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        self.until(lambda: self.status()["ready"], READY_SECONDS, "ready")

    def _odd_folder(self) -> Path:
        """Not the clone: one that holds folders named like Lungline's packages, as a user's home does."""
        folder = self.home.parent / "elsewhere"
        for name in ("lungline", "cli", "imaging", "models"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return folder

    def down(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stops `up` as an admin does; its exit status and all that it printed."""
        assert self._up is not None
        self._up.send_signal(how)
        said, _ = self._up.communicate(timeout=40)
        return self._up.returncode, said

    def end(self) -> None:
        """Stops what still runs, however the test ended."""
        if self._up is not None and self._up.poll() is None:
            self.down()

    def kill(self, name: str) -> None:
        """SIGKILL to a process by the name that `status` gives it."""
        os.kill(self.status()["processes"][name], signal.SIGKILL)

    def forget(self) -> None:
        """`up` was killed."""
        assert self._up is not None
        self._up.communicate(timeout=20)
        self._up = None

    def status(self) -> dict[str, Any]:
        """What `lungline status` says, asked anew while the machine is too busy to count within its 5 s."""
        said: dict[str, Any] = {}
        for _ in range(10):
            said = json.loads(self.run("status").stdout)
            if said["files"] is not None:
                break
        return said

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits for something to become true."""
        try:
            wait_for(done, what, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.run('status').stdout}") from None

    def await_verdicts(self, files: int, seconds: float = 120) -> dict[str, Any]:
        """Waits until so many files were taken in and none waits; the counts."""

        def done() -> bool:
            counts = self.status()
            return bool(counts["files"] == files and counts["waiting"] == counts["reading"] == 0)

        self.until(done, seconds, f"settled at {files} files")
        return self.status()

    def query(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """What an analyst would ask."""
        engine = create_engine(self.settings.get("DATABASE_URL", f"sqlite:///{self.home / 'lungline.db'}"))
        try:
            with engine.connect() as connection:
                return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]
        finally:
            engine.dispose()

    def reasons(self) -> dict[str, str]:
        """Name in the store -> reason, of everything turned away and not released."""
        rows = [json.loads(line) for line in self.run("quarantine", "list", "--json").stdout.splitlines()]
        return {name: str(row["reason"]) for row in rows for name in row["names"]}

    def has_all_accounted(self) -> None:
        """Asserts that nothing is lost or doubled, as `reconcile` and the views tell."""
        result = self.run("reconcile")
        assert result.returncode == 0, result.stdout
        doubled = self.query("SELECT scan_id FROM scan_results GROUP BY scan_id HAVING count(*) > 1")
        assert doubled == []
        assert len(self.query("SELECT scan_id FROM scan_results")) == self.status()["done"]


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that were started for this home."""
    mark = f"LUNGLINE_HOME={home}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
