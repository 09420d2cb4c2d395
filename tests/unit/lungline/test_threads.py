"""A thread that repeats a step goes on whatever the step raises, and ends when it is stopped."""

import threading

from structlog.testing import capture_logs

from lungline.errors import BrokerError
from lungline.threads import Repeating
from tests.waiting import wait_for


def test_step_that_raises_is_logged_once_and_repeated() -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps < 4:
            raise ValueError("a name that nobody may read") if steps < 3 else BrokerError("Redis is away.")

    with capture_logs() as logs:
        thread = Repeating("test", 0.001, step, "not stepping")
        thread.start()
        wait_for(lambda: steps > 5)
        thread.stop()

    answer = [(line["event"], line.get("error"), line.get("advice")) for line in logs]
    assert answer == [
        ("not stepping", "ValueError", "unexpected; see `lungline doctor`"),
        ("not stepping", "BrokerError", "Redis is away."),
        ("goes on", None, None),
    ]
    assert "nobody may read" not in str(logs)


def test_wake_makes_the_next_step_due_now() -> None:
    stepped = threading.Semaphore(0)
    thread = Repeating("test", 600, lambda: stepped.release(), "not stepping")
    thread.start()
    assert stepped.acquire(timeout=20)
    thread.wake()
    assert stepped.acquire(timeout=20)
    thread.stop()


def test_step_says_when_the_next_is_due() -> None:
    stepped = threading.Semaphore(0)

    def step() -> float:
        stepped.release()
        return 0.001

    thread = Repeating("test", 600, step, "not stepping")
    thread.start()
    for _ in range(3):
        assert stepped.acquire(timeout=20)
    thread.stop()
    assert thread.is_stopping
