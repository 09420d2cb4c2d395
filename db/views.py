"""The views that analysts query: stable, documented column by column in docs/contract.md, the same on SQLite and PostgreSQL.

They are made anew whenever a migration ran: a change here needs a migration, be it an empty one.
"""

from typing import Final

from sqlalchemy import Connection, text

_SECONDS: Final = {
    "sqlite": "(julianday({late}) - julianday({early})) * 86400.0",
    "postgresql": "extract(epoch from ({late} - {early}))::double precision",
}
_DAY: Final = {"sqlite": "substr({time}, 1, 10)", "postgresql": "to_char({time} at time zone 'UTC', 'YYYY-MM-DD')"}

_NOW: Final = {"sqlite": "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')", "postgresql": "clock_timestamp()"}

QUEUES: Final = (
    ("stat", "read"),
    ("stat", "assess"),
    ("stat", "unpack"),
    ("scans", "read"),
    ("scans", "reread"),
    ("scans", "headers"),
    ("assess", "assess"),
    ("archives", "unpack"),
    ("deliver", "deliver"),
    ("training", "train"),
)
"""Each queue with the kinds of job that lie in it, as jobs/kinds.py has them."""

# Of a correction: the same instance and frame, of the same patient, study and series, in a file that came later, and judged. Ids of files
# sort by when they came, whichever scan was judged first. More files than this with one instance UID, and a device stamps it on all.
_FILES_OF_AN_INSTANCE: Final = 5
_NAMED_ALIKE = "o.image_key = s.image_key AND o.frame = s.frame"
_SAME_PLACE = " AND ".join(f"coalesce(o.{key}, '') = coalesce(s.{key}, '')" for key in ("patient_key", "study_key", "series_key"))
_CORRECTIONS = f"""
    FROM scans o JOIN verdicts c ON c.scan_id = o.id
    WHERE {_NAMED_ALIKE} AND {_SAME_PLACE} AND o.file_id > s.file_id
      AND (SELECT count(*) FROM (SELECT 1 FROM scans o WHERE {_NAMED_ALIKE} LIMIT {_FILES_OF_AN_INSTANCE + 1}) AS alike)
          <= {_FILES_OF_AN_INSTANCE}
"""
_STANDS = f"v.superseded_at IS NULL AND (s.image_key IS NULL OR NOT EXISTS (SELECT 1 {_CORRECTIONS}))"
_CORRECTED_AT = f"(SELECT min(c.finished_at) {_CORRECTIONS})"
_SUPERSEDED_AT = f"coalesce(v.superseded_at, CASE WHEN {_CORRECTED_AT} < v.finished_at THEN v.finished_at ELSE {_CORRECTED_AT} END)"

_RESULT = """
    SELECT s.id AS scan_id, s.sha256, s.frame, s.modality, v.finding, v.probability, v.status, v.reason, v.disagreement, v.entropy,
           v.ensemble, s.patient_key, s.patient_sex, s.patient_age_band, s.study_key, s.series_key, s.image_key, s.view,
           s.manufacturer, s.device_model, s.rows, s.columns, s.priority, s.received_at, v.finished_at,
           {turnaround} AS turnaround_seconds, s.orientation, s.instance_number, s.slice_position_mm, s.body_part{more}
    FROM scans s JOIN verdicts v ON v.scan_id = s.id
"""

# JSON as text for people: a list as `a,b`, names with values as `a 1, b 2`.
_LIST: Final = {
    "sqlite": "coalesce((SELECT group_concat(value, ',') FROM json_each({json})), '')",
    "postgresql": """
        coalesce((SELECT string_agg(value, ',' ORDER BY n)
                  FROM json_array_elements_text({json}) WITH ORDINALITY AS e (value, n)), '')
    """,
}
_PAIRS: Final = {
    "sqlite": "(SELECT group_concat(trim(key || ' ' || value), ', ') FROM json_each({json}))",
    "postgresql": """
        (SELECT string_agg(trim(key || ' ' || value), ', ' ORDER BY n)
         FROM json_each_text({json}) WITH ORDINALITY AS e (key, value, n))
    """,
}
_SERIES = """
    SELECT s.series_key, t.study_key, nullif(t.patient_key, '') AS patient_key, nullif(s.modality, '') AS modality, a.finding,
           a.probability, a.status, a.stage, a.reason, a.slices, a.slices_used, a.slices_expected, a.gaps, a.ensemble, a.rule, a.priority,
           a.first_received_at, a.finished_at, {assessed_in} AS turnaround_seconds{more}
    FROM series_assessments a JOIN series s ON s.id = a.series_id JOIN studies t ON t.id = s.study_id
"""
_STUDY = """
    SELECT t.study_key, nullif(t.patient_key, '') AS patient_key, nullif({modalities}, '') AS modalities, a.finding, a.probability,
           a.status, a.stage, a.reason, a.series, a.scans,
           CASE WHEN t.patient_key = '' THEN 0
                ELSE (SELECT count(*) FROM studies p WHERE p.patient_key = t.patient_key AND p.id < t.id) END AS prior_studies,
           a.priority, a.first_received_at, a.finished_at, {assessed_in} AS turnaround_seconds
    FROM study_assessments a JOIN studies t ON t.id = a.study_id WHERE a.superseded_at IS NULL
"""

