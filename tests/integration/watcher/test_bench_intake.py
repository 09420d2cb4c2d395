"""The measurement of intake itself, with a real watcher and a real Redis."""

import pytest

from operations.bench.intake import measure
from supervisor import own_broker


def test_it_measures_a_real_watcher() -> None:
    cost = measure(300, own_broker.command)
    assert cost.files == 300
    assert cost.files_per_second == pytest.approx(300 / cost.seconds)
    assert 20_000 < cost.peak_rss_kib < 500_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_what_is_dropped() -> None:
    some, many = measure(20_000, own_broker.command), measure(60_000, own_broker.command)
    assert many.peak_rss_kib < 1.15 * some.peak_rss_kib
