"""Where the `lungline` command begins: `status` takes a short way, since its answer is due within 5 s on a machine that is busy, too."""

import os
import sys
import time
from pathlib import Path

_STATUS_SECONDS = 4.5  # from the start of the process: the rest is for printing and for whoever waits
_JSON = "--json"


def main() -> None:
    """Runs the command line."""
    command, *arguments = sys.argv[1:] or [""]
    if command == "status" and all(word == _JSON or not word.startswith("-") for word in arguments):
        _print_status([word for word in arguments if word != _JSON], in_one_line=_JSON in arguments or not _is_terminal())
    from cli.main import main as run

    run()


def _print_status(processes: list[str], *, in_one_line: bool) -> None:
    """Prints and ends this process; returns if that cannot be done, so that the long way tells why."""
    from operations.status import find_status

    try:
        status = find_status(processes, time.monotonic() + _STATUS_SECONDS - _age())
    except Exception:
        return
    try:
        print(status.as_json(indent=None if in_one_line else 2), flush=True)
    except OSError:  # whoever asked has gone
        os._exit(1)
    os._exit(0 if status.ready else 1)  # what hangs in a thread would keep this process


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: whoever started this closed it


def _age() -> float:
    """For how many seconds this process has run, its interpreter's start included; 0 where the system does not tell."""
    try:
        began = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
