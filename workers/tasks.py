"""Reads one scan, from a claimed job to its verdict. What it returns is what an admin sees in Flower."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import structlog

from db import headers, job_leases, scans
from db.job_leases import Cause
from db.jobs import Claim
from db.results import ScanFacts, Verdict
from db.scans import Scan
from db.series import QUIET_SECONDS
from db.writer import Writer
from imaging.isolate import ReaderDied, ReaderPool, ReadersStopped, ReaderTimedOut
from jobs.answer import Answering, Tell
from jobs.kinds import HEADERS, READ, READ_FAILURES, REREAD
from jobs.leases import Leases, let_go
from lungline.errors import LedgerError, LunglineError, ModelError, StoreError, UnreadableScan
from lungline.findings import Modality
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from workers import failed_reads
from workers.batcher import Batcher, StoppingError, Waiting
from workers.judge import Judge
from workers.reading import Reading

_MAX_LOOKS: Final = 4  # at bytes that seem to be missing
_LOOK_SECONDS: Final = 0.5
_FRAMES_AT_ONCE: Final = 500
_VOID: Final = "void: another worker has it"
_GIVEN_UP: Final = {READ.name: "quarantined", REREAD.name: "its verdict stands", HEADERS.name: "its verdict stands"}

log = structlog.get_logger()


class ScanReader:
    """Reads scans for one worker; many threads at once."""

    def __init__(
        self,
        leases: Leases,
        writer: Writer,
        store: Store,
        key: PseudonymKey,
        pool: ReaderPool,
        batcher: Batcher,
        judge: Callable[[], Judge],  # the one of now
        pause_seconds: float = 5.0,  # before a scan that cannot be read now is given back
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self.answering = Answering(leases, (READ, REREAD, HEADERS), scans.find, self._read)
        self._quiet_seconds = quiet_seconds
        self._writer = writer
        self._store = store
        self._key = key
        self._pool = pool
        self._batcher = batcher
        self._judge = judge
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """No further scan is claimed; those under way go back to waiting unless their batch has begun."""
        self.answering.stop()
        self._stopping.set()
        self._pool.close()  # at once: what is only being read need not wait for the batch under way
        self._batcher.stop()

    def _read(self, claim: Claim, scan: Scan, _: Tell) -> str:
        try:
            return self._read_header(claim, scan) if claim.kind == HEADERS.name else self._find_verdict(claim, scan)
        except UnreadableScan as error:
            return self._turn_away(claim, error.reason, error.detail)
        except ModelError:
            return self._turn_away(claim, Reason.MODEL_FAILED, Reason.MODEL_FAILED.sentence)
        except (ReaderDied, ReaderTimedOut) as error:
            return self._let_go(claim, Cause.DEATH if isinstance(error, ReaderDied) else Cause.TIMEOUT)
        except (StoppingError, ReadersStopped, StoreError) as error:
            return self._give_back(claim, error)
        except (LedgerError, OSError, MemoryError):
            raise  # no scan is to blame
        except Exception as error:  # of this scan: it must not come back for ever
            log.error("an error in Lungline; the scan is quarantined", scan=claim.subject, error=type(error).__name__)
            return self._turn_away(claim, Reason.INTERNAL_ERROR, Reason.INTERNAL_ERROR.sentence)

    def _find_verdict(self, claim: Claim, scan: Scan) -> str:
        judge = self._judge()
        reading = self._decode(scan, judge)
        if scan.frame == 1:
            self._enter_frames(scan, reading.frames)
        facts = scan_facts(reading, self._key)
        verdict = self._batcher.submit(Waiting(claim, scan.hint, reading, facts, judge)).result()
        if verdict is None:
            return _VOID
        return f"{_summary(verdict)}, {'read again' if claim.kind == REREAD.name else f'waited {scan.waited_seconds:.1f} s'}"

    def _read_header(self, claim: Claim, scan: Scan) -> str:
        facts = scan_facts(self._decode(scan, None), self._key)
        return "header read" if self._writer.do(headers.record, claim, facts, self._quiet_seconds) else _VOID

    def _enter_frames(self, scan: Scan, frames: int) -> None:
        """Some at a time: all else that is written waits meanwhile. If it is interrupted, the first frame waits again, and does it anew."""
        for first in range(2, frames + 1, _FRAMES_AT_ONCE):
            some = range(first, min(first + _FRAMES_AT_ONCE, frames + 1))
            self._writer.do(scans.enter_frames, scan, some)

    def _decode(self, scan: Scan, judge: Judge | None) -> Reading:
        """Without a judge, the header alone.

        Raises StoreError while the store is away; that bytes are missing is believed after several looks at one that is there.
        """
        error = UnreadableScan(Reason.BYTES_MISSING)
        for _ in range(_MAX_LOOKS):
            if not self._store.is_there():
                break
            path = self._store.find(scan.sha256, scan.file_id)
            if path is not None:
                try:
                    asked = (judge.always, judge.by_modality) if judge else ((), None)
                    reading: Reading = self._pool.run(str(path), scan.sha256, scan.frame, *asked, scan.hint)
                    return self._marked(scan, reading)
                except UnreadableScan as failure:
                    if failure.reason not in (Reason.BYTES_MISSING, Reason.UNREADABLE):
                        raise
                    error = failure
            # the watcher may just put it in place, and the store may have gone away and come back
            if self._stopping.wait(_LOOK_SECONDS):
                raise ReadersStopped
        if not self._store.is_there():
            raise StoreError("The store is away: mount the disk of LUNGLINE_STORE, or repair its share.")
        raise error

    def _marked(self, scan: Scan, reading: Reading) -> Reading:
        """For review, if another process has its original open for writing still: what it writes is not in these bytes."""
        if reading.facts.review is None and self._store.is_held(scan.file_id):
            return replace(reading, facts=replace(reading.facts, review=Reason.STILL_WRITTEN))
        return reading

    def _give_back(self, claim: Claim, error: LunglineError) -> str:
        """The scan waits again; unless the worker stops, after a while: its doorbell is rung at once then."""
        if not self._stopping.is_set():
            log.error("a scan cannot be read now, and waits", scan=claim.subject, error=type(error).__name__, why=str(error))
            self._stopping.wait(self._pause_seconds)
        self._writer.do(job_leases.give_back, [claim])
        return "returned: the worker stops" if self._stopping.is_set() else f"returned: {error}"

    def _let_go(self, claim: Claim, cause: Cause) -> str:
        ended, reason = self._writer.do(let_go, claim, (READ, REREAD, HEADERS), cause), READ_FAILURES[cause]
        log.warning("reader ended", scan=claim.subject, reason=reason.value, given_up=ended)
        return f"{_GIVEN_UP[claim.kind] if ended else 'waits again'}: {reason}"

    def _turn_away(self, claim: Claim, reason: Reason, detail: str) -> str:
        if not self._writer.do(failed_reads.turn_away, claim, reason, detail):
            return _VOID
        return f"{_GIVEN_UP[claim.kind]}: {reason}"


def scan_facts(reading: Reading, key: PseudonymKey) -> ScanFacts:
    """The header's facts as the database may hold them: what names a patient becomes a pseudonym."""
    raw = reading.facts
    plain: dict[str, Any] = {name: getattr(raw, name) for name in _SAME}
    if raw.modality is Modality.CT:  # of a film these say nothing
        plain |= vars(raw.acquisition)
    return ScanFacts(
        modality=raw.modality,
        rows=reading.rows,
        columns=reading.columns,
        lung_share=reading.lung_share,
        patient_key=_pseudonym(key, "patient", raw.patient_id),
        study_key=_pseudonym(key, "study", raw.study_uid),
        series_key=_pseudonym(key, "series", raw.series_uid),
        image_key=_pseudonym(key, "image", raw.instance_uid),
        **plain,
    )


_SAME = frozenset({"patient_sex", "patient_age_band", "view", "manufacturer", "device_model", "body_part"})


def _pseudonym(key: PseudonymKey, kind: str, value: str | None) -> str | None:
    value = (value or "").strip()
    return key.pseudonym(kind, value) if value else None


def _summary(verdict: Verdict) -> str:
    if verdict.finding is None:
        return f"{verdict.status}: {verdict.reason}"
    why = f" ({verdict.reason})" if verdict.reason else ""
    return f"{verdict.finding} {verdict.probability:.3f} {verdict.status}{why}"
