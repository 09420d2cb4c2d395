"""From file to row: drawn pictures through a running Lungline, beside what the engine alone reaches on the same pictures."""

import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from cli.bench import Figure, Part
from lungline.errors import LunglineError

if TYPE_CHECKING:
    from lungline.settings import Settings
    from models.ensemble import Ensemble
    from models.files import EnsembleFiles
    from models.speed import Inputs, Pixels

_PICTURES: Final = 64  # different ones; each file holds one of them and a note that tells it from the others
_PATIENCE_SECONDS: Final = 60.0  # without one more scan done


class FlowError(LunglineError):
    """Not all scans were read."""


def measure(folder: Path, rounds: int) -> list[Figure]:
    """Times the champions that ship, and system 1, each on a home of its own."""
    from models import registry, speed

    figures = []
    for files in registry.shipped().values():
        figures += _measure(files.version, files, folder / f"home-{files.name}", rounds, count=600)
    files = speed.system_1(folder / "system-1-flow")
    home = folder / "home-system-1"
    _promote(files, folder / "system-1-flow", home)
    return figures + _measure(speed.SYSTEM_1, files, home, rounds, count=300)


def _measure(name: str, files: "EnsembleFiles", home: Path, rounds: int, *, count: int) -> list[Figure]:
    from cli.own_stack import running, settings_for
    from lungline.progress import steps
    from models import registry, speed
    from models.engines.choose import Engines

    assert files.modality
    settings = settings_for(home)
    drawn = speed.admitted(files.modality, _PICTURES)
    given = speed.inputs(files, drawn)
    alone, through = [], []
    with running(settings), steps(f"flow of {name}", 2 * rounds) as step:
        ensemble = registry.load_ensemble(files, Engines.of(settings))
        ensemble.warm(settings.batch_max)
        for number in range(rounds):
            alone.append(count / _alone(ensemble, given, count, settings.batch_max))
            step()
            _write(settings.home / "draft", files.modality.value, drawn, number, count)
            began = time.perf_counter()
            (settings.home / "draft").rename(settings.inbox / str(number))
            _wait_for(settings, files.version, (number + 1) * count)
            through.append(count / (time.perf_counter() - began))
            step()
    ratios = [one / other for one, other in zip(through, alone, strict=True)]
    return [
        Figure.over(Part.FLOW, name, f"the engine alone, batches of {settings.batch_max}", "images/s", alone),
        Figure.over(Part.FLOW, name, f"{count} PNG files at once, quiet period included", "images/s", through),
        Figure.over(Part.FLOW, name, "from file to row, over the engine alone", "ratio", ratios),
    ]


def _promote(files: "EnsembleFiles", folder: Path, home: Path) -> None:
    """Lets an ensemble in `folder` judge at `home`."""
    from cli.own_stack import settings_for
    from db import versions
    from db.migrate import open_database
    from models.files import adopt
    from workers import catalogue

    settings = settings_for(home)
    adopt(folder, catalogue.models_folder(settings))
    engine = open_database(settings)
    with engine.begin() as connection:
        catalogue.enter(connection, catalogue.models_folder(settings))
        versions.promote(connection, files.version, [place.member.version for place in files.places], "lungline bench", "to be timed")
    engine.dispose()


def _alone(ensemble: "Ensemble", given: "Inputs", count: int, batch_max: int) -> float:
    """Seconds for `count` pictures, prepared beforehand."""
    different = len(next(iter(given.values())))
    began = time.perf_counter()
    for start in range(0, count, batch_max):
        rows = np.arange(start, min(start + batch_max, count)) % different
        ensemble.judge({name: pictures[rows] for name, pictures in given.items()})
    return time.perf_counter() - began


def _write(folder: Path, kind: str, drawn: "Sequence[Pixels]", round_number: int, count: int) -> None:
    """`count` PNG files, no two with the same bytes, in a folder that says their modality."""
    (folder / kind).mkdir(parents=True)
    pictures = [_png(one) for one in drawn]
    for number in range(count):
        head, tail = pictures[number % len(pictures)]
        note = b"Comment\0%d/%d" % (round_number, number)
        (folder / kind / f"{number:06}.png").write_bytes(head + _chunk(b"tEXt", note) + tail)


def _png(drawn: "Pixels") -> tuple[bytes, bytes]:
    """A picture's bytes before and after the place where a note may stand (PNG specification, 5.6: before IEND)."""
    import cv2

    data = cv2.imencode(".png", drawn)[1].tobytes()
    return data[:-12], data[-12:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _wait_for(settings: "Settings", version: str, wanted: int) -> None:
    from sqlalchemy import text

    from db.connect import connect, read_only

    engine = read_only(connect(settings.database_url))
    query = text("SELECT count(*), sum(CASE WHEN ensemble = :version AND finding IS NOT NULL THEN 1 ELSE 0 END) FROM scan_results")
    done, since = -1, time.monotonic()
    try:
        while done < wanted:
            with engine.connect() as connection:
                now, sound = connection.execute(query, {"version": version}).one()
            if now > done:
                done, since = now, time.monotonic()
            elif time.monotonic() - since > _PATIENCE_SECONDS:
                raise FlowError(f"Only {done} of {wanted} scans were read; see `lungline doctor`.")
            time.sleep(0.05)
        if sound != wanted:  # turned away or judged by another ensemble: not what is to be timed
            raise FlowError(f"Only {sound} of {wanted} scans were judged by `{version}`; the others were turned away.")
    finally:
        engine.dispose()
