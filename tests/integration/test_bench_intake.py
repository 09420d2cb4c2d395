"""The measurement of intake itself, with a real watcher and a real Redis."""

import pytest

from cli.bench_intake import measure


def test_it_measures_a_real_watcher() -> None:
    told = measure(300)
    assert told["files"] == 300
    assert told["files_per_second"] == pytest.approx(300 / told["seconds"])
    assert 20_000 < told["peak_rss_kib"] < 500_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_what_is_dropped() -> None:
    some, many = measure(20_000), measure(60_000)
    assert many["peak_rss_kib"] < 1.15 * some["peak_rss_kib"]
