"""An admin pauses the reading of scans and resumes it: nothing is read meanwhile, and nothing is lost."""

import time
from collections.abc import Callable

import pytest

from imaging.phantoms import phantom
from tests.acceptance.stack import Stack
from tests.corpus.files import png

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    stack = make_stack()
    stack.up()
    return stack


def test_a_paused_queue_waits_and_goes_on(stack: Stack) -> None:
    assert "is paused" in stack.run("queue", "pause", "scans").stdout
    for number in range(4):
        (stack.inbox / f"{number}.png").write_bytes(png((phantom("xray", number) >> 8).astype("uint8")))
    (stack.inbox / "stat").mkdir(exist_ok=True)
    (stack.inbox / "stat" / "urgent.png").write_bytes(png((phantom("xray", 9) >> 8).astype("uint8")))
    stack.until(lambda: stack.status()["done"] == 1, 120, "the urgent scan's verdict")
    stack.until(lambda: stack.status()["waiting"] == 4, 60, "all others taken in")
    time.sleep(3)  # of several turns of the dispatcher
    status = stack.status()
    assert (status["waiting"], status["done"], status["paused_queues"]) == (4, 1, ["scans"])
    assert stack.query("SELECT waiting, paused FROM backlog WHERE queue = 'scans' AND kind = 'read'") == [{"waiting": 4, "paused": 1}]

    assert "is resumed" in stack.run("queue", "resume", "scans").stdout
    stack.await_verdicts(5)
    assert stack.run("queue", "pause", "nothing").returncode == 1
