"""Where results are sent, as the setting says it."""

from pathlib import Path

import pytest

from lungline.targets import Entity, Folder, Web, parse_targets


def test_targets_are_read_in_their_order() -> None:
    found = parse_targets("folder:/srv/out, dicom:PACS ONE@10.1.2.3:11112,dicom:P@[::1]:104,dicomweb:https://pacs/dicom-web/,")
    assert list(found.values()) == [
        Folder(Path("/srv/out")),
        Entity("PACS ONE", "10.1.2.3", 11112),
        Entity("P", "::1", 104),
        Web("https://pacs/dicom-web"),
    ]
    assert next(iter(found)) == "folder:/srv/out"


def test_nothing_is_no_target() -> None:
    assert parse_targets("") == {}


@pytest.mark.parametrize(
    "malformed",
    [
        "folder:out",
        "folder:",
        "dicom:PACS",
        "dicom:PACS@host",
        "dicom:PACS@host:0",
        "dicom:PACS@host:70000",
        "dicom:A\\B@host:104",
        "dicom:SEVENTEEN-LETTERS@host:104",
        "dicomweb:ftp://host",
        "dicomweb:https://",
        "dicomweb:https://user:secret@host/",
        "dicomweb:https://host:port/",
        "mail:a@b",
        "folder:/" + 200 * "x",
    ],
)
def test_a_malformed_target_is_refused(malformed: str) -> None:
    with pytest.raises(ValueError, match=r"target|must be"):
        parse_targets(malformed)
