"""What `lungline up` shows of its counts, on a terminal and in a log."""

import json

import pytest

from supervisor import display

_COUNTS: dict[str, int | float | None] = {
    "files": 7,
    "accepted": 5,
    "duplicates": 1,
    "refused": 1,
    "scans": 5,
    "waiting": 2,
    "reading": 1,
    "done": 2,
    "quarantined": 0,
    "oldest_waiting_seconds": 12.4,
}


def test_the_live_line() -> None:
    assert display.sentence(_COUNTS, ready=True) == (
        "running · 7 files · 2 waiting · 1 reading · 2 done · 0 quarantined · 1 duplicates · 1 refused · the oldest has waited 12 s"
    )
    assert "1 refused · 3 unpacked ·" in display.sentence({**_COUNTS, "unpacked": 3}, ready=True)
    assert display.sentence(None, ready=False) == "starting"
    assert display.sentence(None, ready=True) == "running · the database does not answer"


def test_lines_come_when_counts_have_changed_and_not_too_often(capsys: pytest.CaptureFixture[str]) -> None:
    lines = display.LogLines()
    lines.show(None, ready=True)
    lines.show(_COUNTS, ready=True)
    lines.show({**_COUNTS, "oldest_waiting_seconds": 13.0}, ready=True)
    lines.show({**_COUNTS, "done": 3}, ready=True)
    said = capsys.readouterr()
    assert (said.out + said.err).count("counts") == 1
    assert json.dumps(_COUNTS["done"]) in said.out + said.err
