"""How Flower hears what the workers do: patient with a Redis that is away."""

import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

import structlog
from celery.events import EventReceiver
from flower.events import Events

from jobs.queues import require
from lungline.broker import explain
from lungline.errors import BrokerError

_RETRY_SECONDS: Final = 0.5  # between two tries to hear: what workers say meanwhile is lost to Flower, not to the database

_log = structlog.get_logger()


class LastingEvents(Events):  # type: ignore[misc]  # Flower has no types
    """Hears events again within seconds after Redis came back; Flower's own would wait as long again as it was away."""

    def __init__(self, *args: Any, report: Callable[[bool], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._report = report
        self._fault = ""

    def run(self) -> NoReturn:
        while True:
            try:
                with self.capp.connection() as connection:
                    receiver = Receiver(connection, handlers={"*": self.on_event}, app=self.capp)
                    receiver.on_hearing = self._hears
                    receiver.capture(limit=None, timeout=None, wakeup=True)
            except Exception as error:
                if (said := self._explain(error)) != self._fault:  # once, not twice a second of an outage
                    self._fault = said
                    _log.warning("cannot hear what the workers do", error=type(error).__name__, advice=said)
            self._report(False)
            time.sleep(_RETRY_SECONDS)

    def _hears(self) -> None:
        self._fault = ""
        self._report(True)

    def _explain(self, error: Exception) -> str:
        try:
            require(self.capp)
        except BrokerError as refused:
            return str(refused)
        return explain(error)


class Receiver(EventReceiver):
    """Says when it has begun to hear: what workers say before that is lost."""

    on_hearing: Callable[[], None]
    _rounds = 0

    def on_iteration(self) -> None:
        # Not in `on_consume_ready`: kombu subscribes within the first round, of a second at most.
        self._rounds += 1
        if self._rounds == 2:
            self.on_hearing()
