"""Reason codes: why a file was refused, a scan quarantined, or an image rejected. docs/reason-codes.md is checked against this file."""

from enum import StrEnum


class Reason(StrEnum):
    """A short snake_case code for the database, with a sentence for people and what they can do about it."""

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
        "Lungline's user has no permission to read the file, or the disk could not read it for ten minutes.",
        "Give Lungline's user permission to read what the PACS writes, or repair the disk; then release the file with `lungline "
        "quarantine release`.",
    )
    NOT_A_REGULAR_FILE = (
        "not_a_regular_file",
        "This is a symbolic link, pipe, socket or device; Lungline never follows or opens these.",
        "Drop the file itself.",
    )
    # archives, and files in them
    ARCHIVE_DAMAGED = (
        "archive_damaged",
        "The ZIP archive has no end, was changed after it was taken in, or its directory contradicts itself; nothing of it was taken in.",
        "Send the archive again.",
    )
    ARCHIVE_TOO_LARGE = (
        "archive_too_large",
        "The ZIP archive holds more than 50,000 files, or would unpack to more than 16 GiB or to more than 200 times its size; nothing of "
        "it was taken in.",
        "Send what it holds in several archives.",
    )
    ENCRYPTED = (
        "encrypted",
        "The file is encrypted within its ZIP archive, or the archive holds nothing but encrypted files.",
        "Have the archive made without a password.",
    )
    NESTED_ARCHIVE = (
        "nested_archive",
        "The file is an archive within an archive; Lungline does not unpack these.",
        "If you trust it, let a ZIP archive be unpacked by itself with `lungline quarantine release`.",
    )
    MEMBER_DAMAGED = (
        "member_damaged",
        "The file cannot be unpacked from its ZIP archive: it is damaged there, or compressed in a way that Lungline does not know.",
        "Have the archive made again, with the usual compression (Deflate), or send the file itself.",
    )
    UNSAFE_NAME = (
        "unsafe_name",
        "The path of the file within its ZIP archive leads out of the archive, as `../` does, or has no name at its end.",
        "Find out who made the archive. If you trust it, let the file be read with `lungline quarantine release`.",
    )
    # quarantined while reading
    NOT_AN_IMAGE = (
        "not_an_image",
        "The file is not DICOM, PNG or JPEG, or it is too damaged to be read.",
        "Find the file with `lungline quarantine list`; send the original again if it was damaged on its way.",
    )
    UNSUPPORTED_FORMAT = (
        "unsupported_format",
        "The file is an image format, or has a DICOM transfer syntax, that Lungline does not read.",
        "Have the PACS send DICOM that is uncompressed or in RLE, JPEG, JPEG-LS or JPEG 2000; export pictures as PNG or JPEG.",
    )
    TRUNCATED = (
        "truncated",
        "The file ends before its pixels do, or the last pixels were never written.",
        "Wait first: Lungline checks again after 1 and 10 minutes, in case the file was still being written. If it stays "
        "truncated, send it again.",
    )
    NO_PIXELS = "no_pixels", "The DICOM object has no pixel data; it may be a report.", "Have the PACS send images only."
    TOO_LARGE = (
        "too_large",
        "The image would need more memory than one scan may use, or the file is larger than 512 MiB.",
        "Send a smaller rendering of the image, or its frames in several files.",
    )
    READER_DIED = (
        "reader_died",
        "The process that read the file crashed twice.",
        "Do not send the file again; report it to Lungline's developers with the versions that `lungline doctor` prints.",
    )
    READER_TIMEOUT = (
        "reader_timeout",
        "Reading the file took longer than the time limit, twice.",
        "Send a smaller rendering; if the machine was under heavy load, release the scan with `lungline quarantine release`.",
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
        "An error in Lungline itself stopped the reading of this file; other files are not affected.",
        "Report it to Lungline's developers with the line of the log that names this error; release the scan after an update.",
    )
    # rejected: the image was read, and the models do not know its kind; `not_frontal` is for review where the picture alone says so
    NOT_CHEST = (
        "not_chest",
        "The image is neither a chest X-ray nor a lung CT slice.",
        "Nothing. If Lungline is wrong about a kind of picture, its admission network must be trained on more of that kind.",
    )
    OWN_RESULT = (
        "own_result",
        "This is a result that Lungline itself made; it belongs to no study here, so that it leads to no further result.",
        "Nothing. The PACS need not send series 9901 and 9902 back to Lungline.",
    )
    NOT_FRONTAL = (
        "not_frontal",
        "This is a lateral or oblique X-ray, or a CT localiser (scout); the networks know only frontal films and axial slices.",
        "If it was rejected, nothing: its header says so. If it is for review, only the picture looks lateral: look at the image.",
    )
    NOT_AXIAL = (
        "not_axial",
        "This is a CT image in a coronal, sagittal, oblique or curved plane, or a reformat without a plane; the networks know only "
        "axial slices.",
        "Have the PACS send the axial series that such images are made from.",
    )
    NOT_HOUNSFIELD = (
        "not_hounsfield",
        "The CT values are not Hounsfield units: the header gives another unit, such as an atomic number, or a scale that has no air.",
        "Have the PACS send the series in Hounsfield units.",
    )
    # review: the networks read the image, and something else speaks against trusting them
    POLARITY_IN_DOUBT = (
        "polarity_in_doubt",
        "Black and white may be swapped in this image, or its gray values are raw values of the detector. "
        "If only the picture looks like a negative, black and white were swapped back before it was read.",
        "Look at the image. Have the device or the PACS send it FOR PRESENTATION, with the right polarity in its header.",
    )
    NOT_UPRIGHT = (
        "not_upright",
        "This X-ray seems to lie on its side or upside down; if so, it was turned upright before it was read.",
        "Look at the film. If it is turned, have the device or the PACS send it upright.",
    )
    PROJECTION = (
        "projection",
        "This CT image shows the highest or lowest value along each ray (MIP or MinIP); the networks know only plain slices.",
        "Look at the image. Have the PACS send plain slices.",
    )
    BODY_PART_IN_DOUBT = (
        "body_part_in_doubt",
        "The header names a body part other than the chest, but the picture looks like a chest.",
        "Look at the image. If it is a chest, correct the body part at the device or in the PACS.",
    )
    BLANK_END = (
        "blank_end",
        "The lower part of the picture is exactly zero, as in a file that was not completely written.",
        "Look at the image. If its lower part is missing, send it again.",
    )
    STILL_WRITTEN = (
        "still_written",
        "Another process still had the file open for writing when it was read.",
        "Find out which program keeps the file open. If it writes more, the file is read again.",
    )
    # of a series: its slices were read, and something speaks against trusting what they show together
    SLICES_MISSING = (
        "slices_missing",
        "Slices are missing within the series, or fewer came than its header says there are.",
        "Have the PACS send the series again: slices that are sent twice count once.",
    )
    NO_LUNG_SLICES = (
        "no_lung_slices",
        "No slice of the series shows enough of the lungs.",
        "Look at the series. If it is of the chest, have the PACS send the axial series of the lungs.",
    )
    VIEW_IN_DOUBT = (
        "view_in_doubt",
        "The header mentions a lateral, turned or lying-down film, or a plane other than axial, but does not say it clearly.",
        "Look at the image. If it is a frontal film or an axial slice, correct its view or description at the device or in the PACS.",
    )
    # of a delivery
    TARGET_AWAY = (
        "target_away",
        "The target of a delivery could not be reached, or did not answer in time.",
        "Check that the target runs, and its name in `LUNGLINE_DELIVER_TO`. Lungline tries for a day; then `lungline deliver retry`.",
    )
    TARGET_REFUSED = (
        "target_refused",
        "The target of a delivery was reached, and did not take the object.",
        "Let the target accept Secondary Capture and Comprehensive SR from Lungline's AE title or user; then `lungline deliver retry`.",
    )
