"""Pictures of scans, drawn on demand from the original bytes by child processes that may crash without harm."""

import threading
from typing import Final

from imaging.isolate import ReaderDied, ReaderPool, ReadersStopped, ReaderTimedOut
from imaging.picture import FUNCTION, PictureOrder
from lungline.errors import StoreError

_SIZE: Final = 2
_SECONDS: Final = 20.0
_BYTES: Final = 2 << 30  # of memory beyond what a child has when it is ready
_DRAWN_AT_ONCE: Final = threading.BoundedSemaphore(8)  # the threads that answer pages are few: others must not all wait here
_PATIENCE_SECONDS: Final = 30.0


class Painter:
    """Draws with two child processes, which are started when the first picture is wanted."""

    def __init__(self) -> None:
        self._pool: ReaderPool | None = None
        self._starting = threading.Lock()

    def draw(self, order: PictureOrder) -> bytes:
        """A PNG.

        Raises:
            UnreadableScan: the bytes are gone or cannot be decoded.
            StoreError: nothing can be drawn now.
        """
        if not _DRAWN_AT_ONCE.acquire(timeout=_PATIENCE_SECONDS):
            raise StoreError("Too many pictures are being drawn; try again.")
        try:
            picture: bytes = self._started().run(order)
            return picture
        except (ReaderDied, ReaderTimedOut) as error:
            raise StoreError(f"The picture cannot be drawn: {error}") from None
        except ReadersStopped:
            with self._starting:
                self._pool = None
            raise StoreError("The picture cannot be drawn now; try again.") from None
        finally:
            _DRAWN_AT_ONCE.release()

    def close(self) -> None:
        """Ends the child processes."""
        with self._starting:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _started(self) -> ReaderPool:
        with self._starting:
            if self._pool is None:
                self._pool = ReaderPool(FUNCTION, _SIZE, timeout=_SECONDS, memory_bytes=_BYTES)
            return self._pool
