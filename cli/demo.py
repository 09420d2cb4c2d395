"""`lungline demo`: drawn pictures on their way through a Lungline of their own, and what became of each."""

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from operations.drop import Dropped

_READ_SECONDS: Final = 60.0
_SYNTHETIC: Final = (
    "Every picture is synthetic, drawn by Lungline: its verdict says nothing about any patient, and little about the networks."
)


def demo() -> None:
    """Draw chest-like and other pictures, read them in a separate home (HOME/demo), and show what became of each."""
    from cli.output import notice
    from lungline.progress import say
    from lungline.settings import load
    from operations.demo_pictures import draw
    from operations.drop import drop_and_wait
    from operations.own_stack import StackError, running, settings_for

    settings = settings_for(load().layout.demo)
    drawn = draw(settings.layout.drawn)
    say(f"Drawing pictures into {settings.layout.drawn}. {_SYNTHETIC}")
    say("Starting a separate Lungline for them; your inbox and your scans are not touched.")
    with running(settings):
        dropped = drop_and_wait(settings, drawn, _READ_SECONDS)
    _print(dropped)
    say(
        f"{_SYNTHETIC}\nYou can look at the results again with LUNGLINE_HOME={settings.home}; delete that folder when you no longer "
        f"need them."
    )
    notice()
    if any(file.is_open for file in dropped):
        raise StackError(f"Not all pictures were read within {_READ_SECONDS:.0f} s; see the logs in {settings.layout.logs}.")


def _print(dropped: "list[Dropped]") -> None:
    from rich.console import Console
    from rich.table import Table

    from lungline.reasons import Reason

    sentences = {str(reason): reason.sentence for reason in Reason}
    read = Table("file", "verdict", title="Read", title_justify="left")
    turned_away = Table("file", "outcome", "reason", title="Without a finding", title_justify="left")
    for file in dropped:
        reason = file.detail.removeprefix("again: ").removeprefix("rejected, ")
        if (file.outcome == "done" and reason not in sentences) or file.outcome == "unpacked":
            read.add_row(file.name, file.detail)
        elif file.is_open:
            turned_away.add_row(file.name, "not done in time", "")
        else:
            turned_away.add_row(file.name, "rejected" if file.outcome == "done" else file.outcome, f"{reason}: {sentences[reason]}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(read)
    console.print(turned_away)
