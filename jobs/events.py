"""Celery's event dispatcher, mended for a pool of threads: what Flower shows of a task must neither be lost nor stay half told."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher

_KEPT_WHILE_OFFLINE = 10_000  # events


class EventSender(EventDispatcher):
    """Celery's own empties its buffer after sending it, and with it what other threads have put there meanwhile.

    After a reconnect, tasks still hold the dispatcher that they began with; so all that follow each other share one buffer.
    """

    mutex: threading.Lock
    _outbound_buffer: deque[tuple[Any, str, Any]]
    _group_buffer: dict[str, list[Any]]
    _publish: Callable[..., None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._outbound_buffer = deque(maxlen=_KEPT_WHILE_OFFLINE)

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        with self.mutex:
            if errors:
                for _ in range(len(self._outbound_buffer)):
                    event, routing_key, _error = self._outbound_buffer.popleft()
                    self._publish(event, self.producer, routing_key)  # comes back into the buffer if that fails again
            if groups:
                for group, buffer in list(self._group_buffer.items()):
                    events = buffer[:]
                    del buffer[: len(events)]
                    if events:
                        self._publish(events, self.producer, f"{group}.multi")

    def extend_buffer(self, other: "EventSender") -> None:  # type: ignore[override]  # it follows one of its own kind
        self.mutex, self._outbound_buffer, self._group_buffer = other.mutex, other._outbound_buffer, other._group_buffer

    def close(self) -> None:
        # Celery's own also releases the mutex, which another thread may hold at this moment
        self.producer = None


class ThreadedEvents(Events):
    """For `Celery(events=…)`."""

    dispatcher_cls = "jobs.events:EventSender"
