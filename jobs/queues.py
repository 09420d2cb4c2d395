"""Doorbells in Redis: queues that carry nothing but opaque ids of scans, runs and the like, from the dispatcher to the workers."""

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis, RedisError
from redis.exceptions import NoPermissionError, ResponseError

from jobs.permissions import missing
from lungline.broker import SILENT, Address, connect, explain
from lungline.errors import BrokerError

_HEAD: Final = -1  # of a list in Redis: kombu adds on the left, and workers take from the right
_PATIENCE_SECONDS: Final = 2.0


@dataclass(frozen=True)
class QueueNow:
    """A queue at one moment."""

    length: int
    next: str | None
    """The subject whose doorbell is the next to be answered; None: none lies there, or it is somebody else's message."""


def ring(app: Celery, task: str, subject: str, queue: str) -> None:
    """Tells the workers that a subject has a job that waits.

    Raises:
        BrokerError: Redis cannot be reached, or does not take it; the ledger still knows what waits, so that it can be rung again.
    """
    try:
        # argsrepr: Flower shows the id, not a tuple. Each bell is a task of its own: one that ended once would not show progress again.
        app.send_task(task, args=[subject], argsrepr=subject, queue=queue)
    except (OperationalError, RedisError, OSError) as error:
        raise _refused(app, error) from None


def ring_first(app: Celery, task: str, subject: str, queue: str) -> None:
    """As `ring`, but before all that lies in the queue.

    Raises:
        BrokerError: as `ring` does.
    """
    ring(app, task, subject, queue)
    try:
        # From the end to the head. Whatever another dispatcher put behind it meanwhile goes there instead: an early bell harms nobody.
        _client(app).lmove(queue, queue, "LEFT", "RIGHT")
    except ResponseError:
        return  # a Redis before 6.2, or an account that may not: it lies at the end
    except (RedisError, OSError) as error:
        raise BrokerError(explain(error)) from None


def queues_now(app: Celery, queues: Sequence[str]) -> dict[str, QueueNow]:
    """How long each of some queues is, and what it comes to next, in about 2 s at most.

    Raises:
        BrokerError: Redis cannot be reached.
    """
    try:
        with _client(app).pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue)
                pipeline.lindex(queue, _HEAD)
            answers = pipeline.execute(raise_on_error=False)
    except (RedisError, OSError) as error:
        raise BrokerError(explain(error)) from None
    if failure := next((length for length in answers[::2] if isinstance(length, Exception)), None):
        raise _refused(app, failure)
    # what came between the two questions counts at the next look; an account that may not ask for the head does without
    return {
        queue: QueueNow(length, _whose(head) if length else None)
        for queue, length, head in zip(queues, answers[::2], answers[1::2], strict=True)
    }


def _whose(message: object) -> str | None:
    """The id in a Celery message of protocol 2, whose body is base64 of [args, kwargs, embed]."""
    try:
        return str(json.loads(b64decode(json.loads(message)["body"]))[0][0])  # type: ignore[arg-type]
    except (ValueError, TypeError, LookupError):
        return None


def queue_lengths(app: Celery, queues: Sequence[str]) -> dict[str, int]:
    """How many doorbells lie in each of some queues, in about 2 s at most.

    Raises:
        BrokerError: Redis cannot be reached.
    """
    client = _client(app)
    try:
        with client.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue)
            return dict(zip(queues, pipeline.execute(), strict=True))
    except (RedisError, OSError) as error:
        raise _refused(app, error) from None


def server_run(app: Celery) -> str:
    """Which run of the Redis server answers: another after each of its starts. Empty where the account may not ask.

    Raises:
        BrokerError: Redis cannot be reached.
    """
    try:
        server = _client(app).info("server")
    except ResponseError:
        return ""
    except (RedisError, OSError) as error:
        raise BrokerError(explain(error)) from None
    return str(dict(server).get("run_id", ""))


def require(app: Celery) -> None:
    """Tries whether Redis takes this home's account for all that Lungline does there. One that is away is waited for by whoever uses it.

    Raises:
        BrokerError: it does not, and which password, certificate or permission is wrong.
    """
    try:
        _require_permissions(app)
    except (RedisError, OSError) as error:
        if (said := explain(error)) != SILENT:
            raise BrokerError(said) from None


def may_ask_for_run(app: Celery) -> bool:
    """Whether `server_run` is answered.

    Raises:
        BrokerError: Redis cannot be reached.
    """
    try:
        return not missing(_client(app), (), optional=True)
    except (RedisError, OSError) as error:
        raise BrokerError(explain(error)) from None


def _refused(app: Celery, error: Exception) -> BrokerError:
    """What went wrong; where it is a permission, all that are missing."""
    try:
        if isinstance(error, NoPermissionError) or isinstance(error.__cause__, NoPermissionError):
            _require_permissions(app)
    except BrokerError as named:
        return named
    except (RedisError, OSError):
        pass
    return BrokerError(explain(error))


def _require_permissions(app: Celery) -> None:
    if lacking := missing(_client(app), [queue.name for queue in app.conf.task_queues]):
        raise BrokerError(f"Redis denies the account of LUNGLINE_BROKER_URL {'; '.join(lacking)}. See the ACL in docs/deploy.md.")


def _client(app: Celery) -> Redis:
    return _client_of(app.conf.broker_url, tuple(sorted((app.conf.broker_use_ssl or {}).items())))


@cache
def _client_of(url: str, tls: tuple[tuple[str, Any], ...]) -> Redis:
    return connect(Address(url, dict(tls)), _PATIENCE_SECONDS)
