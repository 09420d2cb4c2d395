"""Hostile files among good ones: every good one gets its verdict, every bad one its reason, and the worker is the same as before."""

from collections.abc import Callable
from itertools import zip_longest

import pytest

from lungline.reasons import Reason
from tests.acceptance.drops import DroppedFile, backlog, good, put
from tests.acceptance.stack import Stack
from tests.corpus.hostile import hostile

BLAMED = {Reason.READER_DIED, Reason.READER_TIMEOUT}


@pytest.mark.parametrize(
    "count",
    [50, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_hostile_files_harm_nobody_else(make_stack: Callable[..., Stack], count: int) -> None:
    bad = hostile(count)
    scans = [*good(count // 3, seed=31), *backlog(count - count // 3, seed=31)]
    stack = make_stack()
    stack.up()
    before = stack.status()["processes"]
    mixed = zip_longest(scans, (DroppedFile(f"from outside/{name}", data) for name, data in bad.items()))
    put(stack.inbox, [drop for pair in mixed for drop in pair if drop is not None])
    counts = stack.await_verdicts(2 * count, 300)
    reasons = stack.reasons()
    assert reasons.keys() == bad.keys()
    assert set(reasons.values()) <= set(Reason)
    assert counts["done"] == counts["scans"] - counts["quarantined"] == count
    assert counts["refused"] + counts["quarantined"] == count
    if not BLAMED & set(reasons.values()):
        assert stack.status()["processes"] == before
    stack.has_all_accounted()
