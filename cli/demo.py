"""`lungline demo`: drawn pictures on their way through a Lungline of their own, and what became of each."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lungline.errors import LunglineError

if TYPE_CHECKING:
    from cli.drop import Dropped
    from lungline.settings import Settings

_KEPT: Final = ("DEVICES", "ENGINE", "BATCH_MAX")  # settings of the machine; all others would lead to real scans
_READY_SECONDS: Final = 100.0
_READ_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_SYNTHETIC: Final = "Every picture is synthetic, drawn by Lungline: its verdict says nothing about anyone, and little about the networks."


class DemoError(LunglineError):
    """The demo did not come to its end."""


def demo() -> None:
    """Draw chest-like pictures and strangers, drop them into a home of their own (HOME/demo), and show what became of each."""
    from cli.demo_pictures import draw
    from cli.drop import drop_and_wait
    from cli.output import notice
    from lungline.progress import say

    settings = _own_home()
    drawn = draw(settings.home / "drawn")
    say(f"Pictures are drawn into {settings.home / 'drawn'}. {_SYNTHETIC}")
    say("Starting a Lungline of their own; your inbox and your scans are not touched.")
    with _running(settings):
        dropped = drop_and_wait(settings, drawn, _READ_SECONDS)
    _print(dropped)
    say(f"{_SYNTHETIC}\nAll of it can be looked at again with LUNGLINE_HOME={settings.home}, and deleted with that folder.")
    notice()
    if any(one.is_open for one in dropped):
        raise DemoError(f"Not all were read within {_READ_SECONDS:.0f} s; see the logs in {settings.logs}.")


def _own_home() -> "Settings":
    """Settings for HOME/demo, for this process and those that it starts."""
    from lungline.settings import PREFIX, load

    home = load().home / "demo"
    for name in [name for name in os.environ if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _KEPT]:
        del os.environ[name]
    os.environ[f"{PREFIX}HOME"] = str(home)
    return load()


@contextmanager
def _running(settings: "Settings") -> Iterator[None]:
    """`lungline up` on that home, ready while the block runs, and stopped after it."""
    from cli.supervise import die_with

    settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = settings.logs / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the other
            preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
        )
    try:
        _wait_until_ready(settings, up, log)
        yield
    finally:
        up.terminate()
        try:
            up.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


def _wait_until_ready(settings: "Settings", up: "subprocess.Popen[bytes]", log: Path) -> None:
    from cli.up import is_ready

    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(settings):
        if up.poll() is not None or time.monotonic() > deadline:
            raise DemoError(f"Lungline did not get ready; see {log}, and `lungline doctor`.")
        time.sleep(0.2)


def _print(dropped: "list[Dropped]") -> None:
    from rich.console import Console
    from rich.table import Table

    from lungline.reasons import Reason

    sentences = {str(reason): reason.sentence for reason in Reason}
    read = Table("file", "verdict", title="Read", title_justify="left")
    turned_away = Table("file", "what became of it", "why", title="Turned away", title_justify="left")
    for one in dropped:
        reason = one.detail.removeprefix("again: ").removeprefix("rejected, ")
        if one.outcome == "done" and reason not in sentences:
            read.add_row(one.name, one.detail)
        elif one.is_open:
            turned_away.add_row(one.name, "not done in time", "")
        else:
            turned_away.add_row(one.name, "rejected" if one.outcome == "done" else one.outcome, f"{reason}: {sentences[reason]}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(read)
    console.print(turned_away)
