"""The life of one reader process of imaging/isolate.py: one task after the other, within limits, until its owner is gone."""

import fcntl
import importlib
import multiprocessing
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2

from lungline.errors import UnreadableScan
from lungline.reasons import Reason


def serve(pipe: Connection, function: str, memory_bytes: int) -> None:
    """Says that it is ready, then answers each pickled tuple of arguments with a pickled (kind, value) until the pipe ends.

    Kinds: value, with what the function returned; unreadable, with reason and detail; failed, with the name of another exception.
    """
    _apply_limits()
    _die_with_owner()
    module, _, name = function.partition(":")
    task: Callable[..., Any] = getattr(importlib.import_module(module), name)
    cv2.setNumThreads(1)  # the pool's children share the cores
    _limit(memory_bytes)
    pipe.send_bytes(b"ready")
    while True:
        try:
            request = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        pipe.send_bytes(_answer(task, request))


def _answer(task: Callable[..., Any], request: bytes) -> bytes:
    try:
        return pickle.dumps(("value", task(*pickle.loads(request))), protocol=5)
    except UnreadableScan as error:
        return pickle.dumps(("unreadable", (error.reason, error.detail)))
    except MemoryError:
        return pickle.dumps(("unreadable", (Reason.TOO_LARGE, "")))
    except Exception as error:  # its words may quote the file
        return pickle.dumps(("failed", type(error).__name__))


def _apply_limits() -> None:
    """Deaf to what stops the owner, silent, and without a core file, which would hold a patient's image."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)


def _die_with_owner() -> None:
    """Has the kernel send SIGIO, which nobody handles and so ends this process, when the owner's end of the sentinel pipe closes.

    A thread that watched it could not act while a library holds the interpreter's lock, and the parent-death signal (prctl) looks at the
    fork server, which lives as long as any of its children.
    """
    owner = multiprocessing.parent_process()
    assert owner is not None
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(owner.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(owner.sentinel, fcntl.F_SETFL, fcntl.fcntl(owner.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if not owner.is_alive():  # it ended before the kernel was told
        sys.exit()


def _limit(memory_bytes: int) -> None:
    """Bounds the address space, which also counts what libraries have mapped already."""
    if sys.platform != "linux":  # macOS does not hold processes to it
        return
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes,) * 2)
