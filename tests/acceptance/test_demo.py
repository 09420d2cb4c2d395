"""`lungline demo`: what a newcomer sees, without data, network or a running Lungline."""

from collections.abc import Callable
from pathlib import Path

from tests.acceptance.stack import Stack


def test_the_demo_shows_what_is_read_and_what_is_turned_away(
    make_stack: Callable[..., Stack], no_process_left: Callable[[Path], list[str]]
) -> None:
    stack = make_stack(DATABASE_URL="sqlite:////nowhere/lungline.db")
    for greeting in ("", "again: "):  # the second time all are duplicates
        said = stack.run("demo", timeout=240)
        assert said.returncode == 0, said.stderr
        assert "synthetic" in said.stderr
        assert "Research use only" in said.stderr
        read, turned_away = said.stdout.split("Without a finding")
        for name in ("film 0.png", "film 1.jpg", "film 2.dcm", "slice 3.png", "slice 5.dcm"):
            (line,) = (line for line in read.splitlines() if name in line)
            assert greeting in line
            assert ", accepted" in line or ", review" in line
        assert "3 files, 3 scans done" in next(line for line in read.splitlines() if "study.zip" in line)
        for name, reason in (
            ("letter.png", "not_chest"),
            ("empty.png", "empty"),
            ("half a slice.dcm", "truncated"),
            ("text.jpg", "not_an_"),
        ):
            (line,) = (line for line in turned_away.splitlines() if name in line)
            assert reason in line
    assert not (stack.home / "lungline.db").exists()
    assert no_process_left(stack.home / "demo") == []
