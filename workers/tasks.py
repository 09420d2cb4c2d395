"""The Celery task behind a doorbell: one scan from claim to verdict. What it returns is what an admin reads in Flower."""

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

import structlog
from celery import Celery

from db import ledger
from db.ledger import Claim
from db.results import ScanFacts, Verdict
from db.writer import Writer
from imaging.header import Facts
from imaging.isolate import ReaderDied, ReaderPool, ReadersStopped, ReaderTimedOut
from lungline.errors import LedgerError, LunglineError, ModelError, StoreError, UnexpectedError, UnreadableScan
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from lungline.store import Store
from workers.batcher import Batcher, StoppingError, Waiting
from workers.judge import Judge
from workers.lease import Leases
from workers.queues import READ_SCAN
from workers.reading import Reading

_PAUSE_SECONDS: Final = 5.0
_LOOKS: Final = 4  # at bytes that seem to be missing
_LOOK_SECONDS: Final = 0.5
_FRAMES_AT_ONCE: Final = 500

log = structlog.get_logger()


class ScanReader:
    """Reads scans for one worker; many threads call `read` at once."""

    def __init__(
        self,
        leases: Leases,
        writer: Writer,
        store: Store,
        key: PseudonymKey,
        pool: ReaderPool,
        batcher: Batcher,
        judge: Callable[[], Judge],  # the one of now
    ) -> None:
        self._leases = leases
        self._writer = writer
        self._store = store
        self._key = key
        self._pool = pool
        self._batcher = batcher
        self._judge = judge
        self._stopping = threading.Event()
        self._count = threading.Lock()
        self.begun = 0
        self.busy = 0

    def stop(self) -> None:
        """No further scan is claimed; those under way go back to waiting unless their batch has begun."""
        self._stopping.set()
        self._pool.close()  # at once: what is only being read need not wait for the batch under way
        self._batcher.stop()

    def read(self, scan_id: str) -> str:
        """Answers a doorbell; returns what became of the scan, in words for Flower.

        Raises:
            LedgerError: the database is not to be had. The scan waits, or its lease runs out, and its bell is rung again.
            LedgerFault: the database refuses to turn the scan away, too.
            UnexpectedError: this machine lacks files or memory, without its words; the scan's bell is rung again.
        """
        if self._stopping.is_set():
            return "returned: the worker stops"
        with self._count:
            self.begun += 1
            self.busy += 1
        try:
            with self._leases.claim(scan_id) as claim:
                return "nothing to do: it does not wait" if claim is None else self._read(claim)
        except LunglineError:
            raise
        except Exception as error:  # Celery tells an error's words to Redis and Flower, and they may quote a file or its header
            log.error("a scan cannot be read", scan=scan_id, error=type(error).__name__)
            raise UnexpectedError(f"Unexpected {type(error).__name__}; run `lungline doctor`.") from None
        finally:
            with self._count:
                self.busy -= 1

    def _read(self, claim: Claim) -> str:
        try:
            judge = self._judge()
            reading = self._decode(claim, judge)
            if claim.frame == 1:
                self._add_frames(claim, reading.frames)
            facts = scan_facts(reading, self._key)
            verdict = self._batcher.submit(Waiting(claim, reading, facts, judge)).result()
        except UnreadableScan as error:
            return self._quarantine(claim, error.reason, error.detail)
        except ModelError:
            return self._quarantine(claim, Reason.MODEL_FAILED, Reason.MODEL_FAILED.sentence)
        except (ReaderDied, ReaderTimedOut) as error:
            reason = Reason.READER_DIED if isinstance(error, ReaderDied) else Reason.READER_TIMEOUT
            ended = self._writer.do(lambda connection: ledger.blame(connection, claim, reason))
            log.warning("reader ended", scan=claim.scan_id, reason=reason.value, quarantined=ended)
            return f"{'quarantined' if ended else 'waits again'}: {reason}"
        except (StoppingError, ReadersStopped, StoreError) as error:
            return self._give_back(claim, error)
        except (LedgerError, OSError, MemoryError):
            raise  # no scan is to blame
        except Exception as error:  # of this scan: it must not come back for ever
            log.error("an error of the program; the scan is turned away", scan=claim.scan_id, error=type(error).__name__)
            return self._quarantine(claim, Reason.INTERNAL_ERROR, Reason.INTERNAL_ERROR.sentence)
        if verdict is None:
            return "void: another worker has it"
        return f"{_summary(verdict)}, {'read again' if claim.again else f'waited {claim.waited_seconds:.1f} s'}"

    def _add_frames(self, claim: Claim, frames: int) -> None:
        """Some at a time: all else that is written waits meanwhile. If it is interrupted, the first frame waits again, and does it anew."""
        for first in range(2, frames + 1, _FRAMES_AT_ONCE):
            some = range(first, min(first + _FRAMES_AT_ONCE, frames + 1))
            self._writer.do(lambda connection, some=some: ledger.add_frames(connection, claim, some))  # type: ignore[misc]

    def _decode(self, claim: Claim, judge: Judge) -> Reading:
        """Raises StoreError while the store is away; that bytes are missing is believed after several looks at one that is there."""
        error = UnreadableScan(Reason.BYTES_MISSING)
        for _ in range(_LOOKS):
            if not self._store.is_there():
                break
            path = self._store.find(claim.sha256, claim.file_id)
            if path is not None:
                try:
                    reading: Reading = self._pool.run(str(path), claim.sha256, claim.frame, judge.always, judge.by_modality, claim.hint)
                    return self._marked(claim, reading)
                except UnreadableScan as failure:
                    if failure.reason not in (Reason.BYTES_MISSING, Reason.UNREADABLE):
                        raise
                    error = failure
            # the watcher may just put it in place, and the store may have gone away and come back
            if self._stopping.wait(_LOOK_SECONDS):
                raise ReadersStopped
        if not self._store.is_there():
            raise StoreError("The store is away: mount the disk of LUNGLINE_STORE, or mend its share.")
        raise error

    def _marked(self, claim: Claim, reading: Reading) -> Reading:
        """For review, if another process has its original open for writing still: what it writes is not in these bytes."""
        if reading.facts.review is None and self._store.is_held(claim.file_id):
            return replace(reading, facts=replace(reading.facts, review=Reason.STILL_WRITTEN))
        return reading

    def _give_back(self, claim: Claim, error: LunglineError) -> str:
        """The scan waits again; unless the worker stops, after a while: its bell is rung at once then."""
        if not self._stopping.is_set():
            log.error("a scan cannot be read now, and waits", scan=claim.scan_id, error=type(error).__name__, why=str(error))
            self._stopping.wait(_PAUSE_SECONDS)
        self._writer.do(lambda connection: ledger.give_back(connection, [claim]))
        return "returned: the worker stops" if self._stopping.is_set() else f"returned: {error}"

    def _quarantine(self, claim: Claim, reason: Reason, detail: str) -> str:
        stands = self._writer.do(lambda connection: ledger.quarantine_scan(connection, claim, reason, detail))
        if not stands:
            return "void: another worker has it"
        return f"{'its verdict stands' if claim.again else 'quarantined'}: {reason}"


