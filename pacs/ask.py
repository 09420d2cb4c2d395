"""`lungline work ask`: asks the PACS of LUNGLINE_DICOM_ASK how many images series have, so that these are final as soon as all are there.

What is to be asked is found in the database each time, so a process that is killed forgets nothing. A PACS that is away, or that does not
know a series, holds up nothing: such a series is final by LUNGLINE_SERIES_FINAL_SECONDS.
"""

import re
import time
from typing import Final

import structlog

from db import series_counts
from db.connect import read_only
from db.migrate import open_database
from db.series_counts import UncountedSeries
from db.writer import Writer
from imaging.isolate import ReaderDied, ReaderPool, ReaderTimedOut
from lungline.errors import DeliveryError, SettingsError, UnreadableScan
from lungline.layout import Store
from lungline.presence import Presence
from lungline.reasons import Reason
from lungline.settings import Settings
from lungline.targets import Entity, Web, parse_targets
from lungline.threads import Repeating
from lungline.wait import run_until_stopped
from pacs.connections import Connections
from pacs.count import count_images
from workers import reading

NAME: Final = "ask"
_LOOK_SECONDS: Final = 1.0
_AT_ONCE: Final = 20
_ANSWER_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 30.0  # after the PACS was away
_READ_SECONDS: Final = 60.0
_READ_BYTES: Final = 3 << 30
_UID: Final = re.compile(r"[0-9.]{1,64}")  # no wild card

log = structlog.get_logger()


class Asker:
    """Asks for some series at a time."""

    def __init__(self, settings: Settings, writer: Writer, pool: ReaderPool, pause_seconds: float = _PAUSE_SECONDS) -> None:
        """Asks nothing yet.

        Args:
            settings: of this home.
            writer: of the database.
            pool: of children that run `workers.reading.read_scan`.
            pause_seconds: in which a PACS that was away is not asked.

        Raises:
            SettingsError: no PACS is set, or a certificate cannot be used.
        """
        self._pacs = pacs_of(settings)
        self._connections = Connections(settings, _ANSWER_SECONDS)
        self._store = Store(settings.store)
        self._writer = writer
        self._pool = pool
        self._quiet_seconds = settings.series_quiet_seconds
        self._pause_seconds = pause_seconds
        self._away_until = 0.0  # monotonic

    def ask(self) -> int:
        """Asks for those series that have been silent for half of the quiet period, so that the answer is there at its end; how many
        were answered for."""
        if time.monotonic() < self._away_until:
            return 0
        with read_only(self._writer.engine).connect() as connection:
            found = series_counts.find_uncounted(connection, self._quiet_seconds / 2, _AT_ONCE)
        answered = 0
        for series in found:
            try:
                images = self._count(series)
            except DeliveryError as error:
                log.warning("the PACS did not say how many images a series has", reason=error.reason, series=series.series_id)
                if error.reason is Reason.TARGET_AWAY:
                    self._away_until = time.monotonic() + self._pause_seconds
                    return answered
                images = None  # what it refuses for one series must not keep the others from being asked for
            self._writer.do(series_counts.note_count, series, images, self._quiet_seconds)
            answered += 1
        return answered

    def _count(self, series: UncountedSeries) -> int | None:
        uids = self._uids(series)
        return count_images(self._connections, self._pacs, *uids) if uids else None

    def _uids(self, series: UncountedSeries) -> tuple[str, str] | None:
        """Study and series, out of the store alone: the database has pseudonyms."""
        for sha256, file_id in series.files:
            path = self._store.find(sha256, file_id)
            try:
                facts = self._pool.run(str(path), sha256, 1, (), None, None).facts if path else None
            except (UnreadableScan, ReaderDied, ReaderTimedOut):
                continue
            if facts and _UID.fullmatch(facts.study_uid or "") and _UID.fullmatch(facts.series_uid or ""):
                return facts.study_uid, facts.series_uid
        return None


def pacs_of(settings: Settings) -> Entity | Web:
    """Whom to ask.

    Raises:
        SettingsError: nobody is set.
    """
    for target in parse_targets(settings.dicom_ask).values():
        if isinstance(target, Entity | Web):
            return target
    raise SettingsError("LUNGLINE_DICOM_ASK is not set: set it to the PACS, as dicom:AET@HOST:PORT or dicomweb:URL.")


def run(settings: Settings) -> None:
    """Asks until SIGTERM or Ctrl-C.

    Raises:
        AlreadyRunningError: this home has such a process.
        SettingsError: no PACS is set, or a certificate cannot be used.
    """
    pacs_of(settings)
    presence = Presence.take(settings.layout.run, NAME)
    pool = ReaderPool(reading.FUNCTION, 1, timeout=_READ_SECONDS, memory_bytes=_READ_BYTES)
    engine = open_database(settings)
    writer = Writer(engine)
    asker = Asker(settings, writer, pool)
    asking = Repeating(NAME, _LOOK_SECONDS, lambda: 0.0 if asker.ask() == _AT_ONCE else None, "the PACS is not asked")

    def begin() -> None:
        asking.start()
        presence.tell(ready=True)
        log.info("ready")

    run_until_stopped(begin)
    asking.stop()
    pool.close()
    writer.close()
    engine.dispose()
    log.info("stopped")
