"""A process that ends with whoever started it, however that ended."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int) -> None:
    """Ends this process when its parent ends. On Linux the kernel sees to it, too, as a library may keep threads from running."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    threading.Thread(target=_mind, args=(parent,), name="parent", daemon=True).start()


def kill_with_this_process() -> Callable[[], None] | None:
    """For `preexec_fn` of a program that is not ours: on Linux the kernel kills it when the thread that starts it ends.

    Returns:
        None where the system cannot do that.
    """
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl  # looked up before the fork, after which little is safe

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it ended before we could ask
            os._exit(1)

    return before_exec


def _mind(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
