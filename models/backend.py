"""Imports Keras once, quiet, and with as many threads as this process may use. Only models/ and training/ import this, and late."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Final

# What TensorFlow's libraries print at their import, each for itself, whatever TF_CPP_MIN_LOG_LEVEL says.
_GREETING: Final = re.compile(rb"before absl::InitializeLog\(\) is called|oneDNN custom operations are on")


def _cores() -> int:
    """Cores that this process may run on; TensorFlow would otherwise count those of the whole machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


# TensorFlow reads these once, at its import. What the admin has set stays.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(_cores()))
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@contextmanager
def without_greeting() -> Iterator[None]:
    """Keeps TensorFlow's greeting from standard error. All else that is written there meanwhile, by any thread, comes after it."""
    with ExitStack() as stack:
        with suppress(OSError):  # a full disk, or no standard error: then nothing is kept from it
            said = stack.enter_context(tempfile.TemporaryFile())
            kept = os.dup(2)
            stack.callback(_give_back, kept, said)
            os.dup2(said.fileno(), 2)
        yield


def _give_back(kept: int, said: IO[bytes]) -> None:
    os.dup2(kept, 2)
    os.close(kept)
    said.seek(0)
    with suppress(OSError):
        os.write(2, b"".join(line for line in said if not _GREETING.search(line)))


with without_greeting():
    import keras

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its warnings are advice on how to write networks

__all__ = ["jit", "keras", "sees_gpu", "without_greeting"]


def sees_gpu() -> bool:
    """Whether there is a GPU that this process may use, and can."""
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX's way of saying none
        return False


def jit() -> bool:
    """Whether networks are compiled by XLA: JAX needs it; on TensorFlow's CPU it is slower than oneDNN and recompiles for each shape."""
    return bool(keras.backend.backend() == "jax")
