"""What a reader may do to its process; run in the children of a ReaderPool."""

import ctypes
import os
import sys
import time

import cv2
import numpy as np
import numpy.typing as npt

from lungline.errors import UnreadableScan
from lungline.reasons import Reason


def act(kind: str, number: int = 0) -> int | npt.NDArray[np.float32]:
    """Squares `number`, unless it is told to go wrong."""
    match kind:
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(3600)
        case "hang in C":
            ctypes.PyDLL(None).sleep(3600)  # holds the interpreter's lock
        case "memory":
            return np.ones(2**30, np.float32)
        case "unreadable":
            raise UnreadableScan(Reason.NO_PIXELS, "Our own words.")
        case "bug":
            raise ValueError("Plantagenet^Zebedee")
        case "shout":
            print("Plantagenet^Zebedee")
            print("Plantagenet^Zebedee", file=sys.stderr)
            os.write(2, b"Plantagenet^Zebedee\n")
        case "tensor":
            return np.full((512, 512), number, np.float32)
        case "pid":
            return os.getpid()
        case "threads":
            return cv2.getNumThreads()
        case "wait":
            time.sleep(0.3)
    return number * number
