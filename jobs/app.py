"""The Celery app that dispatcher, workers and Flower share. Redis is disposable: a message is a doorbell, the ledger is the truth."""

from collections.abc import Sequence

from celery import Celery
from kombu import Exchange, Queue

from jobs.kinds import KINDS, JobKind, queues_of
from lungline.broker import address_of
from lungline.settings import Settings


def make_app(settings: Settings, kinds: Sequence[JobKind] = KINDS) -> Celery:
    """An app on the broker of this home, with the queues of these kinds of job; connects to nothing yet.

    Raises:
        SettingsError: no broker is known, or its CA file cannot be read.
    """
    address = address_of(settings)
    app: Celery = Celery("lungline", broker=address.url, events="jobs.events:ThreadedEvents")
    app.conf.update(
        broker_use_ssl=dict(address.tls) or False,  # without it, kombu would take any certificate
        # messages: JSON and no results, since what was found stands in the ledger
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        # taken off the queue when begun: a doorbell that is lost with its worker is rung again from the ledger
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # queues: urgent scans overtake all others, and each worker serves its own
        task_queues=[Queue(name, Exchange("lungline"), routing_key=name) for name in queues_of(kinds)],
        task_default_queue=kinds[0].queues[-1],
        task_create_missing_queues=False,
        task_routes={kind.task: {"queue": kind.queues[-1]} for kind in kinds},
        # Redis may go away for any time, and half-open connections must be noticed
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "queue_order_strategy": "priority",
            "socket_timeout": 30,
            "socket_connect_timeout": 10,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        # the dispatcher rings again by itself
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0},
        # what Flower shows
        task_send_sent_event=True,
        worker_send_task_events=True,
        # logging is lungline.log's: a library's words may quote a password
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app
