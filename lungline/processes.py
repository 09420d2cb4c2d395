"""Lungline's own processes: how each is started, and which of them are not ready for work."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lungline.settings import Settings


def own_command(*arguments: str) -> list[str]:
    """`lungline ARGUMENTS…`, by the Python that runs now."""
    # -P: a folder named like one of our packages, in the folder that this was started in, must not stand in for it
    return [sys.executable, "-P", "-m", "cli", *arguments]


def own_processes(settings: "Settings") -> Mapping[str, Sequence[str]]:
    """What `lungline up` starts of Lungline itself: each one's name and its arguments, in the order of their start."""
    slots = len(settings.devices.split(","))  # `auto` and `cpu` are one slot, too
    workers = {f"inference-{slot}": ("work", "inference", "--slot", str(slot)) for slot in range(slots)}
    receiver = {} if settings.dicom_port is None else {"receive": ("receive",)}
    asker = {"ask": ("work", "ask")} if settings.dicom_ask else {}
    sender = {"deliver": ("work", "deliver")} if settings.deliver_to else {}
    return {
        "watch": ("watch",),
        **receiver,
        **workers,
        **asker,
        **sender,
        "training": ("work", "training"),
        "flower": ("flower",),
        "web": ("web",),
    }


def not_ready(settings: "Settings", names: Sequence[str] = ()) -> list[str]:
    """Those of `names` that are not ready; without names, of what `lungline up` would start here, and of whatever else lives."""
    from lungline.presence import live

    now = live(settings.layout.run)
    own_broker = () if settings.broker_url else ("redis",)
    wanted = names or dict.fromkeys((*own_broker, *own_processes(settings), *now))
    return [name for name in wanted if not now.get(name, (0, False))[1]]


def is_ready(settings: "Settings", names: Sequence[str] = ()) -> bool:
    """Whether all of them are ready, and the broker answers; takes some seconds where that hangs."""
    from lungline import broker

    return not not_ready(settings, names) and broker.answers(settings)
