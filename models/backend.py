"""Imports Keras once, quiet, and with as many threads as this process may use. Only models/ and training/ import this, and late."""

import os
import sys


def _cores() -> int:
    """Cores that this process may run on; TensorFlow would otherwise count those of the whole machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


# TensorFlow reads these once, at its import. What the admin has set stays.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(_cores()))
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import keras  # noqa: E402

__all__ = ["jit", "keras"]


def jit() -> bool:
    """Whether networks are compiled by XLA: JAX needs it; on TensorFlow's CPU it is slower than oneDNN and recompiles for each shape."""
    return bool(keras.backend.backend() == "jax")
