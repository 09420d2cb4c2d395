from collections.abc import Iterator

import pytest

from lungline.settings import load
from tests.integration.intake.place import Place


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty one."""
    place = Place(load())
    yield place
    place.intake.close()
    place.writer.close()
    place.engine.dispose()
