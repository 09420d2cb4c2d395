"""`lungline up`: starting, stopping, two homes, one home twice; and the other settings that a site may need."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.drops import backlog, good, put
from tests.acceptance.stack import Stack


def test_two_homes_run_side_by_side_and_one_home_once(
    make_stack: Callable[..., Stack], no_process_left: Callable[[Path], list[str]]
) -> None:
    first, other = make_stack(), make_stack()
    first.up()
    second = first.run("up")
    assert second.returncode == 1
    assert "already runs" in second.stderr
    other.up()
    assert first.status()["flower"] != other.status()["flower"]
    put(first.inbox, good(8, seed=11))
    put(other.inbox, good(6, seed=12))
    assert first.await_verdicts(8)["done"] == 8
    assert other.await_verdicts(6)["done"] == 6
    for stack, how in ((first, signal.SIGTERM), (other, signal.SIGINT)):
        code, said = stack.down(how)
        assert code == 0, said
        assert "Research use only" in said
        assert str(stack.inbox) in said
        assert no_process_left(stack.home) == []
        assert stack.run("status").returncode == 1
        assert json.loads(stack.run("status").stdout)["processes"] == {}


def test_a_stop_loses_nothing_and_the_next_start_goes_on(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.up()
    scans = backlog(300, seed=13)
    put(stack.inbox, scans)
    stack.until(lambda: stack.status()["done"] > 10, 90, "begun")
    assert stack.down()[0] == 0
    counts = stack.status()
    assert counts["reading"] == 0
    assert counts["done"] < 300
    stack.up()
    assert stack.await_verdicts(300, 180)["done"] == 300
    stack.has_all_accounted()


def test_postgresql_a_read_only_share_and_polling(make_stack: Callable[..., Stack], postgres_url: str) -> None:
    stack = make_stack(DATABASE_URL=postgres_url, INTAKE="leave", OBSERVER="polling", QUIET_SECONDS="0.5")
    scans = good(12, seed=14)
    put(stack.inbox, scans[:6])
    stack.up()
    put(stack.inbox, scans[6:])
    assert stack.await_verdicts(12)["done"] == 12
    assert sum(path.is_file() for path in stack.inbox.rglob("*")) == 12
    stack.has_all_accounted()
    stack.down()
    stack.up()
    assert stack.await_verdicts(12)["files"] == 12  # what stayed is not taken in again
    rows = [json.loads(line) for line in stack.run("results", "--json", "--limit", "50").stdout.splitlines()]
    assert len(rows) == 12
    stack.down()  # before its database goes
