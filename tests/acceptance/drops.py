"""Files as a PACS, or chance, would drop them; each with what must become of it."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import ImplicitVRLittleEndian

from imaging.phantoms import Kind, phantom, picture
from tests.corpus.files import dicom, jpeg, noted, png, report


@dataclass(frozen=True)
class DroppedFile:
    """Bytes under a path below the inbox. `reason`: None if it can be read."""

    path: str
    data: bytes
    reason: str | None = None


def good(count: int, seed: int = 0) -> list[DroppedFile]:
    """Readable scans of both modalities and all formats; no two have the same bytes."""
    made = []
    for number in range(count):
        kind: Kind = "xray" if number % 2 == 0 else "ct"
        this = seed * 100_000 + number
        match number // 2 % 4:
            case 0:
                made.append(DroppedFile(f"{kind}/p{this}.png", png(picture(kind, this))))
            case 1:
                made.append(DroppedFile(f"ward 7/{kind}/j{this}.jpeg", jpeg(picture(kind, this))))
            case 2:
                made.append(DroppedFile(f"d{this}.dcm", dicom(phantom(kind, this), "DX" if kind == "xray" else "CT")))
            case _:
                bare = dicom(phantom(kind, this), "CR" if kind == "xray" else "CT", syntax=ImplicitVRLittleEndian)
                made.append(DroppedFile(f"IM{this:06}", bare))  # as many PACS name them: without extension
    return made


def backlog(count: int, seed: int = 0) -> list[DroppedFile]:
    """Many readable scans, made quickly: one picture with a different note in each file."""
    data = png(picture("xray", seed))
    return [DroppedFile(f"xray/b{seed}-{number}.png", noted(data, b"%d/%d" % (seed, number))) for number in range(count)]


def bad() -> list[DroppedFile]:
    """Files that nobody can read, each with its reason."""
    film = phantom("xray", 99)
    whole_png, whole_dicom = png(picture("xray", 98)), dicom(film, "DX")
    return [
        DroppedFile("empty.png", b"", "empty"),
        DroppedFile("text.png", b"Dear colleague, please find enclosed ...\n" * 20, "not_an_image"),
        DroppedFile("cut.dcm", whole_dicom[: len(whole_dicom) // 2], "truncated"),
        DroppedFile("cut.png", whole_png[: len(whole_png) // 2], "truncated"),
        DroppedFile("noise.dcm", np.random.default_rng(1).bytes(5000), "not_an_image"),
        DroppedFile("report.dcm", report(), "no_pixels"),
        DroppedFile("picture.gif", b"GIF89a" + bytes(200), "unsupported_format"),
    ]


def odd_names() -> list[DroppedFile]:
    """Readable scans whose names are not."""
    names = [
        "with space.png",
        "line\nbreak.png",
        "quote\"'`$(rm).png",
        "überprüfung-肺.png",
        "-rf.png",
        os.fsdecode(b"\xff\xfe.png"),
        "a" * 251 + ".png",
    ]
    return [DroppedFile(f"xray/{name}", png(picture("xray", 500 + number))) for number, name in enumerate(names)]


def put(inbox: Path, drops: list[DroppedFile]) -> None:
    """Writes them at once, by copy."""
    for drop in drops:
        path = inbox / drop.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drop.data)
