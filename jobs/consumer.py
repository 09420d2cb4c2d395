"""A Celery consumer in this process, and the watch over one that no longer hears."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import structlog
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from jobs.answer import Answering, register
from jobs.queues import queue_lengths
from lungline.errors import BrokerError
from lungline.threads import Repeating

_EXIT_DEAF: Final = 70

log = structlog.get_logger()


class Busy(Protocol):
    """Who answers the doorbells: how many it has begun to answer, and how many it is at."""

    @property
    def begun(self) -> int: ...

    @property
    def busy(self) -> int: ...


def serve(
    app: Celery,
    hostname: str,
    threads: int,
    queues: Sequence[str],
    answerings: Sequence[Answering[Any]],
    *,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    """Answers doorbells in this process until it is asked to stop; it ends by itself if it no longer hears.

    Args:
        app: Celery's.
        hostname: of this consumer.
        threads: how many doorbells are answered at a time.
        queues: whose.
        answerings: what answers them.
        on_ready: called once it hears.
        on_stop: called when it is asked to stop, in a thread: a signal handler must not wait for the work under way.
    """
    for answering in answerings:
        register(app, answering)

    # Celery keeps weak references to receivers: these names must outlive the consumer.
    def ready(**_: Any) -> None:
        on_ready()

    def stop(**_: Any) -> None:
        threading.Thread(target=on_stop, name="stopper").start()

    worker_ready.connect(ready)
    worker_shutting_down.connect(stop)
    deafness = mind_deafness(app, queues, answerings)
    deafness.start()
    try:
        consume(app, hostname, threads, queues)
    finally:
        deafness.stop()


def consume(app: Celery, hostname: str, threads: int, queues: Sequence[str]) -> None:
    """Celery's worker in this process, until it is asked to stop."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    worker = app.Worker(
        hostname=hostname,
        queues=list(queues),
        pool="threads",
        concurrency=threads,
        task_events=True,
        without_mingle=True,
        without_gossip=True,
        loglevel="WARNING",
        quiet=True,
    )
    worker.start()


def mind_deafness(
    app: Celery,
    queues: Sequence[str],
    answerings: Sequence[Busy],
    look_seconds: float = 5.0,
    deaf_seconds: float = 30.0,
) -> Repeating:
    """A thread, not started yet, that ends a worker that no longer hears: it is connected to Redis after an outage, and consumes nothing.

    That is a known fault (celery #8091, #9054, #10302). What counts is consumption: doorbells lie in Redis, nothing is being done, and no
    task has begun for half a minute. That is counted in looks: a worker that was paused (SIGSTOP, a suspended machine) has missed nothing
    when it wakes.

    `answerings`: all that answer the doorbells of `queues` here; while one of them answers, the worker hears.
    """

    def begun_now() -> int:
        return sum(answering.begun for answering in answerings)

    begun, silent = begun_now(), 0.0

    def look() -> None:
        nonlocal begun, silent
        try:
            rings = sum(queue_lengths(app, queues).values()) > 0
        except BrokerError:
            rings = False
        if not rings or any(answering.busy for answering in answerings) or begun_now() != begun:
            begun, silent = begun_now(), 0.0
            return
        silent += look_seconds
        if silent > deaf_seconds:  # more, since the first look may have come at once after a pause
            log.error("no doorbell was heard although some wait in Redis; this worker ends so that another starts")
            os._exit(_EXIT_DEAF)

    return Repeating("deafness", look_seconds, look, "not known whether doorbells are heard")
