"""What must hold between the tables. Each check counts the rows that break one rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Check:
    """One rule: what would break it, in words that follow a number, and how often that is so."""

    sentence: str
    wrong: int


_RULES: Final = {
    "accepted files without a scan": """
        SELECT count(*) FROM files f WHERE f.outcome = 'accepted' AND NOT EXISTS (SELECT 1 FROM scans s WHERE s.file_id = f.id)""",
    "scans whose file was not accepted": """
        SELECT count(*) FROM scans s JOIN files f ON f.id = s.file_id WHERE f.outcome <> 'accepted' OR f.sha256 <> s.sha256""",
    "duplicates of bytes that have no scan": """
        SELECT count(*) FROM files f
        WHERE f.outcome = 'duplicate' AND NOT EXISTS (SELECT 1 FROM scans s WHERE s.sha256 = f.sha256)""",
    "refused files without a row in quarantined_files": """
        SELECT count(*) FROM files f WHERE f.outcome = 'refused' AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.file_id = f.id)""",
    "files from archives that are not there": """
        SELECT count(*) FROM files f JOIN files a ON a.id = f.archive_id WHERE a.outcome NOT IN ('unpacked', 'refused')""",
    "scans done that have not exactly one current verdict": """
        SELECT count(*) FROM scans s
        WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = s.id AND j.kind = 'read')
        AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.scan_id = s.id AND q.released_at IS NULL)
        AND 1 <> (SELECT count(*) FROM verdicts v WHERE v.scan_id = s.id AND v.superseded_at IS NULL)""",
    "scans with a current verdict that are quarantined": """
        SELECT count(*) FROM quarantine q JOIN verdicts v ON v.scan_id = q.scan_id AND v.superseded_at IS NULL
        WHERE q.released_at IS NULL""",
    "scans that wait to be read and have a verdict, or are quarantined": """
        SELECT count(*) FROM jobs j WHERE j.kind = 'read' AND (
        EXISTS (SELECT 1 FROM verdicts v WHERE v.scan_id = j.subject AND v.superseded_at IS NULL)
        OR EXISTS (SELECT 1 FROM quarantine q WHERE q.scan_id = j.subject AND q.released_at IS NULL))""",
    "jobs of scans, series, archives, deliveries or training runs that are not there": """
        SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT 1 FROM scans s WHERE s.id = j.subject)
        AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = j.subject AND f.outcome = 'unpacked')
        AND NOT EXISTS (SELECT 1 FROM outgoing_objects o WHERE o.id = j.subject)
        AND NOT EXISTS (SELECT 1 FROM series e WHERE e.id = j.subject)
        AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = j.subject)""",
    "training runs that have not ended and have no job": """
        SELECT count(*) FROM runs r WHERE r.outcome IS NULL AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = r.id)""",
    "verdicts whose probabilities do not sum to 1": """
        SELECT count(*) FROM (SELECT v.id FROM verdicts v LEFT JOIN probabilities p ON p.verdict_id = v.id
        WHERE v.status <> 'rejected' GROUP BY v.id HAVING abs(coalesce(sum(p.probability), 0) - 1) > 1e-6) AS uneven""",
}


def check_tables(connection: Connection) -> Iterator[Check]:
    """Asks the database rule by rule; all answers are of one snapshot if the connection reads only."""
    for sentence, query in _RULES.items():
        yield Check(sentence, int(connection.scalar(text(query)) or 0))