_RUN_STATE = """coalesce(runs.outcome, (SELECT j.state FROM jobs j WHERE j.kind = 'train' AND j.subject = runs.id), 'waiting')"""

# Bottom up: a view may use those above it.
VIEWS: Final[dict[str, str]] = {
    "scan_results": _RESULT.replace("{more}", "") + f"WHERE {_STANDS}",
    "scan_history": _RESULT.replace("{more}", f", {_SUPERSEDED_AT} AS superseded_at, v.reinstated_at"),
    "scan_probabilities": f"""
        SELECT v.scan_id, v.ensemble, p.finding, p.probability
        FROM probabilities p JOIN verdicts v ON v.id = p.verdict_id JOIN scans s ON s.id = v.scan_id WHERE {_STANDS}
    """,
    "model_predictions": f"""
        SELECT v.scan_id, v.ensemble, p.member, p.member_version, p.finding, p.probability
        FROM predictions p JOIN verdicts v ON v.id = p.verdict_id JOIN scans s ON s.id = v.scan_id WHERE {_STANDS}
    """,
    "worklist": """
        SELECT * FROM scan_results WHERE finding = 'covid19' OR status = 'review'
        ORDER BY CASE WHEN finding = 'covid19' THEN 0 ELSE 1 END, CASE WHEN finding = 'covid19' THEN probability END DESC, received_at
    """,
    "series_results": _SERIES.replace("{more}", "") + "WHERE a.superseded_at IS NULL",
    "series_history": _SERIES.replace("{more}", ", a.superseded_at"),
    "study_results": _STUDY,
    "study_worklist": """
        SELECT * FROM study_results WHERE finding = 'covid19' OR status = 'review'
        ORDER BY CASE WHEN finding = 'covid19' THEN 0 ELSE 1 END, CASE WHEN finding = 'covid19' THEN probability END DESC,
                 first_received_at
    """,
    "deliveries": """
        SELECT d.id AS delivery_id, t.study_key, d.target, d.object,
               coalesce(d.outcome, (SELECT j.state FROM jobs j WHERE j.kind = 'deliver' AND j.subject = d.id), 'waiting') AS state,
               d.attempts, d.reason, d.created_at, CASE WHEN d.outcome = 'delivered' THEN d.ended_at END AS delivered_at
        FROM outgoing_objects d JOIN studies t ON t.id = d.study_id
    """,
    "backlog": """
        WITH queues (queue, kind) AS (VALUES {queues})
        SELECT q.queue, q.kind,
               (SELECT count(*) FROM jobs j WHERE j.kind = q.kind AND j.state = 'waiting' AND j.created_at <= {now} AND j.queue = q.queue)
                   AS waiting,
               (SELECT count(*) FROM jobs j WHERE j.kind = q.kind AND j.state = 'running' AND j.queue = q.queue) AS running,
               (SELECT {waited} FROM jobs j
                WHERE j.kind = q.kind AND j.state = 'waiting' AND j.created_at <= {now} AND j.queue = q.queue) AS oldest_waiting_seconds,
               CASE WHEN EXISTS (SELECT 1 FROM paused_queues p WHERE p.queue = q.queue) THEN 1 ELSE 0 END AS paused
        FROM queues q
    """,
    "daily_counts": """
        SELECT {day} AS day, modality, finding, status, count(*) AS scans
        FROM scan_results GROUP BY {day}, modality, finding, status
    """,
    "quarantined_files": """
        SELECT id AS quarantine_id, scan_id, sha256, reason, detail, bytes, seen_at, released_at FROM quarantine
    """,
    "model_versions": """
        SELECT version, kind, name, modality, state, sha256, run_id, created_at, promoted_at, promoted_by, why FROM versions
    """,
    "model_promotions": """
        SELECT name, action, from_version, to_version, promoted_at, promoted_by, why FROM promotions
    """,
    "model_quality": """
        SELECT version, data, metric, nullif(source, '') AS source, value, low, high, images, groups, measured_at FROM quality
    """,
    "label_agreement": """
        SELECT l.scan_id, l.reader, l.finding AS reader_finding, v.finding AS model_finding,
               coalesce(v.finding = l.finding, false) AS agrees
        FROM labels l JOIN verdicts v ON v.scan_id = l.scan_id AND v.superseded_at IS NULL WHERE l.scope = 'scan'
    """,
    "study_label_agreement": """
        SELECT DISTINCT r.study_key, NULL AS series_key, l.reader, l.read_at, l.finding AS reader_finding, r.finding AS model_finding,
               coalesce(r.finding = l.finding, false) AS agrees
        FROM labels l JOIN scans s ON s.id = l.scan_id
        JOIN study_results r ON r.study_key = s.study_key AND coalesce(r.patient_key, '') = coalesce(s.patient_key, '')
        WHERE l.scope = 'study'
        UNION ALL
        SELECT DISTINCT r.study_key, r.series_key, l.reader, l.read_at, l.finding, r.finding, coalesce(r.finding = l.finding, false)
        FROM labels l JOIN scans s ON s.id = l.scan_id
        JOIN series_results r ON r.series_key = s.series_key AND r.study_key = s.study_key AND r.modality = s.modality
                             AND coalesce(r.patient_key, '') = coalesce(s.patient_key, '')
        WHERE l.scope = 'series'
    """,
    "scan_labels": """
        SELECT l.id AS label_id, l.scan_id, s.sha256, s.frame, s.modality, l.reader, l.label, l.finding, l.read_at, l.imported_at,
               l.import_id,
               EXISTS (SELECT 1 FROM labels o WHERE o.scan_id = l.scan_id AND o.scope = l.scope AND o.finding <> l.finding) AS conflicts,
               l.scope
        FROM labels l JOIN scans s ON s.id = l.scan_id
    """,
    "audit_log": """
        SELECT id AS audit_id, at, action, who, subject, detail FROM audit
    """,
    "training_runs": """
        SELECT id AS run_id, slot, trigger, {recipes} AS recipes, {run_state} AS state, decision, reason, data_sha256, seed, code_version,
               started_at, heartbeat_at, finished_at, epochs_done, resumed, entered_at, forced, step, manifest_sha256, labels, labels_until,
               {split} AS split, {libraries} AS libraries, {settings} AS settings
        FROM runs
    """,
    "gate_rulings": """
        SELECT run_id, name, champion, challenger, decision, reason, uses, judged_at FROM gates
    """,
    "gate_clauses": """
        SELECT c.run_id, c.name, g.challenger AS version, g.decision, c.number, c.clause, c.source, c.outcome, c.champion, c.challenger,
               c.difference, c.low, c.high, c.images, c.groups, g.uses
        FROM clauses c JOIN gates g ON g.run_id = c.run_id AND g.name = c.name
    """,
}


