"""GPUs: which of them a process is given, and whether it is there. TensorFlow counts only those that CUDA_VISIBLE_DEVICES names."""

import importlib.metadata
from pathlib import Path
from typing import Final

from lungline.errors import SettingsError

NODES: Final = Path("/dev")

KERAS_ON_CPU: Final = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
"""The environment of a process that only converts networks."""


def of_slot(devices: str, slot: int) -> str:
    """The device of a worker, out of LUNGLINE_DEVICES: `auto`, `cpu` or a GPU's number. More slots than GPUs take them in turn."""
    named = devices.split(",")
    return named[slot % len(named)]


def environment(device: str) -> dict[str, str]:
    """What a process must be given before it loads TensorFlow, so that it sees this device alone."""
    if device == "auto":
        return {}
    return {"CUDA_VISIBLE_DEVICES": "-1" if device == "cpu" else device}


def at_hand(nodes: Path = NODES) -> int:
    """How many GPUs TensorFlow may see on this machine, as far as that can be told without loading it: for NVIDIA's, each is a node."""
    return 0 if _is_of_cpus() else len(list(nodes.glob("nvidia[0-9]*")))


def check(setting: str, devices: str, nodes: Path = NODES) -> None:
    """Looks for the GPUs that a setting names, without loading TensorFlow; for `lungline doctor`.

    Raises:
        SettingsError: one is not there.
    """
    for device in devices.split(","):
        if device.isdigit() and int(device) >= at_hand(nodes):
            raise _missing(setting, device)


def require(setting: str, device: str) -> None:
    """Looks for the GPU that a setting names, in the process that was given it; takes seconds where a TensorFlow for GPUs is loaded.

    Raises:
        SettingsError: it is not there, or cannot be used.
    """
    if device.isdigit() and not _sees_gpu():
        raise _missing(setting, device)


def _sees_gpu() -> bool:
    if _is_of_cpus():
        return False
    from models.backend import sees_gpu

    return sees_gpu()


def _is_of_cpus() -> bool:
    """Whether the TensorFlow that is installed is the one without CUDA."""
    try:
        importlib.metadata.version("tensorflow-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _missing(setting: str, device: str) -> SettingsError:
    return SettingsError(
        f"{setting} names GPU {device}, but TensorFlow does not see that GPU: run `make setup GPU=1`, or set it to `auto` or `cpu`."
    )
