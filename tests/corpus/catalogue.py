"""Good files in every form that is read, and bad ones with the reason that each must get; ready to be dropped into an inbox."""

import struct
import zlib
from functools import cache

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000MCLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from imaging.phantoms import phantom, picture
from lungline.reasons import Reason
from tests.corpus.compressed import compress
from tests.corpus.files import chunk, cmyk_jpeg, dicom, jpeg, orientation, png, report


@cache
def good(seed: int = 0) -> dict[str, bytes]:
    """Name -> bytes; each becomes one scan, but `multiframe.dcm` becomes three. No two have the same bytes, nor have two seeds."""
    xray, film = phantom("xray", seed), picture("xray", seed)
    ct, slice_ = phantom("ct", seed), picture("ct", seed)
    rgb = np.repeat(film[..., None], 3, axis=2)
    gray_palette = [(level, level, level) for level in range(256)]
    return {
        "gray.png": png(film),
        "gray16.png": png(film.astype(np.uint16) * 257),
        "detector12.png": png(xray),
        "colour.png": png(rgb),
        "alpha.png": png(np.dstack([rgb, np.full_like(film, 255)])),
        "palette.png": png(film, palette=gray_palette),
        "interlaced.png": png(film, is_interlaced=True),
        "slice.png": png(slice_),
        "named like a JPEG.jpg": png(picture("xray", seed + 1000)),
        "gray.jpg": jpeg(film),
        "colour.jpeg": jpeg(rgb),
        "progressive.jpg": jpeg(film, is_progressive=True),
        "rotated.jpg": jpeg(np.ascontiguousarray(np.rot90(film)), exif=orientation(6)),
        "cmyk.jpg": cmyk_jpeg(np.dstack([255 - film] * 3 + [np.zeros_like(film)])),
        "slice.jpg": jpeg(slice_),
        "dx.dcm": dicom(xray, "DX"),
        "cr_implicit.dcm": dicom(xray, "CR", syntax=ImplicitVRLittleEndian),
        "dx_big_endian.dcm": dicom(xray, "DX", syntax=ExplicitVRBigEndian),
        "dx_deflated.dcm": dicom(xray, "DX", syntax=DeflatedExplicitVRLittleEndian),
        "dx_rle.dcm": dicom(xray, "DX", syntax=RLELossless),
        "cr_jpeg.dcm": dicom(film, "CR", syntax=JPEGBaseline8Bit),
        "dx_jpeg_12_bit.dcm": dicom(xray, "DX", syntax=JPEGExtended12Bit),
        "ct_jpeg_lossless.dcm": dicom(ct, "CT", syntax=JPEGLossless),
        "dx_jpeg_lossless_sv1.dcm": dicom(xray, "DX", syntax=JPEGLosslessSV1),
        "ct_jpeg_ls.dcm": dicom(ct, "CT", syntax=JPEGLSLossless),
        "dx_jpeg_ls_near.dcm": dicom(xray, "DX", syntax=JPEGLSNearLossless),
        "ct_jpeg_2000.dcm": dicom(ct, "CT", syntax=JPEG2000Lossless),
        "dx_jpeg_2000_lossy.dcm": dicom(xray, "DX", syntax=JPEG2000),
        "capture_jpeg.dcm": dicom(rgb, "OT", syntax=JPEGBaseline8Bit),
        "dx_inverted.dcm": dicom(4095 - xray, "DX", PhotometricInterpretation="MONOCHROME1"),
        "dx_windowed.dcm": dicom(xray, "DX", WindowCenter=[2000, 1800], WindowWidth=[4000, 2000]),
        "cr_8_bit.dcm": dicom(film, "CR"),
        "capture.dcm": dicom(rgb, "OT"),
        "ct.dcm": dicom(ct, "CT"),
        "ct_signed.dcm": dicom((ct.astype(np.int32) - 1024).astype(np.int16), "CT", RescaleIntercept=0),
        "IM000001": dicom(ct, "CT", syntax=ImplicitVRLittleEndian),
        "no_preamble": dicom(ct, "CT", has_preamble=False),
        "multiframe.dcm": dicom(np.stack([phantom("ct", seed + step) for step in (2000, 2001, 2002)]), "CT"),
    }