def drop(connection: Connection) -> None:
    """Drops every view, so that a migration may change the tables below them."""
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create(connection: Connection) -> None:
    """Makes every view."""
    dialect = connection.dialect.name
    turnaround = _SECONDS[dialect].format(late="v.finished_at", early="s.received_at")
    day = _DAY[dialect].format(time="finished_at")
    assessed_in = _SECONDS[dialect].format(late="a.finished_at", early="a.first_received_at")
    made_of = {"{turnaround}": turnaround, "{day}": day, "{run_state}": _RUN_STATE, "{recipes}": _LIST[dialect].format(json="runs.recipes")}
    made_of |= {f"{{{column}}}": _PAIRS[dialect].format(json=f"runs.{column}") for column in ("split", "libraries", "settings")}
    made_of |= {"{assessed_in}": assessed_in, "{modalities}": _LIST[dialect].format(json="a.modalities")}
    made_of |= {"{now}": _NOW[dialect], "{queues}": ", ".join(f"('{queue}', '{kind}')" for queue, kind in QUEUES)}
    made_of |= {"{waited}": _SECONDS[dialect].format(late=_NOW[dialect], early="min(j.created_at)")}
    for name, body in VIEWS.items():
        for mark, expression in made_of.items():
            body = body.replace(mark, expression)
        connection.execute(text(f"CREATE VIEW {name} AS {body}"))
