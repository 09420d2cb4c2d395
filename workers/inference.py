"""The inference worker: readers started, models loaded and warm, then a Celery consumer whose threads read one scan a task."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from db.migrate import open_database
from db.writer import Writer
from imaging.isolate import ReaderPool
from jobs.answer import Answering
from jobs.app import make_app
from jobs.consumer import serve
from jobs.kinds import INFERENCE_QUEUES
from jobs.leases import Leases, site
from lungline.errors import SettingsError
from lungline.inbox_names import patterns
from lungline.layout import Store
from lungline.presence import Presence
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from lungline.threads import Repeating
from models import devices, pose, series_rule
from models.runtimes.choice import RuntimeChoice
from workers import reading
from workers.assessing import SeriesAssessor
from workers.batcher import Batcher
from workers.champions import Champions
from workers.tasks import ScanReader
from workers.unpacking import ArchiveUnpacker, start_readers

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
    presence = Presence.take(settings.layout.run, name)
    pose.shipped()  # damaged, it would fail every reader, and each scan would be blamed
    # Before any runtime: its threads must not be alive when a process forks.
    pool = ReaderPool(reading.FUNCTION, _readers(), timeout=READER_SECONDS, memory_bytes=READER_BYTES)
    archive_pool = start_readers()
    engine = open_database(settings)
    writer = Writer(engine)
    try:
        champions = Champions(engine, Store(settings.store).models, choose_runtime(settings, slot), settings.batch_max)
        log.info("warm", versions=champions.judge.versions)
        _serve(settings, name, presence, (pool, archive_pool), writer, champions)
    finally:
        pool.close()
        archive_pool.close()
        writer.close()
        engine.dispose()
        log.info("stopped")


def choose_runtime(settings: Settings, slot: int) -> RuntimeChoice:
    """What runs the networks of this worker, which sees the device of its slot alone.

    Without its GPU it reads on the CPU, and logs that: slow is better than not at all.
    """
    device = devices.of_slot(settings.devices, slot)
    os.environ.update(devices.environment(device))  # before TensorFlow is loaded
    choice = RuntimeChoice.of(settings)
    if choice.choice == "keras":
        try:
            devices.require("LUNGLINE_DEVICES", device)
        except SettingsError as error:
            log.error("reading on the CPU", why=str(error))
            return replace(choice, choice=settings.engine)
    return choice


def _serve(
    settings: Settings, name: str, presence: Presence, pools: tuple[ReaderPool, ReaderPool], writer: Writer, champions: Champions
) -> None:
    pool, archive_pool = pools
    store = Store(settings.store)
    leases = Leases(writer, f"{site(settings)}-{name}")
    batcher = Batcher(writer, settings.batch_max, _end_broken, settings.series_quiet_seconds)
    key = PseudonymKey.load_or_create(settings.key_file)
    quiet_seconds = settings.series_quiet_seconds
    reader = ScanReader(leases, writer, store, key, pool, batcher, lambda: champions.judge, quiet_seconds=quiet_seconds)
    assessor = SeriesAssessor(leases, writer, settings.series_final_seconds, series_rule.shipped())
    unpacker = ArchiveUnpacker(leases, writer, store, archive_pool, patterns(settings.ignore))
    unpacker.clear()
    app = make_app(settings)
    answerings: tuple[Answering[Any], ...] = (reader.answering, assessor.answering, unpacker.answering)

    def ready() -> None:
        presence.tell(ready=True)
        log.info("ready")

    def stop() -> None:
        assessor.stop()
        unpacker.stop()
        reader.stop()

    hanging = mind_hanging(batcher)
    hanging.start()
    champions.watch()
    try:
        # twice the batch in threads, so that one batch is read while another runs
        threads = 2 * settings.batch_max
        serve(app, f"{name}@{site(settings)}", threads, INFERENCE_QUEUES, answerings, on_ready=ready, on_stop=stop)
    finally:
        hanging.stop()
        champions.stop()
        stop()
        leases.stop()


def mind_hanging(
    batcher: Batcher,
    look_seconds: float = 5.0,
    hanging_seconds: float = 600.0,  # a batch takes seconds, also on a machine that does much else
    end: Callable[[], None] = lambda: os._exit(_EXIT_BROKEN),
) -> Repeating:
    """A thread, not started yet, that ends a worker whose runtime does not answer any more, as one on a GPU that has fallen off the bus.

    Counted in looks at the same batch: a pause of this process (SIGSTOP, a suspended machine) is not the runtime's.
    """
    batch, silent = batcher.under_way, 0.0

    def look() -> None:
        nonlocal batch, silent
        if batcher.under_way is None or batcher.under_way != batch:
            batch, silent = batcher.under_way, 0.0
            return
        silent += look_seconds
        if silent > hanging_seconds:
            log.error("the runtime has not answered for minutes; ending so that another worker starts", seconds=round(silent))
            end()

    return Repeating("hanging", look_seconds, look, "not known whether the runtime answers")


def _end_broken() -> None:
    """Ends a worker whose runtime fails on everything: another starts afresh. Its scans wait again; one that two workers broke on is read
    alone, and quarantined only if it breaks two more."""
    log.error("the runtime fails on a drawn chest, too; this worker ends so that another starts")
    os._exit(_EXIT_BROKEN)


def _readers() -> int:
    return max(2, min(8, os.cpu_count() or 2))
