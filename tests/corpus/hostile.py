"""Files that no reader may die of: cut at every tenth, noise in the right envelopes, one format's head on another's body, bombs."""

import struct
from collections.abc import Iterator

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from imaging.phantoms import phantom, picture
from tests.corpus.catalogue import bad
from tests.corpus.files import chunk, dicom, jpeg, png

_SIDE = 64
_SYNTAXES = (
    *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless),
    *(JPEGBaseline8Bit, JPEGLossless, JPEGLSLossless, JPEG2000Lossless),
)


def hostile(count: int) -> dict[str, bytes]:
    """Name -> bytes of `count` files, none of which holds a readable image; no two have the same bytes, nor the same name."""
    found: dict[str, bytes] = {}
    seen: set[bytes] = set()
    kinds = [_catalogue(), _cut(), _noise_in_envelopes(), _heads_on_other_bodies(), _noise_behind_beginnings()]
    while len(found) < count:  # some of each kind, however few are asked for
        for kind in kinds:
            name, data = next(kind)
            if data not in seen and len(found) < count:
                seen.add(data)
                found[f"{len(found):04}-{name}"] = data
    return found


def _wholes(seed: int) -> dict[str, bytes]:
    film, deep = picture("xray", seed, side=_SIDE), phantom("xray", seed, side=_SIDE)
    made = {"film.png": png(film), "film.jpg": jpeg(film), "bare.dcm": dicom(deep, "DX", has_preamble=False)}
    for syntax in _SYNTAXES:
        made[f"{syntax.keyword}.dcm"] = dicom(film if syntax == JPEGBaseline8Bit else deep, "DX", syntax=syntax)
    return made


def _catalogue() -> Iterator[tuple[str, bytes]]:
    yield from ((name, data) for name, (data, _) in bad().items())
    seed = 0
    while True:
        seed += 1
        yield f"text{seed}.dcm", b"This is letter %d about a chest, and no picture of one.\n" % seed * 20


def _cut() -> Iterator[tuple[str, bytes]]:
    seed = 70_000
    while True:
        seed += 1
        for tenth in range(1, 10):
            for name, data in _wholes(seed).items():
                yield f"cut{tenth}-{name}", data[: len(data) * tenth // 10]


def _noise_in_envelopes() -> Iterator[tuple[str, bytes]]:
    """Sound headers, and noise where the pixels ought to be."""
    rng = np.random.default_rng(5)
    deep = phantom("xray", 71_000, side=_SIDE)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0))
    while True:
        noise = rng.bytes(3000)
        yield "noise.png", b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", noise) + chunk(b"IEND", b"")
        for syntax in _SYNTAXES[4:]:
            yield f"noise-{syntax.keyword}.dcm", _around(noise, syntax, deep)
            yield f"begun-{syntax.keyword}.dcm", _around(_wholes(71_001)["film.jpg"][:20] + noise, syntax, deep)


def _heads_on_other_bodies() -> Iterator[tuple[str, bytes]]:
    seed = 72_000
    while True:
        seed += 1
        wholes = _wholes(seed)
        for head, item in wholes.items():
            for body, other in wholes.items():
                if head != body and not (head.endswith(".dcm") and body.endswith(".dcm")):
                    yield f"{head.removesuffix('.dcm')}-on-{body}", item[:180] + other[180:]


def _noise_behind_beginnings() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(6)
    meta = dicom(phantom("xray", 73_000, side=_SIDE), "DX")
    while True:
        for name, beginning in {
            "png": b"\x89PNG\r\n\x1a\n",
            "jpg": b"\xff\xd8\xff\xe0",
            "dcm": bytes(128) + b"DICM",
            "meta.dcm": meta[:400],
            "bare.dcm": b"\x08\0\x05\0CS\x0a\0ISO_IR 100",
        }.items():
            yield f"noise.{name}", beginning + rng.bytes(int(rng.integers(1, 4000)))


def _around(frame: bytes, syntax: UID, pixels: np.ndarray) -> bytes:
    return dicom(pixels, "DX", syntax=syntax, PixelData=encapsulate([frame]))
