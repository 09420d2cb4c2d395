"""`lungline work deliver`: sends the results of studies to where LUNGLINE_DELIVER_TO says, each as a job that is tried for a day."""

import time
from typing import Final

import structlog

from db import deliveries, errors
from db.connect import read_only
from db.deliveries import Delivery, DeliveryOutcome, DeliveryRules
from db.job_leases import Cause, give_back
from db.jobs import Claim
from db.migrate import open_database
from db.writer import Writer
from imaging.isolate import ReaderDied, ReaderPool, ReadersStopped, ReaderTimedOut
from jobs.answer import Answering, Tell
from jobs.app import make_app
from jobs.consumer import serve
from jobs.kinds import DELIVER
from jobs.leases import Leases, let_go, site
from lungline.errors import DeliveryError, SettingsError, UnreadableScan
from lungline.layout import Store
from lungline.presence import Presence
from lungline.reasons import Reason
from lungline.settings import Settings
from lungline.targets import parse_targets
from lungline.threads import Repeating
from pacs import evidence
from pacs.objects import build
from pacs.objects.order import ObjectOrder, identify
from pacs.send import Sender

NAME: Final = "deliver"
_THREADS: Final = 4
_BUILDERS: Final = 2
_BUILD_SECONDS: Final = 60.0
_BUILD_BYTES: Final = 3 << 30
_LOOK_SECONDS: Final = 1.0  # for new assessments
_FIRST_SECONDS: Final = 10.0  # to the second attempt; twice as long to each further one
_LONGEST_SECONDS: Final = 3600.0
_DAY_SECONDS: Final = 86_400.0

log = structlog.get_logger()


class Deliverer:
    """Makes objects and sends them, some at a time."""

    def __init__(self, settings: Settings, writer: Writer, leases: Leases, pool: ReaderPool, sender: Sender) -> None:
        """Answers nothing yet.

        Args:
            settings: of this home.
            writer: of the database.
            leases: of this process.
            pool: of children that run `pacs.objects.build`.
            sender: to the targets.
        """
        self.answering = Answering(leases, (DELIVER,), deliveries.find, self._deliver)
        self._writer = writer
        self._store = Store(settings.store)
        self._targets = parse_targets(settings.deliver_to)
        self._pool = pool
        self._sender = sender
        self._away_until: dict[str, float] = {}  # target -> monotonic time before which it is not asked again

    def _deliver(self, claim: Claim, delivery: Delivery, _: Tell) -> str:
        if delivery.is_superseded:
            return self._end(claim, DeliveryOutcome.SUPERSEDED)
        if (pause := self._away_until.get(delivery.target, 0.0) - time.monotonic()) > 0:
            self._writer.do(deliveries.try_later, claim, None, pause)
            return "waits: its target is away"
        try:
            target = self._targets.get(delivery.target)
            if target is None:  # no longer a target
                raise DeliveryError(Reason.TARGET_REFUSED)
            self._sender.send(self._make(delivery), target)
        except DeliveryError as error:
            return self._fail(claim, delivery, error.reason)
        except UnreadableScan as error:
            if error.reason is not Reason.BYTES_MISSING:  # its bytes will not change
                return self._end(claim, DeliveryOutcome.FAILED, error.reason)
            return self._fail(claim, delivery, error.reason)
        except (ReaderDied, ReaderTimedOut) as error:
            cause = Cause.TIMEOUT if isinstance(error, ReaderTimedOut) else Cause.DEATH
            self._writer.do(let_go, claim, (DELIVER,), cause)
            return "waits again: the process that made the object died"
        except ReadersStopped:
            self._writer.do(give_back, [claim])
            return "returned: the process stops"
        return self._end(claim, DeliveryOutcome.DELIVERED)

    def _make(self, delivery: Delivery) -> bytes:
        with read_only(self._writer.engine).connect() as connection:
            found = evidence.gather(connection, delivery.study_id, delivery.assessment_id)
        paths = {}
        for image in (image for series in found.series for image in series.images):
            if (path := self._store.find(image.sha256, image.file_id)) is None:
                raise UnreadableScan(Reason.BYTES_MISSING)
            paths[image.scan_id] = str(path)
        named = delivery.object, delivery.target, delivery.study_id, delivery.assessment_id, delivery.number, delivery.former
        made: bytes = self._pool.run(ObjectOrder(delivery.object, found, paths, identify(*named)))
        return made

    def _end(self, claim: Claim, outcome: DeliveryOutcome, reason: Reason | None = None) -> str:
        return outcome.value if self._writer.do(deliveries.end, claim, outcome, reason) else "void: another process has it"

    def _fail(self, claim: Claim, delivery: Delivery, reason: Reason) -> str:
        """Tries later, for a day; then a person must see to it."""
        if delivery.age_seconds >= _DAY_SECONDS:
            log.error("a delivery failed for a day and is given up", delivery=delivery.delivery_id, reason=reason)
            return self._end(claim, DeliveryOutcome.FAILED, reason)
        pause = min(_FIRST_SECONDS * 2 ** min(delivery.attempts, 16), _LONGEST_SECONDS)
        if reason is Reason.TARGET_AWAY:
            self._away_until[delivery.target] = time.monotonic() + _FIRST_SECONDS
        self._writer.do(deliveries.try_later, claim, reason, pause)
        log.warning("a delivery failed, and is tried later", delivery=delivery.delivery_id, reason=reason, seconds=pause)
        return f"waits: {reason}"


def rules_of(settings: Settings) -> DeliveryRules:
    """What is sent, by these settings."""
    objects = tuple(settings.deliver_objects.split(","))
    return DeliveryRules(tuple(parse_targets(settings.deliver_to)), objects, settings.deliver_when, settings.deliver_provisional)


def run(settings: Settings) -> None:
    """Delivers until SIGTERM or Ctrl-C.

    Raises:
        AlreadyRunningError: this home has such a process.
        SettingsError: there is no target, or a certificate cannot be used.
    """
    if not settings.deliver_to:
        raise SettingsError("LUNGLINE_DELIVER_TO is not set: set it to where results are to be sent.")
    presence = Presence.take(settings.layout.run, NAME)
    sender = Sender(settings)
    pool = ReaderPool(build.FUNCTION, _BUILDERS, timeout=_BUILD_SECONDS, memory_bytes=_BUILD_BYTES)
    engine = open_database(settings)
    writer = Writer(engine)
    leases = Leases(writer, f"{site(settings)}-{NAME}", (DELIVER,))
    deliverer = Deliverer(settings, writer, leases, pool, sender)
    rules = rules_of(settings)
    entering = Repeating("deliveries", _LOOK_SECONDS, lambda: _enter(writer, rules), "new results are not sent")

    def ready() -> None:
        presence.tell(ready=True)
        log.info("ready", targets=len(rules.targets))

    def stop() -> None:
        deliverer.answering.stop()
        pool.close()

    entering.start()
    try:
        answerings = (deliverer.answering,)
        serve(make_app(settings), f"{NAME}@{site(settings)}", _THREADS, DELIVER.queues, answerings, on_ready=ready, on_stop=stop)
    finally:
        entering.stop()
        leases.stop()
        pool.close()
        writer.close()
        engine.dispose()
        log.info("stopped")


def _enter(writer: Writer, rules: DeliveryRules) -> None:
    with errors.translating(), read_only(writer.engine).connect() as connection:
        if not deliveries.is_due(connection, rules):
            return
    if entered := writer.do(deliveries.enter_due, rules):
        log.info("results are to be sent", objects=entered)
