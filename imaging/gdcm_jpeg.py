"""pydicom's plugin for JPEG by GDCM, 12 bits included: pydicom's own refuses those, and trusts the header's depth over the image's."""

from typing import Final

import gdcm  # type: ignore[import-untyped]
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from imaging import codestream

NAME: Final = "lungline"
SYNTAXES: Final = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_APP0, _APP14 = 0xE0, 0xEE


def install() -> None:
    """Makes the plugin known to pydicom's decoders, under NAME."""
    for syntax in SYNTAXES:
        get_decoder(syntax).add_plugin(NAME, (__name__, decode_frame.__name__))


def is_available(syntax: UID) -> bool:
    """What pydicom asks of a plugin."""
    return syntax in SYNTAXES


def decode_frame(data: bytes, runner: DecodeRunner) -> bytes:
    """One JPEG image as the bytes of its samples, colour by pixel, in the colour space that it is stored in.

    Raises:
        ValueError: GDCM cannot decode it.
    """
    bits = max(8, codestream.jpeg(data).bits)  # GDCM takes fewer for its own mistake
    _check_application_segments(data)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(runner.transfer_syntax))))
    runner.set_option("bits_allocated", 8 if bits <= 8 else 16)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    image.SetPixelFormat(gdcm.PixelFormat(runner.samples_per_pixel, runner.bits_allocated, bits, bits - 1, runner.pixel_representation))
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM cannot decode the JPEG image.")
    # The binding hands a buffer of chars over as text.
    samples: bytes = decoded.encode("utf-8", "surrogateescape")
    return samples


def _check_application_segments(data: bytes) -> None:
    """Refuses what libjpeg would warn of while it reads the head: GDCM takes a warning there for its own mistake, and ends the process."""
    for marker, body in codestream.jpeg_segments(data):
        is_unknown_jfif = marker == _APP0 and body.startswith(b"JFIF\0") and body[5:6] != b"\1"
        is_unknown_adobe = marker == _APP14 and body.startswith(b"Adobe") and body[11:12] not in (b"", b"\0", b"\1")
        if is_unknown_jfif or is_unknown_adobe:
            raise ValueError("The JPEG image has a JFIF or Adobe segment of an unknown kind.")
