"""A process that ends with whoever started it, however that ended."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ends this process when its parent ends. On Linux the kernel sees to it, too, as a library may keep threads from running."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    threading.Thread(target=_mind, args=(parent,), name="parent", daemon=True).start()


def _mind(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
