"""A process that is kept alive: the pauses between its starts, and its log."""

from pathlib import Path

from supervisor.child import Child, RestartPauses


def test_pauses_are_capped_and_forgotten_after_a_minute() -> None:
    pauses = RestartPauses()
    assert [pauses.next(lived=0.1) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert pauses.next(lived=61) == 1


def test_logs_do_not_grow_without_end(tmp_path: Path) -> None:
    log = tmp_path / "talker.log"
    with log.open("ab") as output:
        output.write(b"first\n" * 2_000_000)
        output.flush()
        Child("talker", list).trim_log(tmp_path)
        output.write(b"second\n")
    assert log.read_bytes() == b"second\n"
    assert (tmp_path / "talker.log.1").stat().st_size == 12_000_000
