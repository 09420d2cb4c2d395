"""Waiting that counts only while this process runs: after a pause (SIGSTOP, a machine that was suspended) nothing is late at once."""

import threading
from typing import Final

_STEP_SECONDS: Final = 1.0


def wait_running_time(event: threading.Event, seconds: float) -> bool:
    """As `event.wait(seconds)`, but a pause of this process counts as a second at most; whoever was to set it is given the rest.

    Steps are counted, not the time that went by: a clock would have moved on during the pause.
    """
    steps = int(seconds // _STEP_SECONDS)
    return any(event.wait(_STEP_SECONDS) for _ in range(steps)) or event.wait(seconds - steps * _STEP_SECONDS)
