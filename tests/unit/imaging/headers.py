"""Headers as a reader meets them: written to a file and read again."""

from io import BytesIO
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.corpus.files import dicom

_PIXELS = np.full((4, 4), 4095, np.uint16)

AXIAL: list[float] = [1, 0, 0, 0, 1, 0]
CORONAL: list[float] = [1, 0, 0, 0, 0, -1]
SAGITTAL: list[float] = [0, 1, 0, 0, 0, -1]


def header(modality: str, **tags: Any) -> Dataset:
    """The header of a file of 4x4 pixels of 12 bits; None removes a tag."""
    return dcmread(BytesIO(dicom(_PIXELS, modality, **tags)), force=True)


def item(**tags: Any) -> Dataset:
    """An item of a sequence."""
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def code(value: str, scheme: str = "SCT") -> Dataset:
    """An item of a sequence of codes."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning="meaning")


def frames(*groups: dict[str, Dataset]) -> list[Dataset]:
    """A functional groups sequence: one item a frame, of macros by keyword."""
    return [item(**{keyword: [macro] for keyword, macro in group.items()}) for group in groups]
