"""How long the views take of studies in a large archive: as many CT series as a hospital makes in years, written by SQL in a minute."""

import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from db import series as series_rows
from db.connect import read_only
from db.migrate import open_database
from db.series import Series, SeriesName
from lungline.progress import steps
from operations.bench.figures import BenchFigure, Part
from operations.own_stack import settings_for

SERIES: Final = 20_000
SLICES: Final = 50
"""Of each series: a million scans together."""

# n counts scans, or series. A study has two series, a patient two studies; the latest scan came now, each other four seconds before.
_COUNT: Final = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
_ID: Final = "cast(1000000000 + {} as text)"
_AGO: Final = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', printf('%+.3f seconds', -4.0 * ({last} - {n})))",
    "postgresql": "now() - make_interval(secs => 4.0 * ({last} - {n}))",
}
_SCANS: Final = (
    "INSERT INTO files (id, outcome, sha256, bytes, priority, received_at) {count} SELECT {id}, 'accepted', {id}, 1, 'scans', {ago} "
    "FROM numbers",
    "INSERT INTO scans (id, file_id, sha256, frame, priority, received_at, modality, patient_key, study_key, series_key, image_key,"
    " orientation, instance_number, slice_position_mm, lung_share, header_version)"
    " {count} SELECT {id}, {id}, {id}, 1, 'scans', {ago}, 'ct', {patient}, {study}, {series}, {id}, 'axial', n % {slices},"
    " 2.0 * (n % {slices}), 0.4, 1 FROM numbers",
    "INSERT INTO verdicts (id, scan_id, ensemble, finding, probability, status, finished_at)"
    " {count} SELECT {id}, {id}, 'ct-1', CASE WHEN n % 3 = 0 THEN 'covid19' ELSE 'non_covid' END, 0.5 + (n % 500) / 1000.0,"
    " CASE WHEN n % 7 = 0 THEN 'review' ELSE 'accepted' END, {ago} FROM numbers",
    "INSERT INTO probabilities (verdict_id, finding, probability) {count} SELECT {id}, 'covid19', 0.5 FROM numbers",
    "INSERT INTO probabilities (verdict_id, finding, probability) {count} SELECT {id}, 'non_covid', 0.5 FROM numbers",
)
_SERIES: Final = (
    "INSERT INTO studies (id, study_key, patient_key, created_at) {count} SELECT {id}, {id}, {patient}, {ago} FROM numbers",
    "INSERT INTO study_assessments (id, study_id, finding, probability, status, stage, priority, first_received_at, finished_at,"
    " modalities, series, scans) {count} SELECT {id}, {id}, 'covid19', 0.5, 'review', 'final', 'scans', {ago},"
    " {ago}, '[\"ct\"]', 2, 2 * {slices} FROM numbers",
)
_OF_STUDIES: Final = (
    "INSERT INTO series (id, study_id, series_key, modality, last_scan_at) {count} SELECT {id}, {study}, {id}, 'ct', {ago} FROM numbers",
    "INSERT INTO series_assessments (id, series_id, finding, probability, status, stage, priority, first_received_at, finished_at, slices,"
    " slices_used, gaps, ensemble, rule, inputs) {count} SELECT {id}, {id}, 'covid19', 0.5, 'review', 'final', 'scans', {ago}, {ago},"
    " {slices}, {slices}, 0, 'ct-1', 'r-1', '{{}}' FROM numbers",
)
_MIDDLE: Final = str(1_000_000_000 + SERIES // 4)  # a study

QUERIES: Final = {
    "scan_results, the newest 20": "SELECT * FROM scan_results ORDER BY finished_at DESC, scan_id DESC LIMIT 20",
    "scan_results, one scan": f"SELECT * FROM scan_results WHERE scan_id = '{_MIDDLE}'",
    "worklist, the first 20": "SELECT * FROM worklist LIMIT 20",
    "study_results, the newest 20": "SELECT * FROM study_results ORDER BY finished_at DESC, study_key DESC LIMIT 20",
    "study_results, one study": f"SELECT * FROM study_results WHERE study_key = '{_MIDDLE}'",
    "study_worklist, the first 20": "SELECT * FROM study_worklist LIMIT 20",
    "series_results, those of a study": f"SELECT * FROM series_results WHERE study_key = '{_MIDDLE}'",
    "series_history, that of a series": f"SELECT * FROM series_history WHERE series_key = '{_MIDDLE}'",
    "series_results, all 20,000": "SELECT count(*), sum(turnaround_seconds) FROM series_results",
    "study_label_agreement, without labels": "SELECT * FROM study_label_agreement",
}


def fill(connection: Connection, series: int = SERIES, slices: int = SLICES) -> None:
    """Makes an empty database that of a large archive, whose every series and study is assessed. Four series have one patient."""
    for statements, last, each in ((_SCANS, series * slices, slices), (_SERIES, series // 2, 1), (_OF_STUDIES, series, 1)):
        of_series = f"n / {each}"
        of_study = "n" if statements is _SERIES else f"n / {2 * each}"
        made_of = {
            "count": _COUNT.format(last=last - 1),
            "id": _ID.format("n"),
            "series": _ID.format(of_series),
            "study": _ID.format(of_study),
            "patient": _ID.format("n / 2" if statements is _SERIES else f"n / {4 * each}"),
            "slices": slices,
            "ago": _AGO[connection.dialect.name].format(last=last - 1, n="n"),
        }
        for statement in statements:
            connection.execute(text(statement.format(**made_of).replace(":", "\\:")))
    connection.execute(text("ANALYZE"))


def seconds(connection: Connection, query: str) -> float:
    """How long a query takes, all its rows fetched."""
    began = time.perf_counter()
    connection.execute(text(query)).all()
    return time.perf_counter() - began


def slices_seconds(connection: Connection) -> float:
    """How long an assessment's own query takes: the slices of one series."""
    began = time.perf_counter()
    name = SeriesName(_key(SERIES // 8), _key(SERIES // 4), _key(SERIES // 2), "ct")
    found = series_rows.slices(connection, Series("", "", name, 0.0, False))
    assert len(found) == SLICES
    return time.perf_counter() - began


def measure(folder: Path, rounds: int) -> list[BenchFigure]:
    """Times each query in an archive of `SERIES` series in SQLite."""
    engine = open_database(settings_for(folder / "home-archive"))
    figures = []
    with steps("views", len(QUERIES) + 2) as step:
        began = time.perf_counter()
        with engine.begin() as connection:
            fill(connection)
        written = [time.perf_counter() - began]
        step()
        of = f"{SERIES * SLICES:,} scans, {SERIES:,} series, SQLite"
        figures.append(BenchFigure.over(Part.VIEWS, of, "writing them by SQL", "s", written))
        with read_only(engine).connect() as connection:
            for what, query in QUERIES.items():
                took = [1000 * seconds(connection, query) for _ in range(rounds)]
                figures.append(BenchFigure.over(Part.VIEWS, of, what, "ms", took))
                step()
            took = [1000 * slices_seconds(connection) for _ in range(rounds)]
            figures.append(BenchFigure.over(Part.VIEWS, of, "the slices of a series, to assess it", "ms", took))
            step()
    engine.dispose()
    return figures


def _key(number: int) -> str:
    return str(1_000_000_000 + number)
