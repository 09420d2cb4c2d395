from collections.abc import Iterator

import pytest

from lungline.settings import PREFIX, load
from tests.integration.watcher.intake.place import IntakePlace


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[IntakePlace]:
    """An empty one. No broker is needed to take files in."""
    monkeypatch.setenv(f"{PREFIX}BROKER_URL", "redis://127.0.0.1:1/0")
    place = IntakePlace(load())
    yield place
    place.intake.close()
    place.writer.close()
    place.engine.dispose()
