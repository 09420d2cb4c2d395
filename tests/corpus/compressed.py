"""Pictures into compressed frames of DICOM; the JPEG processes that OpenCV does not write are written here."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import jpeg_ls  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from openjpeg.utils import encode_array
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

Pixels = npt.NDArray[Any]

LOSSLESS = (JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000)
SYNTAXES = (*LOSSLESS, *LOSSY)
ERROR = 2  # what a sample may be off in JPEGLSNearLossless


def compress(pixels: Pixels, syntax: UID, bits: int = 0) -> bytes:
    """One frame, (h, w) or (h, w, 3) of uint8 or uint16 in `bits`, or as many as it takes.

    JPEG baseline takes 8 bits alone, and makes YBR_FULL_422 of colour; JPEG extended takes gray of 12. Of colour, JPEG 2000
    makes YBR_RCT or YBR_ICT.
    """
    bits = bits or max(8, int(pixels.max()).bit_length())
    match syntax:
        case _ if syntax == JPEGBaseline8Bit:
            _, encoded = cv2.imencode(".jpg", pixels if pixels.ndim == 2 else pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
            return encoded.tobytes()
        case _ if syntax == JPEGExtended12Bit:
            return extended_jpeg(pixels)
        case _ if syntax == JPEGLossless:
            return lossless_jpeg(pixels, 7, bits)
        case _ if syntax == JPEGLosslessSV1:
            return lossless_jpeg(pixels, 1, bits)
        case _ if syntax in (JPEGLSLossless, JPEGLSNearLossless):
            error = ERROR if syntax == JPEGLSNearLossless else 0
            height, width, samples = (*pixels.shape, 1)[:3]
            by_pixel = 0 if samples == 1 else 2
            return bytes(jpeg_ls.encode_buffer(pixels.tobytes(), height, width, samples, bits, error, by_pixel))
        case _ if syntax == JPEG2000Lossless:
            return bytes(encode_array(pixels, bits, _colour(pixels)))
        case _ if syntax == JPEG2000:
            return bytes(encode_array(pixels, bits, _colour(pixels), signal_noise_ratios=[70]))
    raise ValueError(syntax)


def lossless_jpeg(pixels: Pixels, predictor: int, bits: int = 0) -> bytes:
    """Process 14 (ITU-T T.81 annex H): (h, w) or (h, w, 3) of 8 to 16 bits, selection value 1 to 7."""
    values = pixels.astype(np.int64).reshape(*pixels.shape[:2], -1)
    bits = bits or max(8, int(values.max()).bit_length())
    left, above, corner = np.roll(values, 1, 1), np.roll(values, 1, 0), np.roll(values, 1, (0, 1))
    guess = (
        *(left, above, corner, left + above - corner),
        *(left + ((above - corner) >> 1), above + ((left - corner) >> 1), (left + above) >> 1),
    )[predictor - 1].copy()
    guess[0], guess[:, 0] = left[0], above[:, 0]
    guess[0, 0] = 2 ** (bits - 1)
    differences = (values - guess + 32767) % 65536 - 32767
    body = _entropy(code for value in differences.ravel().tolist() for code in _categorised(value, 0))
    samples = values.shape[2]
    components = b"".join(bytes((index + 1, 0x11, 0)) for index in range(samples))
    selectors = b"".join(bytes((index + 1, 0)) for index in range(samples))
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xC3, struct.pack(">BHHB", bits, *values.shape) + components),
            _huffman(0, 5, range(17)),
            _segment(0xDA, bytes((samples,)) + selectors + bytes((predictor, 0, 0))),
            body + b"\xff\xd9",
        )
    )


def extended_jpeg(pixels: Pixels, step: int = 4) -> bytes:
    """Process 4 (T.81 annex F): (h, w) of 12 bits; every coefficient is rounded to multiples of `step`."""
    height, width = pixels.shape
    padded = np.pad(pixels.astype(np.float64), ((0, -height % 8), (0, -width % 8)), "edge") - 2048
    at = np.arange(8)
    basis = np.sqrt(np.where(at == 0, 1, 2) / 8)[:, None] * np.cos((2 * at + 1) * at[:, None] * np.pi / 16)
    blocks = padded.reshape(padded.shape[0] // 8, 8, -1, 8).transpose(0, 2, 1, 3)
    levels = np.rint(basis @ blocks @ basis.T / step).astype(int).reshape(-1, 64)[:, _ZIGZAG]
    symbols = [0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 15))]
    body = _entropy(_coefficients(levels, {symbol: place for place, symbol in enumerate(symbols)}))
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xDB, b"\0" + bytes((step,) * 64)),
            _segment(0xC1, struct.pack(">BHHB", 12, height, width, 1) + b"\1\x11\0"),
            _huffman(0x00, 5, range(16)),
            _huffman(0x10, 8, symbols),
            _segment(0xDA, b"\1\1\0\0\x3f\0"),
            body + b"\xff\xd9",
        )
    )


_ZIGZAG = [row * 8 + column for row, column in sorted(np.ndindex(8, 8), key=lambda at: (sum(at), at[1] if sum(at) % 2 == 0 else at[0]))]


def _coefficients(blocks: npt.NDArray[Any], places: dict[int, int]) -> Iterator[tuple[int, int]]:
    """(bits, how many) of each block: the first level's difference, then runs of zeros and levels (T.81 F.1.2)."""
    before = 0
    for block in blocks.tolist():
        yield from _categorised(block[0] - before, 0)
        before, run = block[0], 0
        for level in block[1:]:
            if level == 0:
                run += 1
                continue
            for _ in range(run // 16):
                yield places[0xF0], 8
            size = abs(level).bit_length()
            yield places[(run % 16) << 4 | size], 8
            yield _extra(level, size), size
            run = 0
        if run:
            yield places[0x00], 8


def _categorised(value: int, first: int) -> Iterator[tuple[int, int]]:
    size = abs(value).bit_length()
    yield first + size, 5
    if size < 16:  # 32768 alone has 16, and needs no more bits (T.81 H.1.2.2)
        yield _extra(value, size), size


def _extra(value: int, size: int) -> int:
    return value if value >= 0 else value + 2**size - 1


def _entropy(codes: Iterable[tuple[int, int]]) -> bytes:
    bits = "".join(f"{code:0{size}b}" for code, size in codes if size)
    bits += "1" * (-len(bits) % 8)
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:].replace(b"\xff", b"\xff\0")


def _huffman(identity: int, size: int, symbols: Iterable[int]) -> bytes:
    """A table with codes of one length, counting up."""
    listed = bytes(symbols)
    return _segment(0xC4, bytes((identity, *(len(listed) if length == size else 0 for length in range(1, 17)))) + listed)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _colour(pixels: Pixels) -> int:
    return 1 if pixels.ndim == 3 else 2
