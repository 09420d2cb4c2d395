"""What `lungline bench` does: times the parts that were asked for, on drawn pictures in homes of their own."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from lungline.settings import Settings
from operations.bench.figures import BenchFigure, Part


def measure(parts: Collection[Part], rounds: int, files: int, broker_command: Callable[[Settings], list[str]]) -> list[BenchFigure]:
    """Times the named parts. Takes minutes, and changes this process's settings.

    Args:
        parts: what to time.
        rounds: how often each way is timed, in turn with the others.
        files: how many files the intake takes in.
        broker_command: gives the command that starts a Redis server of its own for a home.

    Raises:
        StackError: a Lungline of its own did not start, or did not do all that was asked of it.
        BrokerError: this machine has no Redis or Valkey server.
    """
    figures: list[BenchFigure] = []
    with tempfile.TemporaryDirectory(prefix="lungline-bench-") as folder:
        # imported here, since the intake needs no network library, which takes seconds to load
        if Part.NETWORKS in parts:
            from operations.bench import networks

            figures += networks.measure(Path(folder), rounds)
        if Part.FLOW in parts:
            from operations.bench import flow

            figures += flow.measure(Path(folder), rounds)
        if Part.TRAINING in parts:
            from operations.bench import training

            figures += training.measure(Path(folder), rounds)
        if Part.INTAKE in parts:
            from operations.bench import intake

            for count in dict.fromkeys((max(1, files // 10), files)):  # the watcher's memory must not grow with the number of files
                figures += intake.figures(count, broker_command)
        if Part.SERIES in parts:
            from operations.bench import ct_series

            figures += ct_series.measure(Path(folder), rounds)
        if Part.VIEWS in parts:
            from operations.bench import archive

            figures += archive.measure(Path(folder), rounds)
    return figures


def describe_machine() -> str:
    """Processor, cores that this process may use, and Python: what figures hold for."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return f"{_processor()}, {cores} cores, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
