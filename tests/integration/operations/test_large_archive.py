"""How long views of studies take at 20,000 series and a million scans, on both databases."""

import sys

import pytest
from sqlalchemy import Engine, text

from operations.bench import archive
from operations.bench.archive import QUERIES, fill, seconds, slices_seconds

SECONDS_MAX = 0.1
AGGREGATES = {"series_results, all 20,000"}  # that read every row


def test_an_archive_is_whole(engine: Engine) -> None:
    with engine.begin() as connection:
        fill(connection, series=8, slices=5)
        counts = {
            view: connection.scalar(text(f"SELECT count(*) FROM {view}"))
            for view in ("scan_results", "series_results", "study_results", "study_worklist")
        }
        of_series = text("SELECT slices, (SELECT count(*) FROM scan_results s WHERE s.series_key = r.series_key) FROM series_results r")
        assert {tuple(row) for row in connection.execute(of_series)} == {(5, 5)}
        assert set(connection.scalars(text("SELECT prior_studies FROM study_results"))) == {0, 1}
    assert counts == {"scan_results": 40, "series_results": 8, "study_results": 4, "study_worklist": 4}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="figures of a machine that is known")
def test_views_of_a_large_archive_take_a_tenth_of_a_second(engine: Engine) -> None:
    with engine.begin() as connection:
        fill(connection)
    with engine.connect() as connection:
        found = {name: min(seconds(connection, query) for _ in range(3)) for name, query in QUERIES.items()}
        found["slices"] = min(slices_seconds(connection) for _ in range(3))
    print({name: round(1000 * took, 1) for name, took in found.items()}, archive.SERIES)
    assert {name: took for name, took in found.items() if took > SECONDS_MAX and name not in AGGREGATES} == {}