def scan_facts(reading: Reading, key: PseudonymKey) -> ScanFacts:
    """The header's facts as the database may hold them: what names a patient becomes a pseudonym."""
    raw = reading.facts
    plain: dict[str, Any] = {field.name: getattr(raw, field.name) for field in fields(Facts) if field.name in _SAME}
    return ScanFacts(
        modality=raw.modality,
        rows=reading.rows,
        columns=reading.columns,
        patient_key=_pseudonym(key, "patient", raw.patient_id),
        study_key=_pseudonym(key, "study", raw.study_uid),
        series_key=_pseudonym(key, "series", raw.series_uid),
        image_key=_pseudonym(key, "image", raw.instance_uid),
        **plain,
    )


_SAME = frozenset({"patient_sex", "patient_age_band", "view", "manufacturer", "device_model"})


def _pseudonym(key: PseudonymKey, kind: str, value: str | None) -> str | None:
    value = (value or "").strip()
    return key.pseudonym(kind, value) if value else None


def _summary(verdict: Verdict) -> str:
    if verdict.finding is None:
        return f"{verdict.status}: {verdict.reason}"
    why = f" ({verdict.reason})" if verdict.reason else ""
    return f"{verdict.finding} {verdict.probability:.3f} {verdict.status}{why}"


def register(app: Celery, reader: ScanReader) -> None:
    """Makes `reader` answer this app's doorbells."""

    @app.task(name=READ_SCAN)
    def read_scan(scan_id: str) -> str:
        return reader.read(scan_id)
