"""What `lungline demo` drops: drawn chests as people and as machines export them, an archive, pictures of something else, broken files."""

from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

from imaging.phantoms import Kind, phantom, picture

_A_KIND: Final = 6
_SIDE: Final = 512


def draw(folder: Path) -> list[Path]:
    """Writes the files below `folder`, the same ones each time; returns the folders to drop."""
    for kind in ("xray", "ct"):
        _chests(folder, kind)
    for name, drawing in (("letter", _letter()), ("test pattern", _pattern()), ("photograph", _photograph()), ("noise", _noise())):
        _write(folder / "strangers" / f"{name}.png", _encoded(".png", drawing))
    _write(folder / "broken" / "empty.png", b"")
    _write(folder / "broken" / "text.jpg", b"This is no picture.\n" * 20)
    whole = _dicom("ct", 99)
    _write(folder / "broken" / "half a slice.dcm", whole[: len(whole) // 2])
    _write(folder / "study.zip", _archive())
    return [folder / name for name in ("xray", "ct", "study.zip", "strangers", "broken")]


def _archive() -> bytes:
    """Slices as a PACS exports them in one file, of the same bytes each time."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for seed in range(_A_KIND, _A_KIND + 3):
            archive.writestr(ZipInfo(f"DICOM/IM{seed}"), _dicom("ct", seed), ZIP_DEFLATED)
    return buffer.getvalue()


def _chests(folder: Path, kind: Kind) -> None:
    name = "film" if kind == "xray" else "slice"
    for seed in range(_A_KIND):
        if seed % 3 == 2:
            _write(folder / kind / f"{name} {seed}.dcm", _dicom(kind, seed))
        else:
            ending = (".png", ".jpg")[seed % 3]
            _write(folder / kind / f"{name} {seed}{ending}", _encoded(ending, picture(kind, seed, _SIDE)))


def _dicom(kind: Kind, seed: int) -> bytes:
    """The least that a DX or CT object needs (DICOM PS3.3 A.26 and A.3, as far as readers ask for it)."""
    pixels = phantom(kind, seed, _SIDE)
    data = Dataset()
    data.SOPClassUID = DigitalXRayImageStorageForPresentation if kind == "xray" else CTImageStorage
    data.SOPInstanceUID = generate_uid(entropy_srcs=["lungline demo", kind, str(seed)])
    data.Modality = "DX" if kind == "xray" else "CT"
    data.PatientName, data.PatientID, data.Manufacturer = "Synthetic^Phantom", "SYNTHETIC", "Lungline demo"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    if kind == "xray":
        data.ViewPosition, data.BodyPartExamined = "PA", "CHEST"
        data.WindowCenter, data.WindowWidth = 2048, 4096
    else:
        data.RescaleIntercept, data.RescaleSlope = -1024, 1
    data.PixelData = np.minimum(pixels, 4095).astype("<u2").tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _letter() -> npt.NDArray[np.uint8]:
    page = np.full((_SIDE, 362), 250, np.uint8)
    for row in range(60, 450, 18):
        cv2.putText(page, "Dear colleague, thank you for", (30, row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 20, 1, cv2.LINE_AA)
    return page


def _pattern() -> npt.NDArray[np.uint8]:
    bars = np.repeat(np.linspace(0, 255, 8).astype(np.uint8), _SIDE // 8)
    return np.tile(bars, (_SIDE, 1))


def _photograph() -> npt.NDArray[np.uint8]:
    """A landscape: sky, sun, two hills."""
    view = np.tile(np.linspace(210, 160, _SIDE).astype(np.uint8)[:, None], (1, _SIDE))
    cv2.circle(view, (390, 110), 40, 255, cv2.FILLED, cv2.LINE_AA)
    cv2.ellipse(view, (130, 520), (330, 220), 0, 0, 360, 90, cv2.FILLED, cv2.LINE_AA)
    cv2.ellipse(view, (430, 560), (300, 200), 0, 0, 360, 50, cv2.FILLED, cv2.LINE_AA)
    return view


def _noise() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)


def _encoded(ending: str, pixels: npt.NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(ending, pixels)
    assert done
    return data.tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(data)
