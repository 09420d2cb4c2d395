import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.watcher.arrival.watching import Watching


@pytest.fixture
def watching(home: Path) -> Iterator[Watching]:
    """A home with an empty inbox; the test starts the watcher."""
    watching = Watching(home)
    watching.inbox.mkdir()
    yield watching
    watching.stop(signal.SIGKILL)
