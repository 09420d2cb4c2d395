"""A second opinion on DICOM: what dcmtk shows of a file, and whether Lungline shows the same."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from imaging import dicom as module
from imaging.read import read

GRAY_LEVEL = 1 / 255
needs_dcmtk = pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="dcmtk (dcm2pnm) is not on PATH")


def decoded(dataset: FileDataset) -> npt.NDArray[Any]:
    """The stored values of the first frame, by the codec that Lungline uses."""
    return pixel_array(dataset, index=0, decoding_plugin=module._CODECS[dataset.file_meta.TransferSyntaxUID])


def shown_by_dcmtk(dataset: FileDataset, tmp_path: Path, *how: str) -> npt.NDArray[np.float32]:
    """dcm2pnm's first frame, colour as luma, in [0, 1]. `how`: its options for the window, the header's first one if none is given."""
    dataset.save_as(tmp_path / "scan.dcm")
    is_gray = str(dataset.PhotometricInterpretation).startswith("MONOCHROME")
    window = how or (("+Wi", "1") if "WindowCenter" in dataset and is_gray else ())
    syntax = dataset.file_meta.TransferSyntaxUID
    tool = "dcml2pnm" if syntax in JPEGLSTransferSyntaxes else "dcmj2pnm" if syntax in JPEGTransferSyntaxes else "dcm2pnm"
    command = [tool, "--write-raw-pnm", "--no-overlays", *window, str(tmp_path / "scan.dcm"), str(tmp_path / "scan.pnm")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    shown = cv2.imread(str(tmp_path / "scan.pnm"), cv2.IMREAD_UNCHANGED)
    assert shown is not None
    gray = shown if shown.ndim == 2 else cv2.cvtColor(shown.astype(np.float32), cv2.COLOR_BGR2GRAY)
    return (gray / 255).astype(np.float32)


def assert_as_dcmtk(dataset: FileDataset, tmp_path: Path) -> None:
    """Compares what is displayed in a window over most of the values, which both are told."""
    for keyword in ("VOILUTSequence", "VOILUTFunction", "PixelPaddingValue"):
        if keyword in dataset:
            del dataset[keyword]
    if str(dataset.PhotometricInterpretation).startswith("MONOCHROME"):
        values = decoded(dataset).astype(float) * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
        low, high = np.quantile(values, [0.02, 0.98])
        dataset.WindowCenter, dataset.WindowWidth = round((low + high) / 2), max(4, round(high - low))
    dataset.Modality = "DX"  # a CT would be shown in the lung window
    assert_shown_alike(dataset, tmp_path)


def assert_shown_alike(dataset: FileDataset, tmp_path: Path, *how: str) -> None:
    """Compares what is displayed of a data set as it stands."""
    expected = shown_by_dcmtk(dataset, tmp_path, *how)
    pixels = read((tmp_path / "scan.dcm").read_bytes()).pixels
    assert pixels.shape == expected.shape
    assert float(np.abs(pixels - expected).max()) <= 1.05 * GRAY_LEVEL  # dcmtk cuts to whole levels, and turns MONOCHROME1 over after that
