"""A store that comes and goes under load, workers that are killed, files that are filled late: nothing is lost, doubled or judged half."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imaging.phantoms import phantom, picture
from tests.acceptance.stack import Stack
from tests.corpus.files import dicom, noted, png

FILES = 300
FLAPS = 15
PICTURE = png(picture("xray", 3, side=128))


def film(seed: int) -> bytes:
    return dicom(phantom("xray", seed, side=256).astype(np.uint16), "DX")


def drop(inbox: Path) -> None:
    for number in range(FILES):
        (inbox / f"{number}.png").write_bytes(noted(PICTURE, b"%d" % number))
        time.sleep(0.04)


def leave_half(path: Path, data: bytes, how: str) -> None:
    with path.open("wb") as file:
        if how == "sparse":
            file.truncate(len(data))
        elif how == "reserved":
            os.posix_fallocate(file.fileno(), 0, len(data))
        else:
            file.write(bytes(len(data)))
            file.seek(0)
        file.write(data[: len(data) // 2])


def flap(stack: Stack, rng: random.Random) -> None:
    away = stack.home / "away"
    for number in range(FLAPS):
        time.sleep(rng.uniform(0.2, 1.2))
        stack.store.rename(away)
        time.sleep(3.0 if number % 5 == 2 else rng.uniform(0.02, 0.5))
        away.rename(stack.store)
        if number % 5 == 4:
            stack.kill("inference-0")


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_judged_half(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.up()
    for seed, how in enumerate(("sparse", "reserved", "zeros")):
        leave_half(stack.inbox / f"half-{seed}.dcm", film(seed), how)
    late = film(9)
    writer = os.open(stack.inbox / "late.dcm", os.O_WRONLY | os.O_CREAT)
    os.truncate(writer, len(late))
    os.pwrite(writer, late[: len(late) // 2], 0)
    dropping = threading.Thread(target=drop, args=(stack.inbox,))
    dropping.start()
    flap(stack, random.Random(1))
    dropping.join()
    stack.until(lambda: stack.status()["quarantined"] == 4, 150, "halves found out")
    os.pwrite(writer, late[len(late) // 2 :], len(late) // 2)
    os.close(writer)
    # the whole of what was late replaces its half, which counts as its duplicate
    stack.until(lambda: (stack.status()["done"], stack.status()["duplicates"]) == (FILES + 1, 1), 150, "all read")
    assert stack.status()["files"] == FILES + 5
    assert stack.query("SELECT count(*) AS scans FROM scan_results WHERE sha256 = :sha256", sha256=hashlib.sha256(late).hexdigest()) == [
        {"scans": 1}
    ]
    assert sorted(stack.reasons()) == [f"half-{seed}.dcm" for seed in range(3)]
    assert set(stack.reasons().values()) == {"truncated"}
    assert list(stack.inbox.iterdir()) == []
    assert [path for path in (stack.store / "incoming").iterdir() if path.is_dir()] == []
    assert stack.run("reconcile", "--deep").returncode == 0
    stack.has_all_accounted()
