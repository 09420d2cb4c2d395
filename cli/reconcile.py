"""`lungline reconcile`: proves that every drop is accounted for, against ledger, store and inbox."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import os

    from sqlalchemy import Connection

    from lungline.layout import Store
    from lungline.pseudonyms import PseudonymKey
    from lungline.settings import Settings


def reconcile(
    deep: bool = typer.Option(False, "--deep", help="Also read all files in the store, and compare them with their hashes."),
) -> None:
    """Check that no file or scan is lost or doubled; if one is, exit 1 and say what is wrong."""
    from db.connect import read_only
    from db.migrate import open_database
    from db.status import counts
    from lungline.presence import live
    from lungline.settings import load

    settings = load()
    engine = open_database(settings)
    wrong = 0
    with read_only(engine).connect() as connection:
        for sentence, count in (*_in_ledger(connection), *_in_store(connection, settings), *_in_inbox(settings)):
            wrong += count
            print(f"{'ok   ' if count == 0 else f'{count:<5}'} {sentence}")
    said = counts(engine)
    for total, parts in (("files", ("accepted", "duplicates", "refused")), ("scans", ("waiting", "reading", "done", "quarantined"))):
        print(f"{said[total]} {total} = " + " + ".join(f"{said[part]} {part}" for part in parts))
    if deep:
        wrong += _deep(settings)
    if wrong:
        runs = "watch" in live(settings.layout.run)
        advice = "while files are being taken in, run it again in a minute" if runs else "no watcher of this home runs: start `lungline up`"
        print(f"{wrong} problems; {advice}.")
        raise typer.Exit(1)


def _deep(settings: "Settings") -> int:
    """Says how many bytes in the store differ from their hash, or cannot be read."""
    from lungline.layout import Store
    from lungline.progress import steps

    store = Store(settings.store)
    folders = store.folders()
    differing = 0
    with steps("compared", len(folders)) as step:
        for folder in folders:
            differing += not store.holds_its_hash(folder)
            step(1)
    print(f"{differing or 'ok':<5} files in the store that differ from their hash, or cannot be read")
    if differing:
        print("Restore these from a backup of LUNGLINE_STORE, then check the disk, and what else writes to it.")
    return differing


def _in_ledger(connection: "Connection") -> Iterator[tuple[str, int]]:
    """What must hold between the tables, each as (what would be wrong, how often it is)."""
    from sqlalchemy import text

    wrong = {
        "accepted files without a scan": """
            SELECT count(*) FROM files f WHERE f.outcome = 'accepted' AND NOT EXISTS (SELECT 1 FROM scans s WHERE s.file_id = f.id)""",
        "scans whose file was not accepted": """
            SELECT count(*) FROM scans s JOIN files f ON f.id = s.file_id WHERE f.outcome <> 'accepted' OR f.sha256 <> s.sha256""",
        "duplicates of bytes that have no scan": """
            SELECT count(*) FROM files f
            WHERE f.outcome = 'duplicate' AND NOT EXISTS (SELECT 1 FROM scans s WHERE s.sha256 = f.sha256)""",
        "refused files without a row in quarantined_files": """
            SELECT count(*) FROM files f WHERE f.outcome = 'refused' AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.file_id = f.id)""",
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
        "jobs of scans or training runs that are not there": """
            SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT 1 FROM scans s WHERE s.id = j.subject)
            AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = j.subject)""",
        "training runs that have not ended and have no job": """
            SELECT count(*) FROM runs r WHERE r.outcome IS NULL AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = r.id)""",
        "verdicts whose probabilities do not sum to 1": """
            SELECT count(*) FROM (SELECT v.id FROM verdicts v LEFT JOIN probabilities p ON p.verdict_id = v.id
            WHERE v.status <> 'rejected' GROUP BY v.id HAVING abs(coalesce(sum(p.probability), 0) - 1) > 1e-6) AS uneven""",
    }
    for sentence, statement in wrong.items():
        yield sentence, int(connection.scalar(text(statement)) or 0)


def _in_store(connection: "Connection", settings: "Settings") -> Iterator[tuple[str, int]]:
    from sqlalchemy import text

    from lungline.layout import Store
    from watcher.label_drops import left

    store = Store(settings.store)
    missing = 0
    known = set()
    sizes = "SELECT sha256, bytes, id FROM files WHERE outcome = 'accepted'"
    for row in connection.execution_options(yield_per=1000).execute(text(sizes)):
        known.add(row.sha256)
        missing += not _holds(store, row.sha256, row.id, row.bytes)
    yield "accepted files whose bytes are missing in the store, or have another length", missing
    yield "files in the store that the database does not know", sum(folder.name not in known for folder in store.folders())
    waiting = sum(folder.is_dir() for folder in store.incoming.iterdir()) if store.incoming.exists() else 0
    yield "files in staging, between inbox and store (the watcher finishes these)", waiting
    yield "files of labels that are not imported yet (the watcher imports them when it starts)", len(left(store))


def _holds(store: "Store", sha256: str, file_id: str, size: int) -> bool:
    for _ in range(2):  # the watcher may put it in place between the finding and the looking
        path = store.find(sha256, file_id)
        try:
            return path is not None and path.stat().st_size == size
        except OSError:
            continue
    return False


def _in_inbox(settings: "Settings") -> Iterator[tuple[str, int]]:

    from sqlalchemy import func, select

    from db.connect import connect, read_only
    from db.tables import files
    from lungline.layout import Store
    from lungline.pseudonyms import PseudonymKey
    from watcher.label_drops import is_known
    from watcher.walk import patterns, walk

    store = Store(settings.store)
    key = PseudonymKey.load_or_create(settings.key_file)
    waiting = 0
    is_away = False
    closed: list[str] = []
    with read_only(connect(settings.database_url)).connect() as connection:
        try:
            for entry in walk(settings.inbox, patterns(settings.ignore), closed):
                stays = _stay_key(key, entry)
                if stays is not None and connection.scalar(select(func.count()).where(files.c.stay_key == stays)) == 0:
                    waiting += not is_known(store, stays)
        except OSError:
            is_away = True
    yield "files in the inbox that are not taken in yet", waiting
    yield "inboxes that cannot be read (is a share away?)", int(is_away)
    yield "folders in the inbox that Lungline's user cannot read, or whose path is too long", len(closed)


def _stay_key(key: "PseudonymKey", entry: "os.DirEntry[str]") -> str | None:
    from watcher.originals import stay_key

    try:
        return stay_key(key, entry.path, entry.stat(follow_symlinks=False))
    except OSError:
        return None  # taken in at this moment