@cache
def bad() -> dict[str, tuple[bytes, Reason]]:
    """Name -> (bytes, the reason that it must be refused or quarantined with). No two have the same bytes."""
    film, ct = picture("xray", 90_001), phantom("ct", 90_002)
    whole_png, whole_jpeg, whole_dicom = png(film), jpeg(film), dicom(ct, "CT")
    deflated = dicom(ct, "CT", syntax=DeflatedExplicitVRLittleEndian)
    rle = dicom(ct, "CT", syntax=RLELossless)
    jpeg_2000, jpeg_ls = compress(ct, JPEG2000Lossless), compress(ct, JPEGLSLossless)
    multi_component = dicom(ct, "CT", syntax=JPEG2000Lossless).replace(JPEG2000Lossless.encode(), JPEG2000MCLossless.encode(), 1)
    damaged = bytearray(whole_png)
    damaged[200:260] = bytes(60)
    return {
        "empty.png": (b"", Reason.EMPTY),
        "cut.png": (whole_png[: len(whole_png) // 2], Reason.TRUNCATED),
        "cut_in_header.png": (whole_png[:20], Reason.TRUNCATED),
        "without_end.png": (whole_png[:-12], Reason.TRUNCATED),
        "zeros_to_come.png": (whole_png[:3000] + bytes(len(whole_png) - 3000), Reason.TRUNCATED),
        "cut.jpg": (whole_jpeg[: len(whole_jpeg) // 2], Reason.TRUNCATED),
        "cut_in_header.jpg": (whole_jpeg[:150], Reason.TRUNCATED),
        "without_end.jpg": (whole_jpeg[:-2], Reason.TRUNCATED),
        "cut.dcm": (whole_dicom[: len(whole_dicom) // 2], Reason.TRUNCATED),
        "cut_in_header.dcm": (whole_dicom[:300], Reason.TRUNCATED),
        "cut_deflated.dcm": (deflated[: len(deflated) // 2], Reason.TRUNCATED),
        "cut_rle.dcm": (rle[: len(rle) // 2], Reason.TRUNCATED),
        "more_rows_than_bytes.dcm": (dicom(ct, "CT", Rows=4096), Reason.TRUNCATED),
        "more_frames_than_bytes.dcm": (dicom(ct, "CT", NumberOfFrames=500), Reason.TRUNCATED),
        "text.png": (b"This is a report about a chest, and no picture of one.\n" * 20, Reason.NOT_AN_IMAGE),
        "page.dcm": (b"<!DOCTYPE html><html><body>404</body></html>", Reason.NOT_AN_IMAGE),
        "noise.jpg": (np.random.default_rng(0).bytes(5000), Reason.NOT_AN_IMAGE),
        "zeros.dcm": (bytes(4096), Reason.NOT_AN_IMAGE),
        "one_byte": (b"\x89", Reason.TRUNCATED),
        "damaged.png": (bytes(damaged), Reason.NOT_AN_IMAGE),
        "without_rows.png": (png(np.zeros((0, 5), np.uint8)), Reason.NOT_AN_IMAGE),
        "report.dcm": (report(), Reason.NO_PIXELS),
        "without_pixels.dcm": (dicom(ct, "CT", PixelData=None), Reason.NO_PIXELS),
        "without_rows.dcm": (dicom(ct, "CT", Rows=None), Reason.NOT_AN_IMAGE),
        "multi_component.dcm": (multi_component, Reason.UNSUPPORTED_FORMAT),
        "jpeg_2000_cut_inside.dcm": (_around(jpeg_2000[: len(jpeg_2000) // 2], JPEG2000Lossless), Reason.TRUNCATED),
        "jpeg_ls_cut_inside.dcm": (_around(jpeg_ls[: len(jpeg_ls) // 2], JPEGLSLossless), Reason.TRUNCATED),
        "noise_inside.dcm": (_around(np.random.default_rng(1).bytes(5000), JPEGLosslessSV1), Reason.NOT_AN_IMAGE),
        "of_another_size_inside.dcm": (_around(compress(ct[:128], JPEG2000Lossless), JPEG2000Lossless), Reason.NOT_AN_IMAGE),
        "picture.bmp": (b"BM" + struct.pack("<IIIIii", 1078, 0, 54, 40, 4, 4) + bytes(1052), Reason.UNSUPPORTED_FORMAT),
        "picture.tif": (b"II*\0\x08\0\0\0" + bytes(64), Reason.UNSUPPORTED_FORMAT),
        "picture.gif": (b"GIF89a" + bytes(64), Reason.UNSUPPORTED_FORMAT),
        "picture.webp": (b"RIFF\x40\0\0\0WEBPVP8 " + bytes(64), Reason.UNSUPPORTED_FORMAT),
        "letter.pdf": (b"%PDF-1.7\n" + bytes(64), Reason.UNSUPPORTED_FORMAT),
        "study.zip": (b"PK\x03\x04" + bytes(64), Reason.UNSUPPORTED_FORMAT),
        "bomb.png": (_png_bomb(), Reason.TOO_LARGE),
        "bomb.jpg": (_with_jpeg_size(whole_jpeg, 65_000, 65_000), Reason.TOO_LARGE),
        "bomb.dcm": (dicom(ct, "CT", Rows=60_000, Columns=60_000), Reason.TOO_LARGE),
        "jpeg_2000_bomb.dcm": (_around(_with_j2k_size(jpeg_2000, 60_000, 60_000), JPEG2000Lossless), Reason.TOO_LARGE),
        "jpeg_2000_tiles_bomb.dcm": (_around(_with_j2k_tiles(jpeg_2000, 1, 2), JPEG2000Lossless), Reason.TOO_LARGE),
        "jpeg_ls_bomb.dcm": (_around(_with_jpeg_size(jpeg_ls, 65_535, 65_535, marker=0xF7), JPEGLSLossless), Reason.TOO_LARGE),
        "jpeg_bomb.dcm": (_around(_with_jpeg_size(whole_jpeg, 65_535, 65_535), JPEGBaseline8Bit), Reason.TOO_LARGE),
        "frames_bomb.dcm": (dicom(ct, "CT", NumberOfFrames=2**31 - 1), Reason.TOO_LARGE),
        "deflated_bomb.dcm": (_deflated_bomb(deflated), Reason.TOO_LARGE),
    }


def _png_bomb() -> bytes:
    """60,000 x 60,000 pixels in a kilobyte."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


def _around(frame: bytes, syntax: UID) -> bytes:
    """A CT slice whose header knows nothing of what is wrong with its compressed frame."""
    return dicom(phantom("ct", 90_003), "CT", syntax=syntax, PixelData=encapsulate([frame]))


def _with_jpeg_size(data: bytes, rows: int, columns: int, marker: int = 0xC0) -> bytes:
    at = data.index(bytes((0xFF, marker))) + 5
    return data[:at] + struct.pack(">HH", rows, columns) + data[at + 4 :]


def _with_j2k_size(data: bytes, rows: int, columns: int) -> bytes:
    """The size of the image and of its one tile."""
    size = struct.pack(">II", columns, rows)
    return data[:8] + size + data[16:24] + size + data[32:]


def _with_j2k_tiles(data: bytes, rows: int, columns: int) -> bytes:
    return data[:24] + struct.pack(">II", columns, rows) + data[32:]


def _deflated_bomb(deflated: bytes) -> bytes:
    """A deflated file of a megabyte that unfolds into a gigabyte: one compressed block of zeros, again and again."""
    start = 144 + struct.unpack_from("<I", deflated, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    repeated = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return deflated[:start] + block + repeated * 1024
