"""Readers may crash, hang and swell: one task pays for it, and no process outlives the pool or its owner."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from imaging.isolate import ReaderDied, ReaderPool, ReadersStopped, ReaderTimedOut
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus.catalogue import bad, good
from tests.waiting import wait_for

ACT = "tests.unit.imaging.poisons:act"
GIGABYTE = 2**30
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    shared = ReaderPool(ACT, 2, timeout=2.0, memory_bytes=GIGABYTE)
    yield shared
    shared.close()


def outcome(pool: ReaderPool, kind: str, number: int = 0) -> object:
    try:
        return pool.run(kind, number)
    except UnreadableScan as error:
        return error.reason
    except (ReaderDied, ReaderTimedOut) as error:
        return type(error)


def test_results_come_back(pool: ReaderPool) -> None:
    assert pool.run("square", 12) == 144
    tensor = pool.run("tensor", 7)
    assert tensor.dtype == np.float32
    assert tensor.shape == (512, 512)
    assert (tensor == 7).all()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("segfault", ReaderDied),
        ("exit", ReaderDied),
        ("bug", ReaderDied),
        ("hang", ReaderTimedOut),
        ("hang in C", ReaderTimedOut),
        ("memory", Reason.TOO_LARGE),
        ("unreadable", Reason.NO_PIXELS),
    ],
)
def test_what_goes_wrong_is_told_apart_and_the_next_task_runs(pool: ReaderPool, kind: str, expected: object) -> None:
    assert outcome(pool, kind) == expected
    assert [pool.run("square", number) for number in range(4)] == [0, 1, 4, 9]


def test_50_good_tasks_among_poisoned_ones_from_many_threads(pool: ReaderPool) -> None:
    poisons = ["segfault", "memory", "exit", "segfault", "bug", "hang"]
    tasks = [("square", number) for number in range(50)]
    for place, kind in enumerate(poisons):
        tasks.insert(8 * place, (kind, 0))
    with ThreadPoolExecutor(12) as threads:
        outcomes = list(threads.map(lambda task: outcome(pool, *task), tasks))
    assert [got for (kind, _), got in zip(tasks, outcomes, strict=True) if kind == "square"] == [number**2 for number in range(50)]
    assert [got for (kind, _), got in zip(tasks, outcomes, strict=True) if kind != "square"] == [
        *(ReaderDied, Reason.TOO_LARGE, ReaderDied, ReaderDied, ReaderDied, ReaderTimedOut)
    ]


def test_only_our_own_words_come_out(pool: ReaderPool, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreadableScan) as unreadable:
        pool.run("unreadable")
    assert unreadable.value.detail == "Our own words."
    with pytest.raises(ReaderDied) as died:
        pool.run("bug")
    assert str(died.value) == "The reader failed with ValueError."
    pool.run("shout")
    assert capfd.readouterr() == ("", "")


def test_a_child_that_dies_idle_is_nobodys_fault(pool: ReaderPool) -> None:
    for _ in range(3):
        os.kill(pool.run("pid"), signal.SIGKILL)
        time.sleep(0.05)
        assert pool.run("square", 5) == 25


def test_children_use_one_thread_each(pool: ReaderPool) -> None:
    assert pool.run("threads") == 1


def test_signals_for_the_whole_service_do_not_reach_readers() -> None:
    with_own_children(
        """
        import signal
        task = threading.Thread(target=lambda: print("answer", pool.run("wait", 3), flush=True))
        task.start()
        time.sleep(0.1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        os.killpg(0, signal.SIGINT)
        task.join()
        print("again", pool.run("square", 4), flush=True)
        """,
        lambda owner, output: output == ["answer 9", "again 16"],
    )


def test_an_owner_that_ends_without_closing_does_not_hang() -> None:
    with_own_children("print('bye', flush=True)", lambda owner, output: output == ["bye"] and owner.wait(10) == 0)


@pytest.mark.parametrize("kind", ["idle", "hang", "hang in C"])
def test_no_reader_outlives_an_owner_that_is_killed(kind: str) -> None:
    def kill(owner: subprocess.Popen[str], output: list[str]) -> bool:
        owner.kill()
        return output == ["ready"]

    with_own_children(
        f"""
        if {kind!r} != "idle":
            for _ in range(2):
                threading.Thread(target=pool.run, args=({kind!r},), daemon=True).start()
            time.sleep(0.3)
        print("ready", flush=True)
        time.sleep(60)
        """,
        kill,
        lines=1,
    )


def test_closing_ends_tasks_that_run_and_tasks_that_wait() -> None:
    pool = ReaderPool(ACT, 1, timeout=60, memory_bytes=GIGABYTE)
    child = pool.run("pid")
    with ThreadPoolExecutor(3) as threads:
        tasks = [threads.submit(pool.run, "hang") for _ in range(3)]
        time.sleep(0.3)
        before = time.monotonic()
        pool.close()
        for task in tasks:
            with pytest.raises(ReadersStopped):
                task.result(5)
    assert time.monotonic() - before < 3
    assert not is_running(child)
    with pytest.raises(ReadersStopped):
        pool.run("square", 2)
    pool.close()


def test_a_reader_that_cannot_start_is_told_at_once() -> None:
    with pytest.raises(ReadersStopped):
        ReaderPool("tests.unit.imaging.poisons:missing", 1, timeout=1, memory_bytes=GIGABYTE)


def test_hundreds_of_tasks_leak_no_descriptors_or_memory(pool: ReaderPool) -> None:
    def held() -> tuple[int, int]:
        pages = int(Path(f"/proc/{pool.run('pid')}/statm").read_text().split()[1])
        return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE")

    for kind in ("tensor", "exit", "tensor", "exit", "tensor", "tensor"):
        outcome(pool, kind)
    descriptors, memory = held()
    for number in range(300):
        pool.run("tensor", number)
    for _ in range(4):
        outcome(pool, "segfault")
    after_descriptors, after_memory = held()
    assert after_descriptors <= descriptors + 2
    assert after_memory <= memory + 20 * 2**20


def test_the_corpus_is_read_in_isolation() -> None:
    pool = ReaderPool("imaging.read:read", 2, timeout=20, memory_bytes=GIGABYTE)
    try:
        for data in good().values():
            assert pool.run(data).pixels.shape == (256, 256)
        for data, reason in bad().values():
            with pytest.raises(UnreadableScan) as error:
                pool.run(data)
            assert error.value.reason is reason
    finally:
        pool.close()


def with_own_children(body: str, check: Callable[[subprocess.Popen[str], list[str]], bool], lines: int | None = None) -> None:
    """Runs `body` in a process that owns a pool, then asserts `check` of its output and that its readers are gone."""
    script = "import os, threading, time\nfrom imaging.isolate import ReaderPool\nif __name__ == '__main__':\n" + textwrap.indent(
        f"pool = ReaderPool({ACT!r}, 2, timeout=30, memory_bytes={GIGABYTE})\nprint(pool.run('pid'), flush=True)\ninput()\n"
        + textwrap.dedent(body),
        "    ",
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert owner.stdin is not None
        assert owner.stdout is not None
        assert is_running(int(owner.stdout.readline()))
        family = descendants(owner.pid)
        assert len(family) >= 3  # fork server and two readers
        owner.stdin.write("\n")  # looked at; it may go on, and end
        owner.stdin.flush()
        output = [owner.stdout.readline().strip() for _ in range(lines)] if lines else owner.stdout.read().split("\n")[:-1]
        assert check(owner, output)
        owner.wait(10)
        wait_for(lambda: not any(map(is_running, family)), "the end of the family")
    finally:
        owner.kill()
        owner.wait(10)


def descendants(pid: int) -> list[int]:
    """Children of a process and theirs."""
    family = [pid]
    for member in family:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            family += [int(child) for child in task.read_text().split()]
    return family[1:]


def is_running(pid: int) -> bool:
    """Whether a process does anything yet; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_is_running_knows_the_living_from_the_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(process.pid)
    process.kill()
    wait_for(lambda: not is_running(process.pid), "its end")
    process.wait(5)


@pytest.mark.parametrize("is_there", [True, False])
def test_readers_start_whatever_the_path_of_temporary_files(is_there: bool, tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 30)
    if is_there:
        folder.mkdir()
    script = f"""
        from imaging.isolate import ReaderPool
        pool = ReaderPool({ACT!r}, 1, timeout=20.0, memory_bytes={GIGABYTE})
        print(pool.run("square", 12))
        pool.close()
    """
    environment = {**os.environ, "TMPDIR": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert (ended.stdout, ended.returncode) == ("144\n", 0)
    assert not is_there or list(folder.iterdir()) == []
