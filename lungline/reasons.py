"""Reason codes: why a file was refused, a scan quarantined, or an image rejected. docs/reason-codes.md is checked against this file."""

from enum import StrEnum


class Reason(StrEnum):
    """A short snake_case noun that stands in the database, with a sentence for people and what to do about it."""

    sentence: str
    action: str

    def __new__(cls, code: str, sentence: str, action: str) -> "Reason":
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        member.action = action
        return member

    # refused at the inbox: nothing was read yet
    EMPTY = "empty", "The file holds no bytes.", "Send it again from the PACS."
    UNREADABLE = (
        "unreadable",
        "Lungline's user may not read the file, or its disk could not for ten minutes.",
        "Let Lungline's user read what the PACS writes, or mend the disk; then release it with `lungline quarantine release`.",
    )
    NOT_A_REGULAR_FILE = (
        "not_a_regular_file",
        "A symbolic link, pipe, socket or device lies in the inbox; such things are never followed or opened.",
        "Drop the file itself.",
    )
    # quarantined while reading
    NOT_AN_IMAGE = (
        "not_an_image",
        "The bytes are no DICOM, PNG or JPEG file, or are damaged beyond reading.",
        "Look at the file with `lungline quarantine list`; send the original again if it was damaged on its way.",
    )
    UNSUPPORTED_FORMAT = (
        "unsupported_format",
        "The bytes are a kind of image, or a DICOM transfer syntax, that Lungline does not read.",
        "Have the PACS send DICOM that is uncompressed or in RLE, JPEG, JPEG-LS or JPEG 2000; export pictures as PNG or JPEG.",
    )
    TRUNCATED = (
        "truncated",
        "The file ends before its pixels do, or their end was never written.",
        "Nothing at first: Lungline looks again after 1 and 10 minutes, in case it was still being written. Else send it again.",
    )
    NO_PIXELS = "no_pixels", "A DICOM object without pixel data, such as a report.", "Have the PACS send images alone."
    TOO_LARGE = (
        "too_large",
        "The image would need more memory than one scan may take, or the file has more than 512 MiB.",
        "Send a smaller rendering of the image, or its frames in several files.",
    )
    READER_DIED = (
        "reader_died",
        "The process that read the file died with it, twice.",
        "Keep the file out; report it to Lungline's makers with the versions that `lungline doctor` prints.",
    )
    READER_TIMEOUT = (
        "reader_timeout",
        "Reading the file took longer than one scan may take, twice.",
        "Send a smaller rendering; on a machine under heavy load, release it with `lungline quarantine release`.",
    )
    BYTES_MISSING = (
        "bytes_missing",
        "The store no longer holds the file's bytes.",
        "Restore the store from its backup, then release the scan with `lungline quarantine release`; or drop the same file again.",
    )
    MODEL_FAILED = (
        "model_failed",
        "The ensemble gave no usable answer for this image.",
        "Run `lungline doctor`; then release the scan with `lungline quarantine release`.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        "Lungline met an error of its own with this file, and went on with the others.",
        "Report it to Lungline's makers with the line of the log that names this error; release it after an update.",
    )
    # rejected: the image was read, and the models do not know its kind; `not_frontal` is for review where the picture alone says so
    NOT_CHEST = (
        "not_chest",
        "The image is neither a chest X-ray nor a lung CT slice.",
        "Nothing. Where Lungline is wrong about a kind of picture, its admission network needs more of that kind to learn from.",
    )
    NOT_FRONTAL = (
        "not_frontal",
        "A lateral or oblique X-ray, or a CT localiser (scout); the models know frontal films and axial slices.",
        "Nothing where it was rejected: its header says so. Where it is for review, only the picture looks lateral: look at it.",
    )
    NOT_AXIAL = (
        "not_axial",
        "A CT image in a coronal, sagittal, oblique or curved plane, or a reformat without a plane; the models know axial slices.",
        "Nothing. Have the PACS send the axial series, which such images are made from.",
    )
    NOT_HOUNSFIELD = (
        "not_hounsfield",
        "The header gives the CT values in another unit than Hounsfield, such as an atomic number, or on a scale that has no air.",
        "Nothing. Have the PACS send the series in Hounsfield units.",
    )
    # review: the networks read the image, and something else speaks against trusting them
    POLARITY_IN_DOUBT = (
        "polarity_in_doubt",
        "Black and white may be swapped in this image, or its grays are the detector's own. "
        "Where the picture alone shows a negative, it was read with black and white swapped back.",
        "Look at the image. Have the device or the PACS send it for presentation, with a header whose polarity is right.",
    )
    NOT_UPRIGHT = (
        "not_upright",
        "This X-ray seems to lie on its side or to stand on its head; if so, it was turned upright before it was read.",
        "Look at the film. If it is turned, have the device or the PACS send it upright.",
    )
    PROJECTION = (
        "projection",
        "A CT image that shows the highest or lowest value along each ray (MIP or MinIP); the models know plain slices.",
        "Look at the image. Have the PACS send plain slices.",
    )
    BODY_PART_IN_DOUBT = (
        "body_part_in_doubt",
        "The header names another part of the body than the chest; the picture looks like a chest.",
        "Look at the image. If it is a chest, correct the body part at the device or in the PACS.",
    )
    BLANK_END = (
        "blank_end",
        "The lower part of the picture is exactly zero, as in a file that was not written to its end.",
        "Look at the image. If its lower part is missing, send it again.",
    )
    STILL_WRITTEN = (
        "still_written",
        "Another process still had the file open for writing when it was read.",
        "Find out which program keeps the file open. When it writes on, the file is taken in once more.",
    )
    VIEW_IN_DOUBT = (
        "view_in_doubt",
        "The header speaks of a lateral, turned or lying-down film, or of another plane than axial, and nothing in it settles that.",
        "Look at the image. If it is a frontal film or an axial slice, correct the view or its description at the device or in the PACS.",
    )
