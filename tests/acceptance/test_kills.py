"""Processes are killed while scans flow: nothing is lost, nothing is doubled, and nobody has to lend a hand."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.acceptance.drops import backlog, bad, good, put
from tests.acceptance.stack import Stack
from tests.servers import Broker
from tests.waiting import wait_for

REFUSED = 1  # of `bad`


def flows(stack: Stack, done: int) -> None:
    """Waits until so many scans are done, so that a kill hits the middle."""
    stack.until(lambda: stack.status()["done"] >= done, 120, f"done with {done}")


def ends_well(stack: Stack, files: int, quarantined: int = 0, refused: int = 0) -> None:
    counts = stack.await_verdicts(files, 240)
    assert (counts["duplicates"], counts["refused"], counts["quarantined"]) == (0, refused, quarantined)
    assert counts["done"] == files - refused - quarantined
    stack.has_all_accounted()
    verdicts = stack.query("SELECT count(*) AS n, count(DISTINCT scan_id) AS scans FROM scan_history")
    assert verdicts == [{"n": counts["done"], "scans": counts["done"]}]


def test_worker_watcher_and_redis_are_killed(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.up()
    scans = [*good(40, seed=1), *backlog(300, seed=1), *bad()]
    put(stack.inbox, scans[:200])
    flows(stack, 20)
    stack.kill("inference-0")
    put(stack.inbox, scans[200:])
    time.sleep(1.2)
    stack.kill("watch")
    stack.until(lambda: {"watch", "inference-0"} <= stack.status()["processes"].keys(), 90, "started again")
    stack.kill("redis")
    stack.until(lambda: bool(stack.status()["ready"]), 120, "ready again")
    address = (stack.home / "secrets" / "broker.url").read_text().strip()
    redis.Redis.from_url(address).flushall()
    ends_well(stack, len(scans), quarantined=len(bad()) - REFUSED, refused=REFUSED)
    code, said = stack.down()
    assert code == 0
    assert "inference-0" in said  # its death was told


def test_everything_is_killed_at_once(make_stack: Callable[..., Stack], no_process_left: Callable[[Path], list[str]]) -> None:
    stack = make_stack()
    stack.up()
    scans = backlog(300, seed=2)
    put(stack.inbox, scans[:250])
    flows(stack, 20)
    for name, pid in sorted(stack.status()["processes"].items(), key=lambda each: each[0] != "up"):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            assert name != "up"  # the others die with it
    stack.forget()
    wait_for(lambda: no_process_left(stack.home) == [], "the end of all processes")
    put(stack.inbox, scans[250:])
    stack.up()
    ends_well(stack, len(scans))


def test_an_outside_redis_is_away(make_stack: Callable[..., Stack], fresh_broker: Broker) -> None:
    stack = make_stack(BROKER_URL=fresh_broker.url)
    stack.up()
    assert "redis" not in stack.status()["processes"]
    scans = backlog(300, seed=3)
    put(stack.inbox, scans[:150])
    flows(stack, 10)
    fresh_broker.kill()
    put(stack.inbox, scans[150:])
    time.sleep(5)
    stack.until(lambda: stack.status()["files"] == len(scans), 60, "taking in without Redis")
    fresh_broker.start()
    ends_well(stack, len(scans))


@pytest.mark.slow
def test_an_outside_redis_is_away_for_a_minute_and_more(make_stack: Callable[..., Stack], fresh_broker: Broker) -> None:
    stack = make_stack(BROKER_URL=fresh_broker.url)
    stack.up()
    scans = backlog(200, seed=4)
    for round_, start in enumerate(range(0, 200, 100)):
        put(stack.inbox, scans[start : start + 100])
        flows(stack, start + 5)
        fresh_broker.kill()
        time.sleep(75)
        fresh_broker.start()
        stack.await_verdicts(100 * (round_ + 1), 240)
    ends_well(stack, len(scans))
