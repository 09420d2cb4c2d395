"""The inference worker: readers started, models loaded and warm, then a Celery consumer whose threads read one scan a task."""

import os
import threading
from typing import Any

import structlog
from celery.signals import worker_ready, worker_shutting_down

from db.migrate import open_database
from db.writer import Writer
from imaging.isolate import ReaderPool
from lungline.presence import Presence
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from lungline.store import Store
from models.engines.choose import Engines
from workers import reading
from workers.app import make_app
from workers.batcher import Batcher
from workers.catalogue import models_folder
from workers.champions import Champions
from workers.consume import consume, mind_deafness
from workers.lease import Leases, site
from workers.queues import QUEUES
from workers.tasks import ScanReader, register

READER_SECONDS = 60.0  # the most that one scan's decoding may take
READER_BYTES = 3 << 30  # and its memory: a 100 megapixel film as float32, a few times over
_EXIT_BROKEN = 71

log = structlog.get_logger()


def run(settings: Settings, slot: int) -> None:
    """`lungline work inference`: reads scans until SIGTERM or Ctrl-C.

    Raises:
        AlreadyRunningError: this home has a worker in that slot.
        ModelError: a champion is missing or damaged, or does not run here.
    """
    name = f"inference-{slot}"
    presence = Presence.take(settings.run, name)
    # Before any engine: its threads must not be alive when a process forks.
    pool = ReaderPool(reading.FUNCTION, _readers(), timeout=READER_SECONDS, memory_bytes=READER_BYTES)
    engine = open_database(settings)
    writer = Writer(engine)
    try:
        champions = Champions(engine, models_folder(settings), Engines.of(settings), settings.batch_max)
        log.info("warm", versions=champions.judge.versions)
        _serve(settings, name, presence, pool, writer, champions)
    finally:
        pool.close()
        writer.close()
        engine.dispose()
        log.info("stopped")


def _serve(settings: Settings, name: str, presence: Presence, pool: ReaderPool, writer: Writer, champions: Champions) -> None:
    leases = Leases(writer, f"{site(settings)}-{name}")
    batcher = Batcher(writer, settings.batch_max, _end_broken)
    key = PseudonymKey.load_or_create(settings.key_file)
    reader = ScanReader(leases, writer, Store(settings.store), key, pool, batcher, lambda: champions.judge)
    app = make_app(settings)
    register(app, reader)
    ended = threading.Event()

    # Celery keeps weak references to receivers: these names must outlive the consumer.
    def on_ready(**_: Any) -> None:
        presence.tell(ready=True)
        log.info("ready")

    def on_stop(**_: Any) -> None:
        # In a thread: a signal handler must not wait for the batch under way.
        threading.Thread(target=reader.stop, name="stopper").start()

    worker_ready.connect(on_ready)
    worker_shutting_down.connect(on_stop)
    threading.Thread(target=mind_deafness, args=(app, QUEUES, reader, ended), name="deafness", daemon=True).start()
    champions.watch()
    try:
        # twice the batch in threads, so that one batch is read while another runs
        consume(app, f"{name}@{site(settings)}", 2 * settings.batch_max, QUEUES)
    finally:
        ended.set()
        champions.stop()
        reader.stop()
        leases.stop()


def _end_broken() -> None:
    """Ends a worker whose engine fails on everything: another starts afresh. Its scans wait again; one that two workers broke on is read
    alone, and quarantined only if it breaks two more."""
    log.error("the engine fails on a drawn chest, too; ending so that another worker starts")
    os._exit(_EXIT_BROKEN)


def _readers() -> int:
    return max(2, min(8, os.cpu_count() or 2))
